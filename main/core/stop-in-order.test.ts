import { afterEach, expect, it, vi } from 'vitest'
import { createLogger, silentLogger } from '../base/logger.ts'
import { stopInOrder } from './stop-in-order.ts'

afterEach(() => vi.useRealTimers())

it('ends one stage after the other, and the parts of a stage at once', async () => {
  const order: string[] = []
  const part = (name: string, gone = Promise.resolve()) => {
    return async () => {
      order.push(`${name} asked`)
      await gone
      order.push(`${name} gone`)
    }
  }
  const held = Promise.withResolvers<void>()
  const stopped = stopInOrder(silentLogger, [{ a: part('a', held.promise), b: part('b') }, { c: part('c') }])
  await expect.poll(() => order).toEqual(['a asked', 'b asked', 'b gone'])
  held.resolve()
  await stopped
  expect(order.slice(3)).toEqual(['a gone', 'c asked', 'c gone'])
})

it.each([
  [
    'throws',
    () => {
      throw new Error('the disk is gone')
    },
  ],
  ['rejects', () => Promise.reject(new Error('the disk is gone'))],
])('ends the others when a part %s, and says which one it was', async (_, broken) => {
  const lines: string[] = []
  const lock = vi.fn()
  const logger = createLogger((line) => void lines.push(line))
  await expect(stopInOrder(logger, [{ books: broken }, { lock }])).rejects.toMatchObject({
    message: expect.stringContaining('books'),
  })
  expect(lock).toHaveBeenCalledOnce()
  expect(lines.join('\n')).toContain('part=books reason=the disk is gone')
})

it('tells what it waits for', async () => {
  vi.useFakeTimers()
  const lines: string[] = []
  const logger = createLogger((line) => void lines.push(line))
  const held = Promise.withResolvers<void>()
  const stopped = stopInOrder(logger, [{ engine: () => held.promise, network: async () => undefined }])
  await vi.advanceTimersByTimeAsync(5000)
  expect(lines.join('\n')).toContain('parts=engine')
  held.resolve()
  await stopped
})
