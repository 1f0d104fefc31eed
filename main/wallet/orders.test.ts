import { type Address, beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, newFolder, startChain, testKey } from '../localnet/testing.ts'
import type { Chain } from '../ton/chain.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { carryOut, type Order } from './orders.ts'
import type { Sender } from './sender.ts'
import { W5Wallet, w5Address } from './w5-wallet.ts'

const key = testKey(1)
const owner = w5Address(key.publicKey, 'local')
const folder = newFolder()
const quick = { pollMs: 10, waitMs: 5000 }
let local: LocalChain
let chain: Chain
let wallet: W5Wallet

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('1000') }] })
  chain = local.chain
  wallet = new W5Wallet(chain, key)
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

const seqno = async (): Promise<number> => (await chain.runGetter(owner, 'seqno')).readNumber()
const named = (uniqueId: number) => ({ owner, params: { ...localParams, uniqueId } })

/** A chain that shows the account as it was before, until `looks` looks at its transactions: as on a network whose shards need time. */
function late(address: Address, looks: number): Chain {
  let left = looks
  const hidden = (of: Address): boolean => of.equals(address) && left > 0
  return {
    ...chain,
    transactions: async (of, limit, before) => {
      if (!hidden(of)) return chain.transactions(of, limit, before)
      left -= 1
      return []
    },
    account: async (of) =>
      hidden(of) ? { status: 'uninit', balance: 0n, code: null, data: null, last: null } : chain.account(of),
  }
}

describe('orders', () => {
  it('are followed until their contracts took them', async () => {
    const { address, order } = deployRoot(named(1))
    const gift: Order = {
      title: 'A gift',
      message: { to: bystander(1), value: toNano('1'), body: beginCell().endCell(), bounce: false },
    }
    const taken = await carryOut(late(address, 5), wallet, [order, gift], quick)
    expect(taken.map(({ inMessage }) => inMessage?.info.dest?.toString())).toEqual([address.toString(), bystander(1).toString()])
    expect((await readRoot(chain, address)).version).toBe(0)
  })

  it('that are on their way already are waited for, not sent again', async () => {
    const { address, order } = deployRoot(named(2))
    await wallet.send([order.message])
    const before = await seqno()
    // The first run was killed here. The next one sees the wallet's message, but no contract yet.
    await carryOut(late(address, 5), wallet, [order], quick)
    expect(await seqno()).toBe(before)
    expect((await chain.transactions(address, 10)).length).toBe(1)

    const root = await readRoot(chain, address)
    const change = orderToRoot(root, { op: 'changePrice', pricePerToken: 5n, workerFeePerToken: 4n }, 'Change the price')
    await wallet.send([change.message])
    await carryOut(late(address, 5), wallet, [change], quick)
    expect((await readRoot(chain, address)).version).toBe(1)
    expect(await seqno()).toBe(before + 1)
  })

  it('of the same words to a changed contract are another wish, and are sent', async () => {
    const { address, order } = deployRoot(named(3))
    await carryOut(chain, wallet, [order], quick)
    for (const price of [5n, 6n, 5n]) {
      const request = { op: 'changePrice', pricePerToken: price, workerFeePerToken: 4n } as const
      await carryOut(chain, wallet, [orderToRoot(await readRoot(chain, address), request, 'Change the price')], quick)
    }
    expect(await readRoot(chain, address)).toMatchObject({ version: 3, params: { pricePerToken: 5n } })
  })

  it('that a contract refuses say why, and that the money came back', async () => {
    const stranger = testKey(5)
    const poor = new W5Wallet(chain, stranger)
    const { address, order } = deployRoot(named(4))
    await carryOut(
      chain,
      wallet,
      [order, { title: 'Gift', message: { to: poor.address, value: toNano('2'), body: beginCell().endCell(), bounce: false } }],
      quick,
    )
    const root = await readRoot(chain, address)
    const reset = orderToRoot(root, { op: 'reset' }, 'Reset')
    const before = (await chain.account(poor.address)).balance
    const refused = {
      code: 'order-refused',
      message: 'Reset: the contract refused. Only the owner may do this.',
      money: expect.stringContaining('came back'),
    }
    await expect(carryOut(chain, poor, [reset], quick)).rejects.toMatchObject(refused)
    expect(before - (await chain.account(poor.address)).balance).toBeLessThan(toNano('0.03'))
    // A refusal is over: the same order is sent again, not waited for.
    await expect(carryOut(chain, poor, [reset], quick)).rejects.toMatchObject(refused)
    expect((await readRoot(chain, address)).version).toBe(0)
  })

  it.each(['superseded', 'refused'] as const)(
    'of a run that was killed before its message was executed are followed by the next run, whose own message is %s',
    async (fate) => {
      const { address, order } = deployRoot(named(fate === 'refused' ? 20 : 21))
      const handedOver = Promise.withResolvers<Uint8Array>()
      const killed = new W5Wallet({ ...chain, send: async (boc) => handedOver.resolve(boc) }, key, { pollMs: 10 })
      const end = killed.send([order.message]).catch(() => undefined)
      const first = await handedOver.promise
      killed.close()
      await end
      const before = await seqno()
      const slow: Chain = {
        ...chain,
        send: async (boc) => {
          await chain.send(first)
          if (fate === 'refused') await chain.send(boc)
        },
      }
      const next = new W5Wallet(slow, key, { pollMs: 10 })
      await carryOut(slow, next, [order], quick)
      expect(await seqno()).toBe(before + 1)
      expect(await chain.transactions(address, 10)).toHaveLength(1)
    },
  )

  it('that another run sends at the same moment are sent once', async () => {
    const { address, order } = deployRoot(named(22))
    const before = await seqno()
    const racing: Sender = {
      address: owner,
      send: async (messages, last) => {
        if ((await chain.account(address)).status !== 'active') await wallet.send([order.message])
        await wallet.send(messages, last)
      },
    }
    await carryOut(chain, racing, [order], quick)
    expect(await seqno()).toBe(before + 1)
  })

  it('are decided one by one: those that were taken are not sent again with one that was refused', async () => {
    const { address, order } = deployRoot(named(23))
    const other = deployRoot({ ...named(24), owner: bystander(1) })
    await carryOut(chain, wallet, [other.order], quick)
    const reset = orderToRoot(await readRoot(chain, other.address), { op: 'reset' }, 'Reset')
    await expect(carryOut(chain, wallet, [order, reset], quick)).rejects.toMatchObject({ code: 'order-refused' })
    await expect(carryOut(chain, wallet, [order, reset], quick)).rejects.toMatchObject({ code: 'order-refused' })
    expect(await chain.transactions(address, 10)).toHaveLength(1)
    expect(await chain.transactions(other.address, 10)).toHaveLength(3)
  })

  it('are recognized below many later messages of the wallet', async () => {
    const { address, order } = deployRoot(named(25))
    await wallet.send([order.message])
    const busy = new W5Wallet(chain, key, { pollMs: 10 })
    for (let sent = 0; sent < 17; sent++)
      await busy.send([{ to: bystander(2), value: 1000n, body: beginCell().endCell(), bounce: false, mode: 1 }])
    const before = await seqno()
    await carryOut(chain, wallet, [order], quick)
    expect(await seqno()).toBe(before)
    expect(await chain.transactions(address, 10)).toHaveLength(1)
  })

  it('end before the send, and say so, when the chain cannot be read or its caller objects', async () => {
    const { order } = deployRoot(named(26))
    const before = await seqno()
    const deaf: Chain = { ...chain, transactions: () => Promise.reject(new Failure('chain-unreachable', 'no answer')) }
    await expect(carryOut(deaf, wallet, [order], quick)).rejects.toMatchObject({
      code: 'chain-unreachable',
      money: 'Nothing was sent.',
    })
    const beforeSend = () => Promise.reject(new Failure('root-changed', 'changed'))
    await expect(carryOut(chain, wallet, [order], { ...quick, beforeSend })).rejects.toMatchObject({
      code: 'root-changed',
      money: 'Nothing was sent.',
    })
    expect(await seqno()).toBe(before)
  })

  it('whose answer does not come in time leave their fate open, and say so', async () => {
    const { address, order } = deployRoot(named(6))
    await expect(
      carryOut(late(address, Number.POSITIVE_INFINITY), wallet, [order], { pollMs: 10, waitMs: 300 }),
    ).rejects.toMatchObject({
      code: 'order-unconfirmed',
      money: expect.stringContaining('not known'),
      retryable: true,
    })
  })

  it('wait through a time without answers of the endpoint', async () => {
    const { address, order } = deployRoot(named(7))
    let deaf = 3
    const shaky: Chain = {
      ...chain,
      transactions: async (of, limit, before) => {
        if (of.equals(address) && deaf > 0) {
          deaf -= 1
          throw new Failure('chain-unreachable', 'no answer', { retryable: true })
        }
        return chain.transactions(of, limit, before)
      },
    }
    await carryOut(shaky, wallet, [order], quick)
    expect(deaf).toBe(0)
  })
})
