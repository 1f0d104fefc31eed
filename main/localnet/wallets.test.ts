import { type Address, beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { walletOwnerText } from '../../contracts/cocoon-wallet.ts'
import { OP_DO_NOT_PROCESS } from '../../contracts/common.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { walletRows } from '../wallet/history.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import type { LocalChain } from './local-chain.ts'
import { bystander, newFolder, payment, startChain, testKey } from './testing.ts'

const ownerKey = testKey(1)
const nodeKey = testKey(2)
const owner = w5Address(ownerKey.publicKey, 'local')
const folder = newFolder()
let local: LocalChain
let chain: Chain
let wallet: W5Wallet
let node: CocoonWallet

beforeAll(async () => {
  const nodeAddress = new CocoonWallet(offline(), nodeKey, owner).address
  local = await startChain(folder.path, {
    genesis: [
      { address: owner, balance: toNano('1000') },
      { address: nodeAddress, balance: toNano('1.9') },
    ],
  })
  chain = local.chain
  wallet = new W5Wallet(chain, ownerKey)
  node = new CocoonWallet(chain, nodeKey, owner)
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

/** A chain that must not be asked. */
function offline(): Chain {
  const never = (): never => {
    throw new Error('asked')
  }
  return {
    kind: 'local',
    endpoint: '',
    account: never,
    runGetter: never,
    transactions: never,
    send: never,
    watch: never,
  }
}

describe('the W5 wallet on the local chain', () => {
  it('has another address per kind of network, so that no signature is good on two', () => {
    const addresses = (['local', 'testnet', 'mainnet'] as const).map((kind) => w5Address(ownerKey.publicKey, kind).toString())
    expect(new Set(addresses).size).toBe(3)
  })

  it('keeps sends that are asked for at once in order, each executed once', async () => {
    await Promise.all([1n, 2n, 3n, 4n].map((value) => wallet.send([payment(bystander(3), value)])))
    const received = (await chain.transactions(bystander(3), 10)).map((one) =>
      one.inMessage?.info.type === 'internal' ? one.inMessage.info.value.coins : 0n,
    )
    expect(received).toEqual([4n, 3n, 2n, 1n])
  })

  it('refuses before signing what the balance cannot cover, and says that nothing was sent', async () => {
    const seqno = await seqnoOf(owner)
    await expect(wallet.send([payment(bystander(3), toNano('5000'))])).rejects.toMatchObject({
      code: 'balance-too-low',
      money: 'Nothing was sent.',
    })
    expect(await seqnoOf(owner)).toBe(seqno)
    await expect(wallet.send([])).rejects.toThrow(RangeError)
  })

  it('says so when the wallet took the order but the transfer did not leave', async () => {
    // Mode 128 skips the check of the sum; after the first message carried everything away nothing is left for the second.
    const poor = new W5Wallet(chain, testKey(9))
    await wallet.send([payment(poor.address, toNano('1'))])
    const all = { ...payment(bystander(4), 0n), mode: 128 }
    await expect(poor.send([all, payment(bystander(5), toNano('0.5'))])).rejects.toMatchObject({ code: 'send-incomplete' })
    expect((await chain.account(poor.address)).balance).toBe(0n)
    expect((await chain.account(bystander(4))).balance).toBeGreaterThan(toNano('0.98'))
    expect((await chain.account(bystander(5))).balance).toBe(0n)
  })

  it('does not send twice when the answer to the first hand-over is lost', async () => {
    let handedOver = 0
    const deaf: Chain = {
      ...chain,
      send: async (boc) => {
        handedOver += 1
        await chain.send(boc)
        throw new Failure('chain-unreachable', 'the answer is lost')
      },
    }
    await new W5Wallet(deaf, ownerKey).send([payment(bystander(6), 77n)])
    expect(handedOver).toBe(1)
    expect(await chain.transactions(bystander(6), 10)).toHaveLength(1)
  })

  it('hands the same message over again until it gets through', async () => {
    let lost = 2
    const lossy: Chain = {
      ...chain,
      send: async (boc) => {
        lost -= 1
        if (lost >= 0) throw new Failure('chain-unreachable', 'no way')
        await chain.send(boc)
      },
    }
    await new W5Wallet(lossy, ownerKey, { pollMs: 20, resendMs: 50 }).send([payment(bystander(10), 5n)])
    expect(await chain.transactions(bystander(10), 10)).toHaveLength(1)
  })

  it('notices that another copy of the wallet took its place', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const mute: Chain = {
      ...chain,
      send: async () => {
        reach()
        throw new Failure('chain-unreachable', 'no way')
      },
    }
    const late = new W5Wallet(mute, ownerKey, { pollMs: 20 }).send([payment(bystander(11), 5n)])
    const refused = expect(late).rejects.toMatchObject({ code: 'send-superseded', money: 'Nothing was sent.' })
    await reached
    await wallet.send([payment(bystander(12), 5n)])
    await refused
    expect((await chain.account(bystander(11))).last).toBeNull()
  })

  it('tells void from unknown: an order that expired, and one whose fate cannot be read', async () => {
    let nowMs = Date.now()
    const clock = (): number => {
      nowMs += 10_000
      return nowMs
    }
    const mute: Chain = { ...chain, send: () => Promise.reject(new Failure('chain-unreachable', 'no way')) }
    const timing = { pollMs: 1, validForMs: 60_000, now: clock }
    await expect(new W5Wallet(mute, ownerKey, timing).send([payment(bystander(13), 5n)])).rejects.toMatchObject({
      code: 'send-expired',
      money: 'Nothing was sent.',
    })
    nowMs = Date.now()
    const blind: Chain = { ...mute, transactions: () => Promise.reject(new Failure('chain-unreachable', 'no way')) }
    await expect(new W5Wallet(blind, ownerKey, timing).send([payment(bystander(13), 5n)])).rejects.toMatchObject({
      code: 'send-unknown',
      money: expect.stringContaining('not known'),
    })
  })

  it('names the reason when the wallet contract refuses', async () => {
    const expired = new W5Wallet(chain, ownerKey, { validForMs: -60_000 })
    await expect(expired.send([payment(bystander(13), 5n)])).rejects.toMatchObject({
      code: 'send-refused',
      message: expect.stringContaining('expired'),
      money: 'Nothing was sent.',
    })
  })
})

describe('the Cocoon wallet on the local chain', () => {
  it('sends nothing below 2 TON, and says so before signing', async () => {
    await expect(node.send([payment(bystander(20), 1n)])).rejects.toMatchObject({
      code: 'wallet-below-minimum',
      money: 'Nothing was sent.',
    })
    expect((await chain.account(node.address)).last).toBeNull()
  })

  it('is deployed by its first send, sends up to four messages at once, and keeps its order', async () => {
    await wallet.send([payment(node.address, toNano('5'))])
    await node.send([20, 21, 22, 23].map((number) => payment(bystander(number), toNano('0.1'))))
    const memo = beginCell().storeUint(OP_DO_NOT_PROCESS, 32).storeUint(1, 64).endCell()
    await Promise.all([
      node.send([{ to: bystander(24), value: 1n, body: memo, bounce: false }]),
      node.send([{ to: bystander(24), value: 2n, body: memo, bounce: false, mode: 1 }]),
    ])
    for (const number of [20, 21, 22, 23]) {
      expect(await chain.transactions(bystander(number), 5)).toHaveLength(1)
    }
    const values = (await chain.transactions(bystander(24), 5)).map((one) =>
      one.inMessage?.info.type === 'internal' ? one.inMessage.info.value.coins : 0n,
    )
    expect(values).toEqual([2n, 1n])
    expect((await chain.runGetter(node.address, 'seqno')).readNumber()).toBe(3)
    expect((await chain.runGetter(node.address, 'get_owner_address')).readAddress().equals(owner)).toBe(true)
  })

  it('obeys its owner: blocked, unblocked, emptied', async () => {
    const command = (letter: 'w' | 'b' | 'u') =>
      wallet.send([{ to: node.address, value: toNano('0.05'), body: walletOwnerText(letter) }])
    await command('b')
    await expect(node.send([payment(bystander(20), 1n)])).rejects.toMatchObject({ code: 'wallet-blocked' })
    await command('u')
    await node.send([payment(bystander(20), 1n)])
    const before = (await chain.account(owner)).balance
    await command('w')
    expect((await chain.account(owner)).balance - before).toBeGreaterThan(toNano('4'))
    await expect(node.send([payment(bystander(20), 1n)])).rejects.toMatchObject({ code: 'wallet-below-minimum' })
  })
})

describe('the history of a wallet', () => {
  it.each(['the W5 wallet', 'the node wallet'])('adds up to the balance of %s, to the nanoton', async (which) => {
    const [address, begin]: [Address, bigint] =
      which === 'the W5 wallet' ? [owner, toNano('1000')] : [node.address, toNano('1.9')]
    const transactions = await chain.transactions(address, 100)
    const rows = transactions.flatMap(walletRows)
    const change = rows.reduce((sum, row) => sum + (row.direction === 'in' ? row.amount : -row.amount) - row.fee, 0n)
    expect(begin + change).toBe((await chain.account(address)).balance)
    expect(rows.length).toBeGreaterThan(5)
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length)
    expect(rows.every((row) => Math.abs(row.atMs - Date.now()) < 120_000)).toBe(true)
  })

  it('names what it knows', async () => {
    const titles = (await chain.transactions(node.address, 100)).flatMap(walletRows).map((row) => row.title)
    expect(titles).toContain('Record of the served state')
    expect(titles).toContain('Received')
    expect(titles).not.toContain('Payout')
  })
})

async function seqnoOf(address: Address): Promise<number> {
  return (await chain.runGetter(address, 'seqno')).readNumber()
}
