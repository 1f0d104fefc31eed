import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../preload/api/limits.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { openSettings } from './settings.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'))
  path = join(folder, 'settings.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('settings', () => {
  it('keep what was changed and tell watchers', () => {
    const settings = openSettings(path, { logger })
    expect(settings.value).toEqual({
      theme: 'system',
      language: 'system',
      model: null,
      earningPaused: false,
      openNetworkForbidden: false,
      limits: defaultLimits,
    })
    const seen: unknown[] = []
    settings.onChange((value) => seen.push(value))
    settings.change({ theme: 'dark', language: undefined })
    expect(seen).toEqual([
      {
        theme: 'dark',
        language: 'system',
        model: null,
        earningPaused: false,
        openNetworkForbidden: false,
        limits: defaultLimits,
      },
    ])
    expect(openSettings(path, { logger }).value).toEqual({
      theme: 'dark',
      language: 'system',
      model: null,
      earningPaused: false,
      openNetworkForbidden: false,
      limits: defaultLimits,
    })
  })

  it('take defaults for fields of other versions and keep the rest', () => {
    writeFileSync(path, '{"theme":"sepia","language":"ru","fontSize":12}')
    expect(openSettings(path, { logger }).value).toEqual({
      theme: 'system',
      language: 'ru',
      model: null,
      earningPaused: false,
      openNetworkForbidden: false,
      limits: defaultLimits,
    })
  })

  it('take no limits that the rule could not be judged by', () => {
    for (const limits of [
      { ...defaultLimits, temperatureC: 1_000 },
      { ...defaultLimits, schedule: [true] },
      { forGames: false },
    ]) {
      writeFileSync(path, JSON.stringify({ language: 'ru', limits }))
      expect(openSettings(path, { logger }).value).toMatchObject({ language: 'ru', limits: defaultLimits })
    }
    const settings = openSettings(path, { logger })
    expect(() => settings.change({ limits: { ...defaultLimits, graceMs: -1 } })).toThrow()
    settings.change({ limits: { ...defaultLimits, graceMs: 0 } })
    expect(openSettings(path, { logger }).value.limits.graceMs).toBe(0)
  })

  it('set an unreadable file aside', () => {
    for (const broken of ['{"theme":', '[]', 'null']) {
      writeFileSync(path, broken)
      expect(openSettings(path, { logger }).value).toEqual({
        theme: 'system',
        language: 'system',
        model: null,
        earningPaused: false,
        openNetworkForbidden: false,
        limits: defaultLimits,
      })
      const aside = readdirSync(folder).filter((name) => name.includes('unreadable'))
      expect(aside.some((name) => readFileSync(join(folder, name), 'utf8') === broken)).toBe(true)
    }
  })

  it('stay as they were when the file cannot be written', () => {
    const settings = openSettings(path, { logger })
    // A folder with something in it cannot be replaced by a rename.
    mkdirSync(join(path, 'x'), { recursive: true })
    expect(() => settings.change({ theme: 'dark' })).toThrow('could not be written')
    expect(settings.value.theme).toBe('system')
    expect(readdirSync(folder)).toEqual(['settings.json'])
  })
})
