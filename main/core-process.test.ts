import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { tinyGguf } from './inference/testing/tiny-gguf.ts'
import { type CoreToShell, coreToShell } from './shell-link.ts'

const entry = fileURLToPath(new URL('./core-process.ts', import.meta.url))
let dataDir: string
let running: ChildProcess[] = []

beforeEach(() => {
  dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'cocoon-core-process-')))
  // The chosen model is damaged: nothing is downloaded, and the core lives without a model.
  const path = join(dataDir, 'models', 'bad.gguf')
  mkdirSync(join(dataDir, 'models'))
  writeFileSync(path, tinyGguf().subarray(0, 2_000_000))
  const id = `own-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`
  writeFileSync(join(dataDir, 'settings.json'), JSON.stringify({ model: id }))
})
afterEach(({ task }) => {
  const log = join(dataDir, 'logs', 'core.log')
  // Why a core did not end as it should stands nowhere else.
  if (task.result?.state === 'fail' && existsSync(log)) process.stderr.write(readFileSync(log, 'utf8').slice(-5000))
  for (const child of running) child.kill('SIGKILL')
  running = []
  rmSync(dataDir, { recursive: true, force: true })
})

/** Processes that one has started (Linux). */
const childrenOf = (pid = 0): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((one) => one !== '')

/** The core as the desktop shell runs it. */
function start() {
  const child = fork(entry, [], {
    env: { ...process.env, COCOON_DATA_DIR: dataDir, COCOON_NETWORK: '' },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  running.push(child)
  const said: CoreToShell[] = []
  child.on('message', (raw) => said.push(coreToShell.parse(raw)))
  const exit = once(child, 'exit').then(([code, signal]) => code ?? signal)
  const ready = (): Promise<void> => vi.waitFor(() => expect(said).toContainEqual({ type: 'ready' }), { timeout: 60_000 })
  return { child, said, exit, ready }
}

it('serves the links of the shell, tells why the practice network has no model, and stops when asked', async () => {
  const { child, said, exit, ready } = start()
  await ready()
  child.send({ type: 'open', link: 'window' })
  child.send({ type: 'nonsense' })
  child.send({ type: 'message', link: 'window', message: { t: 'subscribe', n: 1, name: 'chat.levels', input: {} } })
  const practice = (): unknown =>
    said
      .flatMap((one) => (one.type === 'message' ? [one.message as { event?: { level: string }[] }] : []))
      .flatMap(({ event }) => event ?? [])
      .findLast(({ level }) => level === 'practice')
  await vi.waitFor(
    () =>
      expect(practice()).toMatchObject({
        state: 'unavailable',
        reason: expect.stringContaining('bad cannot be used'),
        reasonWords: { code: 'model-broken' },
      }),
    { timeout: 100_000, interval: 50 },
  )
  // A crash of it, or of what it started, leaves none of the words in its memory (`base/core-dumps.ts`).
  if (process.platform === 'linux') {
    const pids = [String(child.pid), ...childrenOf(child.pid)]
    expect(pids.length).toBeGreaterThan(1)
    for (const pid of pids) expect([pid, Number(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8'))]).toEqual([pid, 0])
  }
  const second = start()
  expect(await second.exit).toBe(1)
  expect(second.said).toMatchObject([{ type: 'failed', message: expect.stringContaining('already') }])
  child.send({ type: 'stop' })
  expect(await exit).toBe(0)
  expect(existsSync(join(dataDir, 'core.lock.json'))).toBe(false)
  expect(readFileSync(join(dataDir, 'logs', 'core.log'), 'utf8')).toContain('the shell sent a malformed message')
})

it.each(['its shell is gone', 'it is told so by a signal'])('stops in order in the middle of its start when %s', async (why) => {
  const { child, exit, ready } = start()
  await ready()
  if (why === 'its shell is gone') child.disconnect()
  else child.kill('SIGTERM')
  expect(await exit).toBe(0)
})
