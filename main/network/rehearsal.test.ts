import { beginCell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { carryOut, type Order } from '../wallet/orders.ts'
import { unsignedW5, W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { type Payer, type RehearsedStage, rehearse } from './rehearsal.ts'

const key = testKey(1)
const owner = w5Address(key.publicKey, 'local')
const payer: Payer = { address: owner, label: 'your wallet', scheme: unsignedW5(key.publicKey, 'local') }
const folder = newFolder()
let local: LocalChain
let wallet: W5Wallet

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('1000') }] })
  wallet = new W5Wallet(local.chain, key)
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

const gift = (number: number, value: bigint, mode?: number): Order => ({
  title: `gift ${number}`,
  message: {
    to: bystander(number),
    value,
    body: beginCell().endCell(),
    bounce: false,
    ...(mode === undefined ? {} : { mode }),
  },
})
const cost = ({ orders, walletFees }: RehearsedStage): bigint =>
  orders.reduce((sum, { stays, fees }) => sum + stays + fees, walletFees)
const balance = async (): Promise<bigint> => (await local.chain.account(owner)).balance

/** Rehearses, does it, and gives both costs. */
async function both(orders: readonly Order[]): Promise<{ foretold: bigint; real: bigint; stage: RehearsedStage }> {
  const { stages } = await rehearse(local.chain, [{ payer, orders }])
  const [stage] = stages
  if (stage === undefined) throw new Error('no stage')
  const before = await balance()
  await carryOut(local.chain, wallet, orders)
  return { foretold: cost(stage), real: before - (await balance()), stage }
}

describe('a rehearsal', () => {
  it('foretells to the nanoton what a deployment and gifts cost, from a wallet that is not deployed yet', async () => {
    const { order } = deployRoot({ owner, params: localParams })
    const { foretold, real, stage } = await both([order, gift(1, toNano('2')), gift(2, toNano('3'), 1)])
    expect(foretold).toBe(real)
    expect(stage.orders.map(({ refusal }) => refusal)).toEqual([undefined, undefined, undefined])
    expect(stage.orders[2]?.stays).toBe(toNano('3'))
    expect(stage.orders[1]?.stays).toBeLessThan(toNano('2'))
    expect(stage.orders[0]?.returned).toBe(0n)
  })

  it('foretells an order to the contract: what returns, and the data afterwards', async () => {
    const { address } = deployRoot({ owner, params: localParams })
    const root = await readRoot(local.chain, address)
    const order = orderToRoot(root, { op: 'changePrice', pricePerToken: 9n, workerFeePerToken: 8n }, 'Change the price')
    const { stages, dataOf } = await rehearse(local.chain, [{ payer, orders: [order] }])
    const planned = await dataOf(address)
    const { foretold, real } = await both([order])
    // The contract has paid a little storage rent since its last transaction, which a rehearsal leaves out.
    expect(real - foretold).toBeGreaterThanOrEqual(0n)
    expect(real - foretold).toBeLessThan(10_000n)
    expect(stages[0]?.orders[0]?.returned).toBeGreaterThan(toNano('0.19'))
    expect((await local.chain.account(address)).data?.equals(planned ?? beginCell().endCell())).toBe(true)
  })

  it('says why a contract would refuse, before anything is sent', async () => {
    const stranger = testKey(7)
    const { address } = deployRoot({ owner, params: localParams })
    const root = await readRoot(local.chain, address)
    const order = orderToRoot(root, { op: 'reset' }, 'Reset')
    const other = { address: w5Address(stranger.publicKey, 'local'), label: 'x', scheme: unsignedW5(stranger.publicKey, 'local') }
    const { stages } = await rehearse(local.chain, [{ payer: other, orders: [order] }])
    expect(stages[0]?.orders[0]?.refusal).toBe('Only the owner may do this.')
    // The same from a wallet of another program, of which only the address is known.
    const foreign = await rehearse(local.chain, [{ payer: { address: other.address, label: 'x' }, orders: [order] }])
    expect(foreign.stages[0]?.orders[0]?.refusal).toBe('Only the owner may do this.')
    const allowed = await rehearse(local.chain, [{ payer: { address: owner, label: 'x' }, orders: [order] }])
    expect(allowed.stages[0]?.orders[0]).toMatchObject({ refusal: undefined })
    expect((await readRoot(local.chain, address)).version).toBe(root.version)
  })
})
