import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { keys, PaidNetwork } from '../core/testing/paid-network.ts'
import { orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'

describe('"Settle now" after the terms of the network have changed', () => {
  let net: PaidNetwork
  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount()
    await net.workerReady()
  })
  afterAll(() => net.stop())

  it('pays out what is signed on every contract, exactly as much as it had said', async () => {
    await net.answer('hi')
    await net.signedBeyond(0n)
    const { network, chain, worker } = net
    const [former] = worker.contracts()
    const owner = new W5Wallet(chain, keys.networkOwner)
    // A proxy that knows the former contracts pays them itself.
    await net.proxy.stop()
    net.forgetProxy()
    const wish = { op: 'changePrice', pricePerToken: 200_000n, workerFeePerToken: 100_000n } as const
    await carryOut(chain, owner, [orderToRoot(await net.root.refresh(), wish, 'Change the price')])
    owner.close()
    await net.root.refresh()
    net.proxy = net.makeProxy({ acceptLostDatabase: true })
    await net.proxy.start()
    await net.openAccount()
    const present = () => worker.contracts().find(({ contract }) => former && !contract.equals(former.contract))
    await expect
      .poll(() => worker.state.value.connections[0]?.workerContract?.equals(present()?.contract ?? network.root))
      .toBe(true)
    await net.workerReady()
    await net.answer('hi')
    await expect.poll(() => present()?.signedTokens).toBe(52n)
    await expect
      .poll(() => worker.state.value)
      .toMatchObject({
        unpaidTokens: 104n,
        unpaid: 52n * 150_000n + 52n * 100_000n,
        unpaidContracts: 2,
      })

    // One that fails does not keep the other from being paid, and the failure says so.
    net.beforeSend = async () => {
      net.beforeSend = undefined
      throw new Failure('send-refused', 'The wallet refused the message.', { money: 'Nothing was sent.' })
    }
    const money = expect.stringMatching(/^The other payouts went through: 0\.0052\sTON\.$/)
    await expect(worker.settleAll()).rejects.toMatchObject({ code: 'send-refused', money })
    expect(worker.state.value).toMatchObject({ unpaidTokens: 52n, unpaidContracts: 1 })
    await worker.settleAll()
    expect(worker.state.value).toMatchObject({ unpaidTokens: 0n, unpaid: 0n, unpaidContracts: 0 })
    const received = net.workerEvents.flatMap((event) => (event.type === 'payout' ? [event.payout.ownerReceived ?? 0n] : []))
    expect(received.reduce((sum, one) => sum + one)).toBe(52n * 150_000n + 52n * 100_000n)
    await expect(worker.settleAll()).rejects.toMatchObject({ code: 'nothing-to-settle' })
  })
})
