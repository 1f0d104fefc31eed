import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { modelChanger } from './change-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-change-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A program that waits for `go`, writes its arguments down, and ends with that code. */
function program(name: string, code: number): string {
  const path = join(folder, name)
  const out = join(folder, `${name}.out`)
  writeFileSync(
    path,
    `#!/bin/sh\nwhile [ ! -e '${folder}/go' ]; do sleep 0.02; done\nprintf '%s|%s' "$#" "$1" > '${out}'\nexit ${code}\n`,
  )
  chmodSync(path, 0o700)
  return path
}

it.skipIf(process.platform === 'win32')('runs the program of the operator with the name alone, one at a time', async () => {
  const change = modelChanger(program('good', 0), silentLogger)
  const first = change('Other/Model@c:h; touch evil')
  await expect(change('again')).rejects.toMatchObject({ code: 'change-running' })
  writeFileSync(join(folder, 'go'), '')
  await first
  expect(readFileSync(join(folder, 'good.out'), 'utf8')).toBe('1|Other/Model@c:h; touch evil')
  expect(existsSync(join(folder, 'evil'))).toBe(false)
  await change('third')
  expect(readFileSync(join(folder, 'good.out'), 'utf8')).toBe('1|third')
})

it.skipIf(process.platform === 'win32')('tells when it did not succeed, and nothing of what it said', async () => {
  writeFileSync(join(folder, 'go'), '')
  await expect(modelChanger(program('bad', 3), silentLogger)('x')).rejects.toMatchObject({ code: 'change-failed' })
  await expect(modelChanger(join(folder, 'missing'), silentLogger)('x')).rejects.toMatchObject({
    code: 'change-failed',
    message: expect.not.stringContaining(folder),
  })
})
