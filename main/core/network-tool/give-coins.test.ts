import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cocoonWalletInit } from '../../../contracts/cocoon-wallet.ts'
import { publicKeyOfSeed } from '../../../contracts/signed.ts'
import type { LocalChain } from '../../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../../localnet/testing.ts'
import { w5Address } from '../../wallet/w5-wallet.ts'
import { giveCoins } from './give-coins.ts'
import type { Operator } from './operator.ts'
import type { ToolChain } from './tool-chain.ts'

const faucet = testKey(1)
const folder = newFolder()
/** The wallet of a role: not on chain yet. */
const { address: to } = cocoonWalletInit(publicKeyOfSeed(new Uint8Array(32).fill(4)), w5Address(testKey(2).publicKey, 'local'))
let local: LocalChain

beforeAll(async () => {
  local = await startChain(folder.path, {
    genesis: [{ address: w5Address(faucet.publicKey, 'local'), balance: toNano('100') }],
  })
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

const tool = (change: Partial<ToolChain> = {}): ToolChain => ({
  chain: local.chain,
  others: [],
  source: 'the test',
  faucet,
  close: async () => undefined,
  ...change,
})
const operator = (says = true): Operator => ({
  print: () => undefined,
  confirm: async () => says,
  retype: async () => true,
  sending: () => undefined,
})
const balance = async (): Promise<bigint> => (await local.chain.account(to)).balance

describe('test coins', () => {
  it('reach the wallet of a role, each time that they are given, and not where the operator says no', async () => {
    const amount = toNano('7')
    expect(await giveCoins(tool(), { to, amount, dryRun: true }, operator())).toBe(false)
    expect(await giveCoins(tool(), { to, amount, dryRun: false }, operator(false))).toBe(false)
    expect(await balance()).toBe(0n)
    expect(await giveCoins(tool(), { to, amount, dryRun: false }, operator())).toBe(true)
    expect(await giveCoins(tool(), { to, amount, dryRun: false }, operator())).toBe(true)
    // Less the storage of a moment.
    expect(await balance()).toBeGreaterThan(toNano('13.99'))
  })

  it('are not given beyond what there is, nor on another chain', async () => {
    await expect(giveCoins(tool(), { to, amount: toNano('1000'), dryRun: false }, operator())).rejects.toMatchObject({
      code: expect.stringMatching(/^(balance-too-low|would-be-refused)$/),
    })
    const elsewhere = Object.assign(Object.create(local.chain), { kind: 'testnet' })
    for (const wrong of [tool({ chain: elsewhere }), tool({ faucet: null })])
      await expect(giveCoins(wrong, { to, amount: 1n, dryRun: false }, operator())).rejects.toMatchObject({
        code: 'no-test-coins',
      })
  })
})
