import { expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { securePort } from '../proxy/ports.ts'
import { openDialer } from './dialer.ts'

async function port(): Promise<number> {
  const place = { host: '127.0.0.1', port: 0, difficulty: 1, logger: silentLogger }
  const opened = await securePort({ ...place, policy: { kind: 'any' } })(
    ({ connection }) => void connection.start({}).catch(() => undefined),
  )
  onTestFinished(() => opened.close())
  return opened.port
}

it('shows no certificate of the future after the clock was put back: peers would refuse it until the clock has caught up', async () => {
  const dial = openDialer(childEntries(import.meta.url).powThread)
  const reach = async (): Promise<void> => {
    const connection = await dial({ host: '127.0.0.1', port: await port() }, AbortSignal.timeout(20_000))
    await connection.start({})
    connection.close()
  }
  await reach()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 86_400_000 })
  onTestFinished(() => void vi.useRealTimers())
  await expect(reach()).resolves.toBeUndefined()
})
