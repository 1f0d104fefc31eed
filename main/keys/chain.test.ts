import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keySigner } from '../../contracts/signed.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { eventually, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { sealingKeys } from '../ton/sealing-keys.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import type { OwnKey } from './key-book.ts'
import { keyPublisher } from './key-publisher.ts'

const [ownerKey, managerKey, walletKey] = [testKey(41), testKey(42), testKey(43)]
const owner = w5Address(ownerKey.publicKey, 'local')
const seed = { owner, params: { ...localParams, structVersion: 5 } }
const { address, order } = deployRoot(seed)
const folder = newFolder()
let local: LocalChain
let ownerWallet: W5Wallet
let node: CocoonWallet

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('1000') }] })
  ownerWallet = new W5Wallet(local.chain, ownerKey)
  node = new CocoonWallet(local.chain, walletKey, owner)
  const gift = { to: node.address, value: toNano('10'), body: order.message.body, bounce: false }
  await carryOut(local.chain, ownerWallet, [order, { title: 'gift', message: gift }])
})
afterAll(async () => {
  ownerWallet.close()
  node.close()
  await local.close()
  folder.remove()
})

const hoursMs = 3_600_000
const ownKey = (number: number, hours: number): OwnKey => {
  const { publicKey, secretKey } = testKey(number)
  const now = Date.now()
  return { publicKey, seed: secretKey.subarray(0, 32), madeMs: now, validUntilMs: now + hours * hoursMs }
}
const manager = { publicKey: managerKey.publicKey, signer: keySigner(managerKey.secretKey) }

describe('keys in a network contract', () => {
  it('are not sent to one that names another key manager', async () => {
    const root = await readRoot(local.chain, address)
    const publish = keyPublisher(local.chain, node, manager)
    await expect(publish(root, ownKey(51, 24))).rejects.toMatchObject({ code: 'key-manager-not-named' })
  })

  it('are listed by the key manager alone, once its owner has named it', async () => {
    const before = await readRoot(local.chain, address)
    const named = {
      op: 'changeKeyManager',
      publicKey: managerKey.publicKey,
      imageHash: new Uint8Array(32),
      endpoints: null,
    } as const
    await carryOut(local.chain, ownerWallet, [orderToRoot(before, named, 'Name the key manager')])
    const root = await readRoot(local.chain, address)
    const publish = keyPublisher(local.chain, node, manager)
    const [long, short] = [ownKey(52, 24), ownKey(53, 2)]
    await publish(root, long)
    await publish(root, short)
    const listed = await eventually(async () => {
      const read = await readRoot(local.chain, address)
      return read.keyManager?.keys.length === 2 ? read : undefined
    })
    expect(listed.version).toBe(root.version + 2)
    expect(sealingKeys(listed, Date.now()).map(({ publicKey }) => Buffer.from(publicKey))).toEqual([
      Buffer.from(long.publicKey),
      Buffer.from(short.publicKey),
    ])
    // Once more: it is there, and nothing is sent.
    const balance = async () => (await local.chain.account(node.address)).balance
    const held = await balance()
    await publish(root, long)
    expect(await balance()).toBe(held)
  })

  it('are refused from anybody else', async () => {
    const root = await readRoot(local.chain, address)
    const forged = keyPublisher(local.chain, node, { ...manager, signer: keySigner(testKey(44).secretKey) })
    await expect(forged(root, ownKey(54, 24))).rejects.toMatchObject({ code: 'order-refused' })
    expect((await readRoot(local.chain, address)).keyManager?.keys).toHaveLength(2)
  })
})
