import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseClientState } from '../../contracts/client.ts'
import { orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { paidTokens } from '../worker/payout.ts'
import { keys, PaidNetwork } from './testing/paid-network.ts'

const settleMs = 120_000

describe('new terms while everything runs', () => {
  let net: PaidNetwork
  let owner: W5Wallet
  const topUp = 5_000_000_000n
  beforeAll(async () => {
    net = await PaidNetwork.start()
    owner = new W5Wallet(net.chain, keys.networkOwner)
    await net.client.stop()
    net.client = net.newClient({ accountTopUp: topUp })
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
    await net.workerReady()
  })
  afterAll(async () => {
    owner.close()
    await net.stop()
  })

  it('give the client a new account, show nothing of the former one as its own, and what the former contracts paid is learnt', async () => {
    await net.answer('hi')
    await net.signedBeyond(0n)
    const former = { client: net.clientContract(), worker: net.worker.contracts()[0] ?? expect.unreachable('no contract') }
    // Money that the connection told beside a contract that it is not in.
    const untrue: unknown[] = []
    net.client.state.onChange(({ connections: [one] }) => {
      if (one && one.phase !== 'ready' && one.balance !== undefined) untrue.push([one.phase, one.balance])
    })
    // The second one comes while the client may still be opening its account under the first.
    for (const price of [250_000n, 300_000n]) {
      const wish = { op: 'changePrice', pricePerToken: price, workerFeePerToken: 100_000n } as const
      await carryOut(net.chain, owner, [orderToRoot(await net.root.refresh(), wish, 'New price')])
    }
    const present = () => net.client.accounts.list(net.network.root).find(({ params }) => params.pricePerToken === 300_000n)
    const isReady = (): boolean => {
      const { phase, clientContract } = net.connection() ?? {}
      return phase === 'ready' && clientContract !== undefined && present()?.contract.equals(clientContract) === true
    }
    await expect.poll(isReady, { timeout: 90_000 }).toBe(true)
    expect(untrue).toEqual([])
    await expect.poll(() => net.connection()).toMatchObject({ balance: topUp, used: 0n, pendingCharge: 0n })

    const serves = (): boolean => {
      const { phase, workerContract } = net.worker.state.value.connections[0] ?? {}
      const records = net.worker
        .contracts()
        .filter(({ contract }) => workerContract !== undefined && contract.equals(workerContract))
      return phase === 'ready' && records[0]?.paramsVersion === present()?.params.paramsVersion
    }
    await expect.poll(serves).toBe(true)
    const { end } = await net.answer('hi')
    expect(end.cost).toBe(BigInt(end.tokens?.total ?? -1n) * 300_000n)
    await expect.poll(() => net.connection()?.used).toBe(end.cost)

    // The proxy pays its former workers and clients by itself.
    await expect.poll(() => paidTokens(net.chain, former.worker.contract), { timeout: settleMs }).toBe(former.worker.maxTokens)
    const settled = { type: 'settled', workerContract: former.worker.contract.toString(), tokens: former.worker.maxTokens }
    await expect.poll(() => net.workerEvents).toContainEqual(settled)
    const formerAccount = async () => {
      const { data } = await net.chain.account(former.client)
      return data === null ? undefined : parseClientState(data)
    }
    await expect.poll(formerAccount, { timeout: settleMs }).toMatchObject({ state: 'closed', balance: 0n })
    await expect.poll(() => net.client.state.value.returning).toEqual([])
  }, 400_000)
})
