import { expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Closers } from './closers.ts'

it('a start that is given up returns when all that was waited for has ended', async () => {
  const closers = new Closers(silentLogger)
  const stop = new AbortController()
  const ending = Promise.withResolvers<void>()
  const ended: string[] = []
  const start = closers.during(stop.signal, async () => {
    closers.addWaitedFor(() => ending.promise.then(() => ended.push('network')))
    closers.add(() => ended.push('folder'))
    stop.abort()
    throw new Error('given up')
  })
  const returned = start.catch(() => ended.push('returned'))
  await expect.poll(() => ended).toEqual(['folder'])
  await new Promise((resolve) => setImmediate(resolve))
  ending.resolve()
  await returned
  expect(ended).toEqual(['folder', 'network', 'returned'])
})
