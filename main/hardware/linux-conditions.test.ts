import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linuxConditions, onBatteryLinux, parseMetered, parseSession } from './linux-conditions.ts'

// All fixtures here are written by hand after the documentation that the code names.

function supplies(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cocoon-power-'))
  for (const [path, text] of Object.entries(files)) {
    const full = join(root, 'sys/class/power_supply', path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, `${text}\n`)
  }
  return root
}
const mains = (online: number) => ({ 'AC/type': 'Mains', 'AC/online': String(online) })
const battery = (status: string) => ({ 'BAT0/type': 'Battery', 'BAT0/status': status })

describe('onBatteryLinux', () => {
  it.each([
    ['a desktop that tells of no supply', {}, null],
    ['unplugged', { ...mains(0), ...battery('Discharging') }, true],
    ['plugged in', { ...mains(1), ...battery('Charging') }, false],
    ['plugged in, battery full', { ...mains(1), ...battery('Full') }, false],
    ['plugged in by a weak charger', { ...mains(1), ...battery('Discharging') }, false],
    ['only a battery that runs down', battery('Discharging'), true],
    ['the battery of a mouse', { ...battery('Discharging'), 'BAT0/scope': 'Device' }, null],
  ])('%s', (_, files, expected) => expect(onBatteryLinux(supplies(files))).toBe(expected))
})

describe('what tools say', () => {
  it.each([
    ['GENERAL.METERED:yes\n', true],
    ['GENERAL.METERED:yes (guessed)\nGENERAL.METERED:unknown\n', true],
    ['GENERAL.METERED:no (guessed)\n', false],
    ['GENERAL.METERED:unknown\n', null],
    ['Error: NetworkManager is not running.', null],
  ])('nmcli: %j', (text, expected) => expect(parseMetered(text)).toBe(expected))

  it.each([
    ['IdleHint=no\nIdleSinceHint=0\nLockedHint=no\n', { idleMs: 0, locked: false }],
    ['IdleHint=yes\nIdleSinceHint=1000000000\nLockedHint=yes\n', { idleMs: 400_000, locked: true }],
    ['IdleHint=yes\nIdleSinceHint=9999999999\nLockedHint=no\n', { idleMs: 0, locked: false }],
    ['Failed to get path for session', { idleMs: null, locked: null }],
    ['IdleHint=\nIdleSinceHint=\nLockedHint=\n', { idleMs: null, locked: null }],
  ])('loginctl: %j', (text, expected) => expect(parseSession(text, 1_400_000)).toEqual(expected))
})

describe('linuxConditions', () => {
  it('asks the kernel, NetworkManager and logind', async () => {
    const asked: string[] = []
    const answers: Record<string, string> = {
      nmcli: 'GENERAL.METERED:yes\n',
      loginctl: 'IdleHint=no\nIdleSinceHint=0\nLockedHint=yes\n',
    }
    const run = async (command: string): Promise<string | null> => {
      asked.push(command)
      return answers[command] ?? null
    }
    const { onBattery, metered, session } = linuxConditions(run, supplies(battery('Discharging')))
    expect([await onBattery(), await metered(), await session()]).toEqual([true, true, { idleMs: 0, locked: true }])
    expect(asked).toEqual(['nmcli', 'loginctl'])
  })

  it('claims nothing where none of them is', async () => {
    const { onBattery, metered, session } = linuxConditions(async () => null, supplies({}))
    expect([await onBattery(), await metered(), await session()]).toEqual([null, null, { idleMs: null, locked: null }])
  })
})
