import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { EarnState } from '../../preload/api/earn.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { openLedger } from '../earnings/ledger.ts'
import { earningsMigrations } from '../earnings/ledger-tables.ts'
import { type GpuReading, unknownReading } from '../hardware/gpu-reading.ts'
import type { EngineState } from '../inference/engine.ts'
import { openDatabase } from '../storage/database.ts'
import { openSettings } from '../storage/settings.ts'
import type { Worker } from '../worker/worker.ts'
import { openAppElectricity } from './app-electricity.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 10, 25, 12) }))
afterEach(() => void vi.useRealTimers())

const reading = (part: Partial<GpuReading>): GpuReading => ({
  ...{
    ...unknownReading,
    name: 'NVIDIA GeForce RTX 4080',
    vendor: 'nvidia',
    pciId: '01:00.0',
    powerW: 20,
    utilisationPercent: 0,
  },
  ...part,
})
const onCard: EngineState = {
  ...{ status: 'ready', model: 'm', contextTokens: 1, backend: 'vulkan', devices: ['NVIDIA GeForce RTX 4080 (proprietary)'] },
}

function scene(chainKind: EarnState['network'] = 'local') {
  const folder = mkdtempSync(join(tmpdir(), 'app-electricity-'))
  const database = openDatabase(join(folder, 'earnings.db'), earningsMigrations, { logger })
  const workerState = new Signal({ running: 0 } as Worker['state']['value'])
  const state = new Signal<EngineState>(onCard)
  const external = new Signal<{ isLoopback: boolean } | null>(null)
  const ledger = openLedger(database)
  let readings = [reading({}), reading({ name: 'Intel UHD Graphics', vendor: 'intel', pciId: '00:02.0', powerW: null })]
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  const electricity = openAppElectricity({
    ...{ database, ledger, external, settings, logger },
    engine: { state },
    network: { worker: new Signal<Pick<Worker, 'state'> | null>({ state: workerState }), chainKind },
    gpus: () => ({ read: () => readings, processes: () => null, close: () => undefined }),
    clock: () => Date.now(),
  })
  onTestFinished(() => {
    database.close()
    rmSync(folder, { recursive: true })
  })
  return {
    ...{ electricity, state, external, settings, ledger },
    readings: (next: GpuReading[]) => {
      readings = next
    },
    answer: async (ms: number, powerW: number) => {
      readings = readings.map((one) => (one.vendor === 'nvidia' ? { ...one, powerW, utilisationPercent: 95 } : one))
      workerState.set({ ...workerState.value, running: 1 })
      await vi.advanceTimersByTimeAsync(ms)
      workerState.set({ ...workerState.value, running: 0 })
      readings = readings.map((one) => (one.vendor === 'nvidia' ? { ...one, powerW: 20, utilisationPercent: 0 } : one))
    },
    /** 1 TON told by the proxy. */
    earn: () => {
      ledger.record({ type: 'started', requestId: 'a', proxy: 'P', workerContract: 'W', model: 'm', startedAtMs: Date.now() })
      const counted = { requestTokens: 1_000n, maxTokens: 1_000n, workerFeePerToken: 1_000_000n }
      ledger.record({ type: 'counted', requestId: 'a', workerContract: 'W', ...counted })
    },
  }
}

const quiet = (): Promise<unknown> => vi.advanceTimersByTimeAsync(15_000)
const usd = { currency: 'USD', perKwhMicros: 170_000 } as const

describe('what answering takes', () => {
  it('is what the card that the engine uses draws above rest, from the begin of an answer to its end', async () => {
    const { electricity, answer } = scene()
    await quiet()
    await answer(60_300, 220)
    expect(electricity.since(0)).toEqual({
      servingMs: 60_300,
      measuredMs: 60_300,
      drawnJ: expect.closeTo(60.3 * 220),
      restJ: expect.closeTo(60.3 * 20),
    })
    await quiet()
    expect(electricity.since(0).servingMs).toBe(60_300)
    electricity.close()
  })

  it('is not known of the processor, of another computer, and of cards that do not tell', async () => {
    const { electricity, answer, state, external, readings } = scene()
    await quiet()
    expect(electricity.source).toBe('cards')
    state.set({ ...onCard, backend: 'cpu' })
    await answer(2_000, 20)
    external.set({ isLoopback: false })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(electricity.source).toBe('elsewhere')
    // Another program on this computer may use each card, and one of them does not tell.
    external.set({ isLoopback: true })
    await answer(1_000, 200)
    expect([electricity.source, electricity.since(0)]).toEqual([
      'silent',
      { servingMs: 3_000, measuredMs: 0, drawnJ: 0, restJ: 0 },
    ])
    readings([reading({})])
    await answer(1_000, 200)
    expect(electricity.since(0)).toMatchObject({ servingMs: 4_000, measuredMs: 1_000 })
    electricity.close()
  })
})

describe('prices', () => {
  it('are none until they are told, kept, and forgotten with their currency', () => {
    const { electricity, settings } = scene()
    expect(settings.value.prices).toBeUndefined()
    electricity.set({ power: usd })
    expect(electricity.set({ tonMicros: 1_580_000 })).toEqual({
      ...{ power: usd, ton: { micros: 1_580_000, statedAtMs: Date.now() }, pauseWhenNotPaying: false },
    })
    expect(electricity.set({ power: { ...usd, perKwhMicros: 200_000 } }).ton).not.toBeNull()
    expect(electricity.set({ power: { ...usd, currency: 'EUR' } }).ton).toBeNull()
    electricity.set({ tonMicros: 1_400_000 })
    expect(electricity.set({ power: null })).toMatchObject({ power: null, ton: null })
    expect(settings.value.prices).toMatchObject({ power: null })
    electricity.close()
  })
})

describe('the last 3 hours', () => {
  it('are judged only when the owner wants it and both prices are known', async () => {
    const { electricity, answer, earn } = scene('mainnet')
    await quiet()
    earn()
    await answer(3_600_000, 920)
    const net = (): number | null => electricity.lastHours().netMicros
    expect(electricity.lastHours()).toEqual({ pauses: false, netMicros: null, currency: null })
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    expect(electricity.lastHours()).toEqual({ pauses: true, netMicros: null, currency: 'USD' })
    // 900 W above rest for an hour are 1 kWh from the socket: 17 cents.
    electricity.set({ tonMicros: 100_000 })
    expect(net()).toBeCloseTo(-70_000, -2)
    electricity.set({ tonMicros: 300_000 })
    expect(net()).toBeCloseTo(130_000, -2)
    electricity.set({ pauseWhenNotPaying: false })
    expect(net()).toBeNull()
    electricity.set({ pauseWhenNotPaying: true })
    await vi.advanceTimersByTimeAsync(4 * 3_600_000)
    expect(net()).toBe(0)
    electricity.close()
  })

  it('are not known while some of their answers were not measured', async () => {
    const { electricity, answer, state } = scene()
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    await quiet()
    await answer(60_000, 300)
    expect(electricity.lastHours().netMicros).toBeLessThan(0)
    state.set({ ...onCard, backend: 'cpu' })
    await answer(1_500, 20)
    expect(electricity.lastHours().netMicros).toBeNull()
    electricity.close()
  })
})
