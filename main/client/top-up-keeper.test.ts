import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { PaidNetwork } from '../core/testing/paid-network.ts'
import { TopUpKeeper } from './top-up-keeper.ts'

describe('the keeper of a balance', () => {
  let net: PaidNetwork
  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount()
    await net.workerReady()
    await net.client.stop()
    // As on a real network, the chain is looked at seldom: what happens in between is known only from the proxy.
    net.client = net.newClient({ paymentStatusMs: [600_000, 600_000] })
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(20_000))
  })
  afterAll(() => net.stop())

  const onChain = async (): Promise<bigint> => (await net.client.accounts.read(net.clientContract()))?.balance ?? 0n

  it('tops up once for what is missing, however often the proxy tells new totals meanwhile', async () => {
    const keeper = new TopUpKeeper(net.client, silentLogger, { amount: toNano('1'), lowMark: toNano('5') })
    for (let asked = 0; asked < 5; asked += 1) await net.answer('hi')
    await expect.poll(onChain, { timeout: 20_000 }).toBe(toNano('6'))
    for (let asked = 0; asked < 5; asked += 1) await net.answer('hi')
    await expect.poll(() => net.connection()?.balance, { timeout: 20_000 }).toBe(toNano('6'))
    keeper.stop()
    // Longer than a top-up takes.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await onChain()).toBe(toNano('6'))
  })
})
