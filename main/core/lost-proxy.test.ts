import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keySigner, signedBoc, signMessage } from '../../contracts/signed.ts'
import { testKey } from '../localnet/testing.ts'
import type { KeptWord } from '../proxy/kept-words.ts'
import { PaidNetwork } from './testing/paid-network.ts'

describe('a proxy that lost its database', () => {
  let net: PaidNetwork
  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount()
    await net.workerReady()
  })
  afterAll(() => net.stop())

  it('keeps what was signed also with a proxy that lost everything: on chain it is paid, and the proxy learns it there', async () => {
    await net.answer('hi')
    const signed = await net.signedBeyond(await net.paidTokens())
    const record = () => net.client.accounts.list(net.network.root)[0] ?? expect.unreachable('no account')
    await expect.poll(() => record().signedTokens).toBe(net.proxy.account('client', net.network.user)?.max)
    const before = { ...record(), pending: net.connection()?.pendingCharge }
    await Promise.all([net.client.stop(), net.worker.stop()])
    await net.proxy.stop()
    net.forgetProxy()
    net.proxy = net.makeProxy({ acceptLostDatabase: true })
    await net.proxy.start()
    expect(net.proxy.account('worker', net.network.user)?.max ?? 0n).toBe(0n)

    // The client has no duty to tell, but it does not forget: what it used stays pending.
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
    expect(record()).toMatchObject({ signedTokens: before.signedTokens, maxTokens: before.maxTokens })
    expect(net.connection()).toMatchObject({
      used: before.maxTokens * before.params.pricePerToken,
      pendingCharge: before.pending,
    })
    expect(net.clientEvents.findLast((event) => event.type === 'deviation')).toMatchObject({ deviation: { kind: 'total-fell' } })
    // The worker does not serve a proxy that knows less than it signed, and takes its money with the signature it holds.
    net.worker.start()
    await expect.poll(() => net.worker.state.value.connections[0]?.failure).toMatch(/signed \d+ tokens after/)
    expect(await net.worker.settle()).toMatchObject({ state: 'settled' })
    await expect.poll(() => net.worker.state.value.connections[0]?.phase).toBe('ready')
    expect(net.proxy.account('worker', net.network.user)).toMatchObject({ max: signed, settled: signed })
    // So does a charge by the client's copy.
    await net.client.accounts.charge(record().contract)
    await expect.poll(() => net.proxy.account('client', net.network.user)?.max).toBe(before.signedTokens)
    expect((await net.answer('hi')).text).toBe('Hello from fake AI')
  })

  it('loses nothing with the database of the proxy, as far as the books of client and worker hold its word', async () => {
    const paid = await net.paidTokens()
    await net.answer('hi')
    await net.signedBeyond(paid)
    // Counted and perhaps not signed yet when everything ends.
    await net.answer('hi')
    await expect.poll(() => net.worker.contracts()[0]?.maxTokens).toBe(net.proxy.account('worker', net.network.user)?.max)
    await expect
      .poll(() => net.client.accounts.list(net.network.root)[0]?.maxTokens)
      .toBe(net.proxy.account('client', net.network.user)?.max)
    await Promise.all([net.client.stop(), net.worker.stop()])
    const { max = 0n } = net.proxy.account('worker', net.network.user) ?? {}
    await net.proxy.stop()
    net.forgetProxy()

    const [ofWorker] = net.worker.contracts()
    const [ofClient] = net.client.accounts.list(net.network.root)
    if (!ofWorker || !ofClient) throw new Error('no books')
    const owner = net.network.user
    const words: KeptWord[] = [
      { ...ofWorker, kind: 'worker', owner, toldTokens: ofWorker.maxTokens },
      { ...ofClient, kind: 'client', owner, toldTokens: ofClient.maxTokens },
    ]
    const stranger = net.network.networkOwner
    const payload = { kind: 'worker-payout', queryId: 9n, contract: ofWorker.contract, tokens: max * 10n } as const
    const byOther = signedBoc(signMessage(payload, owner, keySigner(testKey(99).secretKey)))
    const forged: KeptWord[] = [
      { ...ofWorker, kind: 'worker', owner, signedBoc: byOther, toldTokens: 0n },
      // Another contract's payment, one of the wrong kind, and none at all: no word of this proxy for these accounts.
      { ...ofWorker, kind: 'worker', owner: stranger, toldTokens: max * 10n },
      { ...ofWorker, kind: 'worker', owner, signedBoc: ofClient.signedBoc, toldTokens: 0n },
      { ...ofWorker, kind: 'worker', owner, signedBoc: new Uint8Array([1, 2, 3]), toldTokens: 1n << 63n },
    ]
    net.proxy = net.makeProxy({ acceptLostDatabase: true, keptWords: [...forged, ...words] })
    await net.proxy.start()
    expect(net.proxy.account('worker', owner)).toMatchObject({ max, db: max, chain: ofWorker.signedTokens })
    expect(net.proxy.account('client', owner)).toMatchObject({ max: ofClient.maxTokens, chain: ofClient.signedTokens })
    expect(net.proxy.account('worker', stranger)).toBeUndefined()

    const deviations = () => net.clientEvents.filter((event) => event.type === 'deviation')
    const before = deviations().length
    net.worker.start()
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
    await expect.poll(() => net.worker.state.value.connections[0]?.phase).toBe('ready')
    expect((await net.answer('hi')).end.tokens?.total).toBe(52n)
    await expect.poll(() => net.proxy.account('client', owner)?.max).toBe(ofClient.maxTokens + 52n)
    expect(deviations()).toHaveLength(before)

    // The worker is paid for all of it, once.
    const signed = await net.signedBeyond(max)
    expect(signed).toBe(max + 52n)
    const payout = await net.worker.settle()
    expect(payout).toMatchObject({ state: 'settled', ownerReceived: (signed - paid) * 150_000n })
    // And the client owes all of it, once: another start with the same words changes nothing.
    await Promise.all([net.client.stop(), net.worker.stop()])
    await net.proxy.stop()
    net.proxy = net.makeProxy({ acceptLostDatabase: true, keptWords: words })
    await net.proxy.start()
    expect(net.proxy.account('client', owner)).toMatchObject({ max: ofClient.maxTokens + 52n, chain: ofClient.maxTokens + 52n })
    expect(net.proxy.account('worker', owner)).toMatchObject({ max: signed, chain: signed, settled: signed })
    net.worker.start()
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
  })
})
