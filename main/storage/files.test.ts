import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataPaths, defaultDataDir, makeDataDir } from './files.ts'

describe('defaultDataDir', () => {
  const home = '/home/ada'
  it.each([
    ['linux', {}, '/home/ada/.local/share/cocoon-desktop'],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/cocoon-desktop'],
    ['linux', { XDG_DATA_HOME: 'relative' }, '/home/ada/.local/share/cocoon-desktop'],
    ['darwin', {}, '/home/ada/Library/Application Support/Cocoon Desktop'],
    ['win32', { APPDATA: '/appdata' }, '/appdata/Cocoon Desktop'],
    ['darwin', { COCOON_DATA_DIR: '/elsewhere' }, '/elsewhere'],
    ['linux', { COCOON_DATA_DIR: '', XDG_DATA_HOME: '/data' }, '/data/cocoon-desktop'],
  ] as const)('%s with %o is %s', (platform, env, expected) => {
    expect(defaultDataDir({ platform, env, home })).toBe(expected)
  })

  it('gives every part a path of its own inside the folder', () => {
    const { dataDir, ...parts } = dataPaths('/data')
    const all = Object.values(parts)
    expect(new Set(all).size).toBe(all.length)
    for (const path of all) expect(path.startsWith(`${dataDir}/`)).toBe(true)
  })
})

describe('makeDataDir', () => {
  it('makes every level, and says which folder cannot be one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-folder-'))
    makeDataDir(join(folder, 'a', 'b'))
    makeDataDir(join(folder, 'a', 'b'))
    expect(statSync(join(folder, 'a', 'b')).isDirectory()).toBe(true)
    writeFileSync(join(folder, 'file'), '')
    for (const path of [join(folder, 'file'), join(folder, 'file', 'logs')])
      expect(() => makeDataDir(path)).toThrow(expect.objectContaining({ code: 'write-failed', advice: expect.any(String) }))
    rmSync(folder, { recursive: true })
  })

  // mkdir's own recursion would never come back from here.
  it.runIf(process.platform === 'linux')('ends where no folder can be made', () => {
    expect(() => makeDataDir('/proc/no/folder')).toThrow(expect.objectContaining({ code: 'write-failed' }))
  })
})
