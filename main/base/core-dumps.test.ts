import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { leavesDumpsHere, newCanary, spelledIn } from './testing/canary.ts'

/** What a program that holds a word leaves in its folder when it crashes, however large dumps may be there. */
function crashed(signal: NodeJS.Signals, how: { readonly forbids: boolean; readonly inChild: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-crash-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const canary = newCanary()
  const script = join(folder, 'crash.mjs')
  const module = new URL('./core-dumps.ts', import.meta.url).href
  writeFileSync(
    script,
    `import { fork } from 'node:child_process'
    import { forbidCoreDumps } from ${JSON.stringify(module)}
    if (${how.forbids} && process.argv[2] !== 'child' && !forbidCoreDumps()) process.exit(3)
    const words = Buffer.from('Who reads ' + process.env.WORDS)
    if (${how.inChild} && process.argv[2] !== 'child') fork(process.argv[1], ['child']).on('exit', () => process.exit(words.length > 0 ? 0 : 1))
    else process.kill(process.pid, ${JSON.stringify(signal)})`,
  )
  const command = 'ulimit -c unlimited && exec "$0" "$@"'
  spawnSync('sh', ['-c', command, process.execPath, '--disable-warning=ExperimentalWarning', script], {
    cwd: folder,
    env: { ...process.env, WORDS: canary },
  })
  const dumps = readdirSync(folder).filter((name) => name.startsWith('core'))
  return { dumps: dumps.map((name) => readFileSync(join(folder, name))), canary }
}

describe.skipIf(!leavesDumpsHere())('a crash where the system writes core dumps', () => {
  it('would leave the words of a process in a file', () => {
    const { dumps, canary } = crashed('SIGABRT', { forbids: false, inChild: false })
    expect(dumps.map((dump) => dump.includes(canary))).toEqual([true])
  })

  it.each([
    ['SIGABRT', false],
    ['SIGSEGV', false],
    ['SIGSEGV', true],
  ] as const)('leaves no word of them by %s once dumps are forbidden, in a child: %s', (signal, inChild) => {
    const { dumps, canary } = crashed(signal, { forbids: true, inChild })
    expect(dumps.map((dump) => spelledIn(dump, canary))).toEqual([[]])
  })
})
