import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'

let folder = ''
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('installs through no link: npm would empty the folder behind it', () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-setup-'))
  const project = join(folder, 'project')
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(join(project, 'scripts'), { recursive: true })
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'kept.txt'), 'kept')
  const root = join(import.meta.dirname, '..')
  for (const file of ['package.json', 'package-lock.json', '.npmrc', 'scripts/setup.mjs'])
    cpSync(join(root, file), join(project, file))
  symlinkSync(elsewhere, join(project, 'node_modules'))
  const { status, stderr } = spawnSync(process.execPath, [join(project, 'scripts', 'setup.mjs')], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([1, expect.stringContaining('node_modules is a link')])
  expect(existsSync(join(elsewhere, 'kept.txt'))).toBe(true)
})
