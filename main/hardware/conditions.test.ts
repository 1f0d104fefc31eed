import { describe, expect, it } from 'vitest'
import { runOnce } from './apple-watch.ts'
import { readConditions } from './conditions.ts'
import { type GpuProcess, unknownReading } from './gpu-reading.ts'
import { systemConditions } from './system-conditions.ts'

// All fixtures here are written by hand.

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
    expect(await readConditions(systemConditions('freebsd'), gpus, () => false)).toEqual(nothing)
  })
})

describe('runOnce', () => {
  it.runIf(process.platform !== 'win32')('asks tools for answers in no language of the user', async () => {
    expect(await runOnce('sh', ['-c', 'printf %s "$LC_ALL"'])).toBe('C')
  })
})
