import { Address, beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractCode } from '../../contracts/code.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../localnet/testing.ts'
import { type RootConfig, readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { unsignedW5, W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { type OwnerWish, orderFor } from './owner-wish.ts'
import { rehearse } from './rehearsal.ts'
import { differences, rootFacts } from './root-report.ts'

const key = testKey(1)
const owner = w5Address(key.publicKey, 'local')
const folder = newFolder()
const hash = new Uint8Array(32).fill(0xab)
let local: LocalChain
let wallet: W5Wallet
/** A contract that no test changes. */
let plain: Promise<Address>

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('1000') }] })
  wallet = new W5Wallet(local.chain, key)
  plain = deployed(3, 99)
  await plain
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

async function deployed(structVersion: number, uniqueId = structVersion): Promise<Address> {
  const { address, order } = deployRoot({ owner, params: { ...localParams, structVersion, uniqueId } })
  await carryOut(local.chain, wallet, [order])
  return address
}

async function present(
  address: Address,
): Promise<{ root: RootConfig; code: typeof contractCode.root; data: typeof contractCode.root }> {
  const { code, data } = await local.chain.account(address)
  if (code === null || data === null) throw new Error('no contract')
  return { root: await readRoot(local.chain, address), code, data }
}

/** Carries a wish out; gives the labels of what changed, and proves that the rehearsal foretold the very data. */
async function carriedOut(address: Address, wish: OwnerWish): Promise<string[]> {
  const { root, code, data } = await present(address)
  const order = orderFor(root, { code, data }, wish)
  if (order === null) return []
  const send = orderToRoot(root, order.request, order.title)
  const payer = { address: owner, label: 'your wallet', scheme: unsignedW5(key.publicKey, 'local') }
  const { dataOf } = await rehearse(local.chain, [{ payer, orders: [send] }])
  const foretold = await dataOf(address)
  await carryOut(local.chain, wallet, [send])
  const after = await present(address)
  expect(after.data.equals(foretold ?? beginCell().endCell())).toBe(true)
  // What was wished is so now: the same wish needs nothing more.
  expect(orderFor(after.root, after, wish)).toBeNull()
  const facts = (state: RootConfig) => rootFacts(state, { testOnly: false })
  return differences(facts(root), facts(after.root)).map(({ label }) => label)
}

const entry = (port: number) => ({ forWorkers: { host: '127.0.0.1', port }, forClients: { host: '127.0.0.1', port: port + 1 } })

describe('what an owner wishes', () => {
  it('is done by one order, changes nothing else, and needs no second one', async () => {
    const root = await deployed(3)
    const wishes: ReadonlyArray<[OwnerWish, string[]]> = [
      [{ kind: 'set-price', price: 7n, workerFee: 6n }, ['Price', 'Worker fee']],
      [
        { kind: 'set-params', clientDelay: 77, minClientStake: toNano('9') },
        ['Delay before a client closes', 'Least client stake'],
      ],
      [
        { kind: 'set-multipliers', multipliers: { prompt: 10_000, cached: 5000, completion: 40_000, reasoning: 80_000 } },
        ['Multipliers'],
      ],
      [{ kind: 'register-proxy', endpoints: entry(5001) }, ['Proxy 1']],
      [{ kind: 'register-proxy', endpoints: entry(6001) }, ['Proxy 2']],
      [{ kind: 'update-proxy', seqno: 2, endpoints: entry(7001) }, ['Proxy 2']],
      [{ kind: 'unregister-proxy', seqno: 1 }, ['Proxy 1']],
      [{ kind: 'add-hash', of: 'proxy', hash }, ['Proxy image hash']],
      [{ kind: 'add-hash', of: 'worker', hash }, ['Worker image hash']],
      [{ kind: 'add-hash', of: 'model', hash }, ['Model hash']],
      [{ kind: 'remove-hash', of: 'worker', hash }, ['Worker image hash']],
      [
        { kind: 'upgrade-contracts', proxy: contractCode.worker, worker: contractCode.client, client: contractCode.proxy },
        ['Code of proxy contracts', 'Code of worker contracts', 'Code of client contracts'],
      ],
      [{ kind: 'change-owner', owner: new Address(0, Buffer.alloc(32, 9)) }, ['Owner']],
    ]
    for (const [wish, labels] of wishes)
      expect(new Set(await carriedOut(root, wish)), wish.kind).toEqual(new Set(['Version', ...labels]))
  })

  it('reaches the key manager where the struct version has one', async () => {
    const root = await deployed(5)
    const manager: OwnerWish = { kind: 'change-key-manager', publicKey: hash, imageHash: hash, endpoints: entry(8001) }
    expect(await carriedOut(root, manager)).toEqual(expect.arrayContaining(['Key manager', 'Key manager listens at']))
    const publicKey: OwnerWish = { kind: 'add-public-key', publicKey: hash, type: 1, expiresAtSec: 2_000_000_000 }
    expect(await carriedOut(root, publicKey)).toContain('Public key')
  })

  it.each<[string, OwnerWish, RegExp]>([
    ['a fee above the price', { kind: 'set-price', price: 1n, workerFee: 2n }, /more than clients pay/],
    ['a price of nothing', { kind: 'set-params', price: 0n, workerFee: 0n }, /price of 0/],
    ['a proxy that never was', { kind: 'update-proxy', seqno: 99, endpoints: entry(1) }, /lists no proxy 99/],
    ['removing a proxy that never was', { kind: 'unregister-proxy', seqno: 99 }, /lists no proxy 99/],
    [
      'a key for a contract without key manager',
      { kind: 'add-public-key', publicKey: hash, type: 1, expiresAtSec: 1 },
      /no key manager/,
    ],
  ])('is refused before anything is sent: %s', async (_what, wish, words) => {
    const address = await plain
    const { root, ...account } = await present(address)
    expect(() => orderFor(root, account, wish)).toThrow(words)
  })

  it('warns of what it does to others, and asks twice only for what cannot be taken back', async () => {
    const { root, ...account } = await present(await plain)
    const price = orderFor(root, account, { kind: 'set-price', price: 7n, workerFee: 6n })
    expect(price).toMatchObject({ irreversible: false, warnings: [expect.stringContaining('new addresses')] })
    const gift = orderFor(root, account, { kind: 'change-owner', owner: new Address(0, Buffer.alloc(32, 9)) })
    expect(gift).toMatchObject({ irreversible: true, warnings: [expect.stringContaining('cannot take it back')] })
    expect(() => orderFor(root, account, { kind: 'change-owner', owner: root.address })).toThrow(/cannot own itself/)
    const named = orderFor(root, account, { kind: 'add-hash', of: 'model', hash, name: 'a/b@1:2' })
    expect(named?.title).toBe('List the hash of a/b@1:2')
  })
})
