import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConditionWatch } from './condition-watch.ts'
import type { ConditionSources } from './conditions.ts'
import { type GpuProcess, type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'

// All sources here are written by hand.

const game: GpuProcess = { pid: 9, name: 'game', pciId: null, draws: true, utilisationPercent: 90, memoryBytes: null }
let watch: ConditionWatch | undefined

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  watch?.close()
  vi.useRealTimers()
})

function scene(sources: Partial<ConditionSources> = {}) {
  const now: { processes: GpuProcess[] | null; reading: GpuReading[]; closed: boolean } = {
    ...{ processes: null, reading: [], closed: false },
  }
  const gpus: GpuWatch = {
    read: () => now.reading,
    processes: () => now.processes,
    close: () => {
      now.closed = true
    },
  }
  const asked = { battery: 0, metered: 0 }
  const all: ConditionSources = {
    onBattery: () => {
      asked.battery++
      return false
    },
    metered: async () => {
      asked.metered++
      return null
    },
    session: async () => ({ idleMs: 7, locked: false }),
    ...sources,
  }
  watch = new ConditionWatch({ sources: all, gpus, isOurs: (pid) => pid === 1, fastMs: 500, slowMs: 10_000 })
  return { now, asked, watch, state: watch.state }
}

describe('ConditionWatch', () => {
  it('says what is known, and nothing of what is not', async () => {
    const { state } = scene()
    await vi.advanceTimersByTimeAsync(500)
    expect(state.value).toEqual({
      ...{ gpuTemperatureC: null, gpuPrograms: null, idleMs: 7, locked: false, onBattery: false, metered: null },
    })
  })

  it('sees a game at its next look at the cards, without asking the system more often, and tells only what is new', async () => {
    const { now, asked, state } = scene()
    await vi.advanceTimersByTimeAsync(1_000)
    const seen: unknown[] = []
    state.onChange(({ gpuPrograms }) => seen.push(gpuPrograms?.map(({ name }) => name)))
    now.processes = [game, { ...game, pid: 1, name: 'us' }]
    await vi.advanceTimersByTimeAsync(500)
    expect(seen).toEqual([['game']])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(seen).toHaveLength(1)
    expect(asked).toEqual({ battery: 1, metered: 1 })
    now.reading = [{ ...unknownReading, name: 'card', vendor: 'nvidia', temperatureC: 81 }]
    await vi.advanceTimersByTimeAsync(500)
    expect(state.value.gpuTemperatureC).toBe(81)
  })

  it('asks a source that says nothing, or fails, less often; and takes its word when it has one', async () => {
    let onBattery: boolean | null = null
    const session = vi.fn(() => Promise.reject(new Error('no bus')))
    const { asked, state } = scene({ onBattery: () => onBattery, session })
    await vi.advanceTimersByTimeAsync(59_000)
    expect([asked.metered, session.mock.calls.length]).toEqual([1, 1])
    expect(state.value).toMatchObject({ idleMs: null, locked: null, onBattery: null })
    onBattery = true
    await vi.advanceTimersByTimeAsync(2_000)
    expect(state.value.onBattery).toBe(true)
    onBattery = false
    await vi.advanceTimersByTimeAsync(10_000)
    expect(state.value.onBattery).toBe(false)
  })

  it('asks nothing after it was closed, and closes the watch of the cards and what the sources keep', async () => {
    const close = vi.fn()
    const { now, asked, watch, state } = scene({ close })
    await vi.advanceTimersByTimeAsync(500)
    watch.close()
    now.processes = [game]
    await vi.advanceTimersByTimeAsync(120_000)
    expect([asked.battery, now.closed, state.value.gpuPrograms]).toEqual([1, true, null])
    expect(close).toHaveBeenCalledOnce()
  })
})
