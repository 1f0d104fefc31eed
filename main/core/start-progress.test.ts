import { describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { StartProgress } from './start-progress.ts'

const damaged = new Failure('database-corrupt', 'client.db is damaged.', { advice: 'Start again.' })
const fail = (): never => {
  throw damaged
}

describe('progress of the start', () => {
  const partOf = (progress: StartProgress, id: string) => progress.state.value.parts.find((part) => part.id === id)

  it('shows what failed together with what to do, and throws it on', async () => {
    const progress = new StartProgress(silentLogger)
    await expect(progress.run('proxy', async () => fail())).rejects.toBe(damaged)
    expect(partOf(progress, 'proxy')).toMatchObject({ state: 'failed', detail: 'client.db is damaged. Start again.' })
  })

  it('names a full disk beside its parts, as long as it is full', () => {
    const progress = new StartProgress(silentLogger)
    progress.setDisk({ full: true, folder: '/data', sinceMs: 5 })
    progress.set('proxy', 'failed', 'no room')
    expect(progress.state.value).toMatchObject({ diskFull: { folder: '/data', sinceMs: 5 } })
    expect(partOf(progress, 'proxy')).toMatchObject({ state: 'failed' })
    progress.setDisk({ full: false })
    expect(progress.state.value).not.toHaveProperty('diskFull')
    expect(partOf(progress, 'proxy')).toMatchObject({ state: 'failed' })
  })

  it('a piece of a part fails the part, and does not make it ready', () => {
    const progress = new StartProgress(silentLogger)
    expect(progress.piece('client', () => 5)).toBe(5)
    expect(partOf(progress, 'client')).toMatchObject({ state: 'waiting' })
    expect(() => progress.piece('client', fail)).toThrow(damaged)
    expect(partOf(progress, 'client')).toMatchObject({ state: 'failed', detail: 'client.db is damaged. Start again.' })
  })
})
