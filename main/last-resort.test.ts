import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { canaryBelow, newCanary, spelledIn } from './base/testing/canary.ts'

const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)

it('errors that nobody caught are logged by their kind and place: nothing that they quote reaches the log, the terminal or a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-last-resort-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const canary = newCanary()
  const script = join(folder, 'defect.mjs')
  const log = join(folder, 'data', 'core.log')
  // The words come by the environment: the script itself would be found.
  writeFileSync(
    script,
    `import { createLogger } from ${source('./base/logger.ts')}
    import { guardProcess } from ${source('./last-resort.ts')}
    import { logFile } from ${source('./log-file.ts')}
    guardProcess(createLogger(logFile(${JSON.stringify(log)})), () => process.exit(3))
    const words = process.env.WORDS
    Promise.reject(new TypeError(words + '\\n    at ' + words + ' (file.ts:1:1)'))
    setTimeout(() => JSON.parse('{"' + words), 50)`,
  )
  const ended = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
    cwd: folder,
    env: { ...process.env, WORDS: canary },
  })
  expect(ended.status).toBe(3)
  const written = readFileSync(log, 'utf8')
  expect(written).toMatch(/a rejection was not handled kind=TypeError at=at .*defect\.mjs/)
  expect(written).toMatch(/an error was not caught; stopping kind=SyntaxError at=at JSON\.parse/)
  expect(spelledIn(Buffer.concat([ended.stdout, ended.stderr]), canary)).toEqual([])
  expect(canaryBelow(folder, canary)).toEqual({ found: [], files: 2 })
})
