import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Signal } from '../base/signal.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { watchSealable } from './watch-sealable.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A network whose client answers at once with what `told` holds; times of the questions, ms from the start. */
function scene() {
  const told: SealedWorker[] = []
  const asked: number[] = []
  const startedMs = Date.now()
  const connections = [{ phase: 'ready' }]
  const sealableWorkers = async () => {
    asked.push(Date.now() - startedMs)
    return [...told]
  }
  const client = { state: new Signal({ connections }), sealableWorkers }
  const heard: number[] = []
  const stop = new AbortController()
  const live = new Signal({ client }) as unknown as Parameters<typeof watchSealable>[0]
  watchSealable(live, new Signal('a model'), (workers) => heard.push(workers.length), stop.signal)
  return { told, connections, asked, heard, stop: () => stop.abort() }
}

it('asks each second at first, and seldom once nobody has come for a while', async () => {
  const { asked, heard, told, stop } = scene()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(asked.slice(0, 5)).toEqual([0, 1_000, 2_000, 3_000, 4_000])
  expect(asked.length).toBeLessThan(35)
  const before = asked.length
  told.push({} as SealedWorker)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked.length).toBe(before + 1)
  expect(heard.at(-1)).toBe(1)
  // One that goes may come back soon.
  told.pop()
  await vi.advanceTimersByTimeAsync(15_000)
  expect(asked.length).toBeGreaterThan(before + 5)
  stop()
})

it('asks nobody without a connection, and soon again once there is one', async () => {
  const { asked, connections, stop } = scene()
  await vi.advanceTimersByTimeAsync(100_000)
  connections.pop()
  await vi.advanceTimersByTimeAsync(60_000)
  const before = asked.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked.length).toBe(before)
  connections.push({ phase: 'ready' })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(asked.length).toBeGreaterThanOrEqual(before + 5)
  stop()
})
