import { join } from 'node:path'
import { type Address, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../../base/failure.ts'
import { localParams } from '../../localnet/genesis.ts'
import type { LocalChain } from '../../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../../localnet/testing.ts'
import { planDeployment } from '../../network/deployment.ts'
import type { OwnerWish } from '../../network/owner-wish.ts'
import { readTerms } from '../../network/terms.ts'
import type { AccountState, Chain } from '../../ton/chain.ts'
import { readRoot } from '../../ton/root-config.ts'
import { deployRoot } from '../../ton/root-orders.ts'
import { carryOut } from '../../wallet/orders.ts'
import { w5Address } from '../../wallet/w5-wallet.ts'
import { deployNetwork } from './deploy.ts'
import type { Operator } from './operator.ts'
import { carryOutWish } from './owner-order.ts'
import { type Signer, w5Signer } from './signer.ts'
import type { ToolChain } from './tool-chain.ts'

/* Each order of an owner happens once, on the contract that was shown, and what is said of the money is true. */

const key = testKey(1)
const poorKey = testKey(2)
const owner = w5Address(key.publicKey, 'local')
const folder = newFolder()
let local: LocalChain
let chain: Chain
let signer: Signer

beforeAll(async () => {
  local = await startChain(folder.path, {
    genesis: [
      { address: owner, balance: toNano('100') },
      { address: w5Address(poorKey.publicKey, 'local'), balance: toNano('1.2') },
    ],
  })
  chain = local.chain
  signer = w5Signer(key, chain, 'your wallet')
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

const toolOn = (on: Chain): ToolChain => ({
  chain: on,
  others: [],
  source: 'the test',
  faucet: null,
  close: async () => undefined,
})
const operator = (confirm: () => Promise<boolean> = async () => true) => {
  const told = { lines: [] as string[], asked: 0, sends: 0 }
  const person: Operator = {
    print: (line) => void told.lines.push(line),
    confirm: () => {
      told.asked++
      return confirm()
    },
    retype: async () => true,
    sending: () => void told.sends++,
  }
  return { told, person }
}
const seqno = async (of: Address = owner): Promise<number> => (await chain.runGetter(of, 'seqno')).readNumber()
const newRoot = async (uniqueId: number): Promise<Address> => {
  const { address, order } = deployRoot({ owner, params: { ...localParams, uniqueId } })
  await carryOut(chain, signer.sender, [order])
  return address
}
const proxyWish: OwnerWish = {
  kind: 'register-proxy',
  endpoints: { forWorkers: { host: '10.0.0.1', port: 1 }, forClients: { host: '10.0.0.1', port: 2 } },
}
/** Shows `state` of an account for the first looks, as an endpoint that is behind. */
const behind = (address: Address, state: AccountState, looks: number): Chain => {
  let left = looks
  return { ...chain, account: async (of) => (of.equals(address) && left-- > 0 ? state : chain.account(of)) }
}

describe('a deployment', () => {
  const absent: AccountState = { status: 'uninit', balance: 0n, code: null, data: null, last: null }

  it('whose message an earlier run has sent is waited for: not rehearsed, not asked for, and with the money gone', async () => {
    const poor = w5Signer(poorKey, chain, 'your wallet')
    const terms = readTerms({ name: 'Sent before' }, 'local')
    const { root, stages } = await planDeployment(chain, terms, poor.payer)
    await poor.sender.send(stages.flatMap(({ orders }) => orders).map(({ message }) => message))
    const before = await seqno(poor.payer.address)
    const { told, person } = operator()
    const options = { terms, out: join(folder.path, 'sent.json'), dryRun: false }
    // The plan still sees no contract, as on a network whose shards need time.
    expect(await deployNetwork(toolOn(behind(root, absent, 2)), poor, options, person)).toBe(true)
    expect(told).toMatchObject({ asked: 0, sends: 0 })
    expect(await seqno(poor.payer.address)).toBe(before)
  })

  it('reads back only what an endpoint shows that has seen the transaction', async () => {
    const terms = readTerms({ name: 'Late endpoint' }, 'local')
    const { root } = await planDeployment(chain, terms, signer.payer)
    const { told, person } = operator()
    const options = { terms, out: join(folder.path, 'late.json'), dryRun: false }
    expect(await deployNetwork(toolOn(behind(root, absent, 4)), signer, options, person)).toBe(true)
    expect(told.sends).toBe(1)
  })

  it('that succeeded says so when it cannot be read back; a place for its file that is missing is found out before', async () => {
    const options = { terms: readTerms({ name: 'Deaf' }, 'local'), out: join(folder.path, 'deaf.json'), dryRun: false }
    const nowhere = { terms: readTerms({ name: 'Nowhere' }, 'local'), out: join(folder.path, 'none', 'x.json'), dryRun: false }
    const before = await seqno()
    await expect(deployNetwork(toolOn(chain), signer, nowhere, operator().person)).rejects.toMatchObject({
      code: 'out-unwritable',
      money: 'Nothing was sent.',
    })
    expect(await seqno()).toBe(before)
    const deaf: Chain = {
      ...chain,
      account: async (of) => {
        const state = await chain.account(of)
        const { root } = await planDeployment(chain, options.terms, signer.payer)
        if (of.equals(root) && state.status === 'active') throw new Failure('chain-unreachable', 'The endpoint is down.')
        return state
      },
    }
    await expect(deployNetwork(toolOn(deaf), signer, options, operator().person)).rejects.toMatchObject({
      code: 'chain-unreachable',
      money: expect.stringContaining('is deployed and keeps its reserve'),
    })
  })
})

describe("an owner's order", () => {
  it('is not sent when the contract changed while the question waited', async () => {
    const root = await newRoot(31)
    const multipliers = { prompt: 10_000, cached: 1000, completion: 90_000, reasoning: 90_000 }
    const { told, person } = operator(async () => {
      await carryOutWish(toolOn(chain), signer, { root, wish: proxyWish, dryRun: false }, operator().person)
      return true
    })
    const wish: OwnerWish = { kind: 'set-multipliers', multipliers }
    await expect(carryOutWish(toolOn(chain), signer, { root, wish, dryRun: false }, person)).rejects.toMatchObject({
      code: 'root-changed',
      money: expect.stringContaining('Nothing was sent.'),
    })
    expect(told.sends).toBe(0)
    expect((await readRoot(chain, root)).proxies).toHaveLength(1)
  })

  it('that is given twice at once happens once, and no run says otherwise', async () => {
    const root = await newRoot(32)
    const before = await seqno()
    const both = await Promise.allSettled(
      [1, 2].map(() => {
        const own = w5Signer(key, chain, 'your wallet')
        return carryOutWish(toolOn(chain), own, { root, wish: proxyWish, dryRun: false }, operator().person)
      }),
    )
    expect((await readRoot(chain, root)).proxies).toHaveLength(1)
    expect(await seqno()).toBe(before + 1)
    for (const one of both)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'root-changed', retryable: true })
  })
})
