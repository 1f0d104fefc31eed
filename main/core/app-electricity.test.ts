import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { EarnState } from '../../preload/api/earn.ts'
import { defaultLimits } from '../../preload/api/limits.ts'
import { Feed } from '../base/feed.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { openLedger } from '../earnings/ledger.ts'
import { earningsMigrations } from '../earnings/ledger-tables.ts'
import { noMemory, pauseOf } from '../earnings/pause-rule.ts'
import { type GpuProcess, type GpuReading, unknownReading } from '../hardware/gpu-reading.ts'
import type { EngineState } from '../inference/engine.ts'
import { openDatabase } from '../storage/database.ts'
import { openSettings } from '../storage/settings.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
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
  const workerEvents = new Feed<WorkerEvent>()
  workerEvents.on((event) => ledger.record(event))
  let [asked, total] = [0, 0n]
  let programs: GpuProcess[] = []
  let readings = [reading({}), reading({ name: 'Intel UHD Graphics', vendor: 'intel', pciId: '00:02.0', powerW: null })]
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  const open = () =>
    openAppElectricity({
      ...{ database, ledger, external, settings, logger },
      engine: { state },
      network: { worker: new Signal<Pick<Worker, 'state'> | null>({ state: workerState }), workerEvents, chainKind },
      gpus: () => ({ read: () => readings, processes: () => programs, close: () => undefined }),
      clock: () => Date.now(),
    })
  const electricity = open()
  onTestFinished(() => {
    database.close()
    rmSync(folder, { recursive: true })
  })
  const card = (powerW: number, utilisationPercent: number): void => {
    readings = readings.map((one) => (one.vendor === 'nvidia' ? { ...one, powerW, utilisationPercent } : one))
  }
  const running = (change: number): void => workerState.set({ ...workerState.value, running: workerState.value.running + change })
  /** Begins a request, and tells its end and what the proxy counts for it, in the order in which the worker does. */
  const begin = (powerW: number) => {
    const requestId = `r${++asked}`
    const startedAtMs = Date.now()
    let counted = 0n
    card(powerW, 95)
    running(1)
    workerEvents.emit({ type: 'started', requestId, proxy: 'P', workerContract: 'W', model: 'm', startedAtMs })
    return {
      end: (nano: bigint): void => {
        counted = nano
        running(-1)
        const counts = { promptTokens: 9, cachedTokens: 0, completionTokens: 9, reasoningTokens: 0, adjustedTokens: nano }
        const end = { bytesReceived: 1, bytesSent: 1, tookMs: Date.now() - startedAtMs, finishedAtMs: Date.now() }
        workerEvents.emit({ type: 'finished', requestId, result: nano > 0n ? 'answered' : 'failed', ...counts, ...end })
        if (workerState.value.running === 0) card(20, 0)
      },
      count: (): void => {
        total += counted
        const tokens = { requestTokens: counted, maxTokens: total, workerFeePerToken: 1n }
        workerEvents.emit({ type: 'counted', requestId, workerContract: 'W', ...tokens })
      },
    }
  }
  return {
    ...{ electricity, open, state, external, settings },
    programs: (next: GpuProcess[]) => {
      programs = next
    },
    readings: (next: GpuReading[]) => {
      readings = next
    },
    begin,
    /** A look of the clock each second. @param nano what the proxy counts for it, two seconds after its end */
    answer: async (ms: number, powerW: number, nano = 0n, eachSecond: () => void = () => undefined) => {
      const pass = async (passMs: number): Promise<void> => {
        for (let left = passMs; left > 0; left -= 1_000) {
          await vi.advanceTimersByTimeAsync(Math.min(left, 1_000))
          eachSecond()
        }
      }
      const request = begin(powerW)
      await pass(ms)
      request.end(nano)
      if (nano === 0n) return
      await pass(2_000)
      request.count()
    },
  }
}

const quiet = (): Promise<unknown> => vi.advanceTimersByTimeAsync(15_000)
const ton = 1_000_000_000n
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

  it('is above a rest that was seen while no other program computed on the card, and no model was being loaded', async () => {
    const { electricity, programs, state, answer } = scene()
    const trainer = { pid: 9, name: 'trainer', pciId: '01:00.0', draws: false, utilisationPercent: 3, memoryBytes: null }
    programs([trainer])
    await quiet()
    expect(electricity.source).toBe('rest')
    programs([{ ...trainer, name: 'Xorg' }])
    state.set({ status: 'loading', model: 'm', progress: 0.5 })
    await quiet()
    state.set(onCard)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(electricity.source).toBe('rest')
    await quiet()
    expect(electricity.source).toBe('cards')
    await answer(10_000, 220)
    expect(electricity.since(0).measuredMs).toBe(10_000)
    electricity.close()
  })

  it('is measured after a restart too on a card that is never quiet any more', async () => {
    const { electricity, open, readings, begin } = scene()
    await quiet()
    electricity.close()
    readings([reading({ powerW: 70, utilisationPercent: 30 })])
    const again = open()
    expect(again.source).toBe('cards')
    const request = begin(220)
    await vi.advanceTimersByTimeAsync(10_000)
    request.end(0n)
    expect(again.since(0)).toMatchObject({ measuredMs: 10_000, restJ: expect.closeTo(200) })
    // Another card in its place is another one.
    readings([reading({ name: 'NVIDIA GeForce RTX 5090', utilisationPercent: 30 })])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(again.source).toBe('rest')
    again.close()
  })

  it('is not known of the processor, of another computer, and of cards that do not tell', async () => {
    const { electricity, answer, begin, state, external, readings } = scene()
    await quiet()
    expect(electricity.source).toBe('cards')
    state.set({ ...onCard, backend: 'cpu' })
    await answer(2_000, 20)
    external.set({ isLoopback: false })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(electricity.source).toBe('elsewhere')
    // Another program on this computer may use each card: one of them does not tell, and the other rests.
    external.set({ isLoopback: true })
    state.set(onCard)
    await vi.advanceTimersByTimeAsync(1_000)
    const unseen = begin(200)
    readings([
      reading({ powerW: null, utilisationPercent: null }),
      reading({ name: 'Intel UHD Graphics', vendor: 'intel', powerW: null }),
    ])
    await vi.advanceTimersByTimeAsync(1_000)
    unseen.end(0n)
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
    const { electricity, answer } = scene('mainnet')
    await quiet()
    await answer(3_600_000, 920, ton)
    const net = (): number | undefined => electricity.lastHours().balance?.netMicros
    expect(electricity.lastHours()).toEqual({ pauses: false, balance: null, currency: null })
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    expect(electricity.lastHours()).toEqual({ pauses: true, balance: null, currency: 'USD' })
    // 900 W above rest for an hour are 1 kWh from the socket: 17 cents.
    electricity.set({ tonMicros: 100_000 })
    expect(net()).toBeCloseTo(-70_000, -2)
    electricity.set({ tonMicros: 300_000 })
    expect(net()).toBeCloseTo(130_000, -2)
    electricity.set({ pauseWhenNotPaying: false })
    expect(net()).toBeUndefined()
    electricity.set({ pauseWhenNotPaying: true })
    await vi.advanceTimersByTimeAsync(4 * 3_600_000)
    expect(net()).toBe(0)
    electricity.close()
  })

  it('are judged by what was measured of them', async () => {
    const { electricity, answer, state } = scene()
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    await quiet()
    await answer(60_000, 300)
    expect(electricity.lastHours().balance?.netMicros).toBeLessThan(0)
    state.set({ ...onCard, backend: 'cpu' })
    await answer(1_500, 20)
    expect(electricity.lastHours().balance).toMatchObject({ measuredMs: 60_000, netMicros: expect.toSatisfy((net) => net < 0) })
    electricity.close()
  })

  it('do not pause at any second while each answer pays, however long it runs and wherever it begins', async () => {
    const { electricity, answer } = scene('mainnet')
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    electricity.set({ tonMicros: 1_000_000 })
    await quiet()
    const limits = { ...defaultLimits, whenNotPaying: true, schedule: null }
    let [memory, judged, worst] = [noMemory, 0, 0]
    const judge = (): void => {
      const { balance: lastHours } = electricity.lastHours()
      const nothing = { gpuTemperatureC: null, gpuPrograms: null, idleMs: null, locked: null, onBattery: null, metered: null }
      const pause = pauseOf({ ...nothing, lastHours }, limits, memory, new Date())
      memory = pause.memory
      if (lastHours === null) return
      expect(pause.reasons, new Date().toISOString()).toEqual([])
      if (lastHours.measuredMs > 0) judged++
      worst = Math.min(worst, lastHours.netMicros)
    }
    // 900 W above rest for 40 minutes cost 11.4 cents, and each answer earns 11.5: over the quarter's edges, and out of the 3 hours one after the other.
    for (let n = 0; n < 6; n++) {
      await vi.advanceTimersByTimeAsync(11 * 60_000)
      await answer(40 * 60_000, 920, 115_000_000n, judge)
    }
    expect(judged).toBeGreaterThan(5 * 40 * 60)
    expect(worst).toBe(0)
    electricity.close()
  })

  it('pause when half an hour of answers is not paid, and not after one that was not', async () => {
    const { electricity, answer } = scene('mainnet')
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    electricity.set({ tonMicros: 1_000_000 })
    await quiet()
    const pauses = (): boolean => {
      const { balance: lastHours } = electricity.lastHours()
      const nothing = { gpuTemperatureC: null, gpuPrograms: null, idleMs: null, locked: null, onBattery: null, metered: null }
      return (
        pauseOf({ ...nothing, lastHours }, { ...defaultLimits, whenNotPaying: true }, noMemory, new Date()).reasons.length > 0
      )
    }
    await answer(2_000, 920)
    expect(electricity.lastHours().balance).toMatchObject({ measuredMs: 2_000, netMicros: expect.toSatisfy((net) => net < 0) })
    expect(pauses()).toBe(false)
    await answer(31 * 60_000, 920)
    expect(pauses()).toBe(true)
    electricity.close()
  })

  it('share the power of requests that run at once, each booked where its money is', async () => {
    const { electricity, begin } = scene('mainnet')
    electricity.set({ power: usd, pauseWhenNotPaying: true })
    electricity.set({ tonMicros: 1_000_000 })
    await quiet()
    const long = begin(220)
    await vi.advanceTimersByTimeAsync(16 * 60_000)
    const quarter = Date.UTC(2026, 10, 25, 12, 15)
    const short = begin(220)
    await vi.advanceTimersByTimeAsync(60_000)
    short.end(1_000n)
    await vi.advanceTimersByTimeAsync(2_000)
    short.count()
    // What runs on is not judged yet, and shown all the same.
    expect(electricity.lastHours().balance?.measuredMs).toBe(30_000)
    expect([electricity.since(quarter).servingMs, electricity.since(0).servingMs]).toEqual([30_000, 16 * 60_000 + 62_000])
    long.end(1_000n)
    long.count()
    expect(electricity.lastHours().balance?.measuredMs).toBe(16 * 60_000 + 62_000)
    expect(electricity.since(quarter).servingMs).toBe(30_000)
    electricity.close()
  })
})
