import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  onBatteryLinux,
  parseHidIdle,
  parseMetered,
  parsePmset,
  parseSession,
  readConditions,
  systemConditions,
} from './conditions.ts'
import { type GpuProcess, unknownReading } from './gpu-reading.ts'

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
  ])('loginctl: %j', (text, expected) => expect(parseSession(text, 1_400_000)).toEqual(expected))

  it.each([
    ["Now drawing from 'Battery Power'\n -InternalBattery-0 80%; discharging", true],
    ["Now drawing from 'AC Power'\n", false],
    ['', null],
  ])('pmset: %j', (text, expected) => expect(parsePmset(text)).toBe(expected))

  it('ioreg: nanoseconds since the last input', () => {
    expect(parseHidIdle('  |   "HIDIdleTime" = 5000000000\n')).toBe(5000)
    expect(parseHidIdle('nothing')).toBeNull()
  })
})

describe('readConditions', () => {
  const program = (pid: number): GpuProcess => ({
    ...{ pid, name: `program ${pid}`, pciId: null, draws: true },
    ...{ utilisationPercent: 50, memoryBytes: 1 },
  })

  it('takes the hottest card and the programs of others', async () => {
    const card = (temperatureC: number | null) => ({ ...unknownReading, name: 'GPU', vendor: 'nvidia' as const, temperatureC })
    const gpus = { read: () => [card(null), card(70), card(81)], processes: () => [program(1), program(2)] }
    const sources = { onBattery: () => true, metered: async () => false, session: async () => ({ idleMs: 5, locked: false }) }
    expect(await readConditions(sources, gpus, (pid) => pid === 1)).toEqual({
      ...{ gpuTemperatureC: 81, gpuPrograms: [program(2)], idleMs: 5, locked: false, onBattery: true, metered: false },
    })
  })

  it('claims nothing on a system that tells nothing', async () => {
    const nothing = { gpuTemperatureC: null, gpuPrograms: null, idleMs: null, locked: null, onBattery: null, metered: null }
    const gpus = { read: () => [], processes: () => null }
    for (const platform of ['linux', 'darwin', 'win32', 'freebsd'] as const) {
      const sources = systemConditions(platform, async () => null, supplies({}))
      expect(await readConditions(sources, gpus, () => false)).toEqual(nothing)
    }
  })

  it('asks each system by its own means', async () => {
    const asked: string[] = []
    const answers: Record<string, string> = {
      nmcli: 'GENERAL.METERED:yes\n',
      loginctl: 'IdleHint=no\nIdleSinceHint=0\nLockedHint=yes\n',
      pmset: "Now drawing from 'Battery Power'\n",
      ioreg: '"HIDIdleTime" = 1000000\n',
    }
    const run = async (command: string): Promise<string | null> => {
      asked.push(command)
      return answers[command] ?? null
    }
    const gpus = { read: () => [], processes: () => null }
    const linux = await readConditions(systemConditions('linux', run, supplies(battery('Discharging'))), gpus, () => false)
    expect(linux).toMatchObject({ onBattery: true, metered: true, idleMs: 0, locked: true })
    const mac = await readConditions(systemConditions('darwin', run), gpus, () => false)
    expect(mac).toMatchObject({ onBattery: true, metered: null, idleMs: 1, locked: null })
    expect(asked.sort()).toEqual(['ioreg', 'loginctl', 'nmcli', 'pmset'])
  })
})
