import { describe, expect, it } from 'vitest'
import { dataPaths, defaultDataDir } from './files.ts'

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
