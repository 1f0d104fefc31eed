import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../localnet/testing.ts'
import { readRoot } from '../ton/root-config.ts'
import { orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { unsignedW5, W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { costsOf } from './costs.ts'
import { confirmDeployment, planDeployment } from './deployment.ts'
import { funded } from './funding.ts'
import { type Payer, rehearse } from './rehearsal.ts'
import { readTerms } from './terms.ts'

const faucetKey = testKey(1)
const key = testKey(2)
const payerOf = (pair: typeof key, label: string): Payer => ({
  address: w5Address(pair.publicKey, 'local'),
  label,
  scheme: unsignedW5(pair.publicKey, 'local'),
})
const faucet = payerOf(faucetKey, 'the faucet')
const payer = payerOf(key, 'your wallet')
const terms = readTerms({ name: 'Mine', price: '9 nano', workerFee: '8 nano', proxies: ['127.0.0.1:5001'] }, 'local')
const folder = newFolder()
let local: LocalChain

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: faucet.address, balance: toNano('1000') }] })
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

describe('the plan of a deployment', () => {
  it('comes with money first, adds up, and is carried out to the letter', async () => {
    const plan = await planDeployment(local.chain, terms, payer)
    const stages = await funded(local.chain, plan.stages, payer, faucet)
    expect(stages.map(({ payer: by, orders }) => [by.label, orders.map(({ title }) => title)])).toEqual([
      ['the faucet', ['Test coins for your wallet']],
      ['your wallet', ['Deploy the network contract']],
    ])
    const { stages: rehearsed, dataOf } = await rehearse(local.chain, stages)
    expect((await dataOf(plan.root))?.equals(plan.data)).toBe(true)
    const costs = costsOf(payer.address.toRawString(), rehearsed)
    expect(costs.values).toBe(terms.reserve)
    expect(costs.needed).toBeGreaterThan(costs.values)
    const gift = stages[0]?.orders[0]?.message.value ?? 0n
    expect(gift).toBeGreaterThanOrEqual(costs.needed)

    await carryOut(local.chain, new W5Wallet(local.chain, faucetKey), stages[0]?.orders ?? [])
    const before = (await local.chain.account(payer.address)).balance
    await carryOut(local.chain, new W5Wallet(local.chain, key), stages[1]?.orders ?? [])
    const spent = before - (await local.chain.account(payer.address)).balance
    // A second of rent may pass between the rehearsal and the real thing.
    expect(spent - costs.stays - costs.fees).toBeGreaterThanOrEqual(0n)
    expect(spent - costs.stays - costs.fees).toBeLessThan(100n)
    const root = await confirmDeployment(local.chain, plan)
    expect(root).toMatchObject({ version: 0, params: { pricePerToken: 9n, workerFeePerToken: 8n }, proxies: [{ seqno: 1 }] })
    expect(root.owner.equals(payer.address)).toBe(true)
  })

  it('has nothing left to send for a contract that is there, and tells what its owner has changed since', async () => {
    const again = await planDeployment(local.chain, terms, payer)
    expect(again.stages).toEqual([])
    expect(again.changedSince).toEqual([])
    const root = await readRoot(local.chain, again.root)
    const order = orderToRoot(root, { op: 'changePrice', pricePerToken: 5n, workerFeePerToken: 4n }, 'Change the price')
    await carryOut(local.chain, new W5Wallet(local.chain, key), [order])
    const later = await planDeployment(local.chain, terms, payer)
    expect(later.root.equals(again.root)).toBe(true)
    expect(later.stages).toEqual([])
    expect(later.changedSince.map(({ label }) => label)).toEqual(['Version', 'Price', 'Worker fee'])
    await expect(confirmDeployment(local.chain, later)).rejects.toMatchObject({
      code: 'not-as-planned',
      message: expect.stringContaining('Price'),
    })
  })

  it('gives no test coins to a wallet that has enough, nor twice', async () => {
    const other = await planDeployment(local.chain, { ...terms, name: 'Second' }, payer)
    expect(await funded(local.chain, other.stages, payer, faucet)).toEqual(other.stages)
    expect(await funded(local.chain, [], payer, faucet)).toEqual([])
  })
})
