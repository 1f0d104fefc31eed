import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Address, Cell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractCode } from '../../contracts/code.ts'
import { parseRootState, rootData } from '../../contracts/root.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { showCommand } from '../core/network-tool/commands.ts'
import { deployNetwork } from '../core/network-tool/deploy.ts'
import type { Operator } from '../core/network-tool/operator.ts'
import { carryOutWish } from '../core/network-tool/owner-order.ts'
import { w5Signer } from '../core/network-tool/signer.ts'
import type { ToolChain } from '../core/network-tool/tool-chain.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { type Alter, alteringEndpoint, newFolder, startChain, testKey } from '../localnet/testing.ts'
import type { OwnerWish } from '../network/owner-wish.ts'
import { readTerms } from '../network/terms.ts'
import { httpChain } from '../ton/http-chain.ts'
import { otherChains } from '../ton/root-agreement.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { W5Wallet, type WalletKeyPair, w5Address } from '../wallet/w5-wallet.ts'

/* The commands of `cocoon-desktop network` on a network that names several endpoints, over real HTTP: what one of them says alone moves no money. */

const entries = childEntries(import.meta.url)
const code = contractCode.root.toBoc().toString('base64')
const folder = newFolder()
const closers: (() => void)[] = []
let local: LocalChain
let owner: Address
let key: WalletKeyPair
let wallet: W5Wallet

beforeAll(async () => {
  key = testKey(1)
  owner = w5Address(key.publicKey, 'local')
  local = await startChain(folder.path, { genesis: [{ address: owner, balance: toNano('100') }] })
  wallet = new W5Wallet(local.chain, key, { resendMs: 500, pollMs: 50 })
})
afterAll(async () => {
  wallet.close()
  for (const close of closers) close()
  await local.close()
  folder.remove()
})

async function endpoint(alter?: Alter): Promise<string> {
  const server = await alteringEndpoint(local, alter)
  closers.push(server.close)
  return server.endpoint
}

/** Says that the owner of a contract is somebody else, from the look on that is the `from`-th at it. */
function lyingAbout(root: Address, from = 1): Alter {
  let looks = 0
  return (account, address) => {
    if (address !== root.toString() || ++looks < from) return account
    const { version, params, proxies } = parseRootState(Cell.fromBase64(account.data))
    const lie = rootData({ owner: root, version, params, proxies })
    return { ...account, data: lie.toBoc().toString('base64') }
  }
}

let networks = 0
/** A network contract of the owner's, and a file that names endpoints for it. */
async function network(): Promise<{ readonly root: Address; readonly file: (...endpoints: string[]) => string }> {
  const { address: root, order } = deployRoot({ owner, params: { ...localParams, uniqueId: ++networks } })
  await carryOut(local.chain, wallet, [order])
  const file = (...endpoints: string[]): string => {
    const path = join(folder.path, `${networks}-${Math.random()}.network.json`)
    const chain = { kind: 'testnet', endpoints }
    const head = { format: 'cocoon-network', version: 1, name: 'Several', kind: 'open', createdAt: new Date().toISOString() }
    writeFileSync(path, JSON.stringify({ ...head, chain, root: root.toString({ testOnly: true }) }))
    return path
  }
  return { root, file }
}

function operator() {
  const told = { lines: [] as string[], sends: 0 }
  const person: Operator = {
    print: (line) => void told.lines.push(line),
    confirm: async () => true,
    retype: async () => true,
    sending: () => void told.sends++,
  }
  return { told, person, text: () => told.lines.join('\n') }
}

/** `network show`, as the command line runs it. */
async function show(target: string, endpoints: readonly string[] = []): Promise<string> {
  const { person, text } = operator()
  const context = {
    on: 'testnet',
    endpoints,
    dataDir: folder.path,
    entries,
    logger: silentLogger,
    vaultPassword: undefined,
  } as const
  await showCommand({ ...context, operator: person }, target)
  return text()
}

/** A chain read through the first of these endpoints, compared with the others. */
const toolOn = (first: string, ...others: string[]): ToolChain => ({
  chain: httpChain({ kind: 'local', endpoint: first }),
  others: otherChains('local', others, silentLogger),
  source: 'the test',
  faucet: null,
  close: async () => undefined,
})

function setPrice(root: Address, tool: ToolChain, pricePerToken: bigint, by = operator()) {
  const wish: OwnerWish = { kind: 'set-price', price: pricePerToken, workerFee: 1n }
  return carryOutWish(tool, w5Signer(key, tool.chain, 'your wallet'), { root, wish, dryRun: false }, by.person)
}

describe('network show', () => {
  it('says which endpoints said the same and which did not answer, or that one alone was asked', async () => {
    const { root, file } = await network()
    const [same, silent] = [await endpoint(), await endpoint(() => 'nothing')]
    const all = await show(file(local.endpoint, same, silent))
    expect(all).toMatch(new RegExp(`Read through +${local.endpoint} \\(the TON test network\\)`))
    expect(all).toMatch(new RegExp(`Said the same +${same}\n +Did not answer +${silent}\n`))
    expect(await show(root.toString({ testOnly: true }), [local.endpoint])).toMatch(/Also asked +nobody/)
  })

  it('shows nothing that endpoints disagree about, whichever is read first, and names them', async () => {
    const { root, file } = await network()
    const liar = await endpoint(lyingAbout(root))
    const pairs = [
      [local.endpoint, liar],
      [liar, local.endpoint],
    ] as const
    await Promise.all(
      pairs.map(([first, other]) =>
        expect(show(file(first, other))).rejects.toMatchObject({
          code: 'endpoints-disagree',
          words: { values: { first, other } },
          advice: expect.stringContaining('"network show" with that one as the only --endpoint'),
        }),
      ),
    )
  })

  it('takes no endpoint for two', async () => {
    const { root } = await network()
    const twice = [local.endpoint, `${local.endpoint}?key=1`]
    await expect(show(root.toString({ testOnly: true }), twice)).rejects.toThrow('names the same endpoint twice')
  })
})

describe('a command that costs money', () => {
  it('of the owner sends nothing while endpoints disagree, and says so', async () => {
    const { root } = await network()
    const { version } = await readRoot(local.chain, root)
    const before = (await local.chain.account(owner)).last
    // Told by the first one, it would pass for another owner's; told by the second, nobody would see it.
    for (const tool of [
      toolOn(local.endpoint, await endpoint(lyingAbout(root))),
      toolOn(await endpoint(lyingAbout(root)), local.endpoint),
    ]) {
      const by = operator()
      await expect(setPrice(root, tool, 7n, by)).rejects.toMatchObject({
        code: 'endpoints-disagree',
        money: 'Nothing was sent.',
      })
      expect(by.told).toEqual({ lines: [], sends: 0 })
    }
    // The advice is of use there: one that is named by --endpoint would be asked beside the embedded chain.
    const lying = toolOn(local.endpoint, await endpoint(lyingAbout(root)))
    await expect(setPrice(root, lying, 7n, operator())).rejects.toMatchObject({
      advice: expect.stringMatching(/"network show <address> --on local" without --endpoint/),
    })
    // One that begins to disagree while the owner thinks about it.
    const by = operator()
    const turning = toolOn(local.endpoint, await endpoint(lyingAbout(root, 2)))
    await expect(setPrice(root, turning, 7n, by)).rejects.toMatchObject({
      code: 'endpoints-disagree',
      money: 'Nothing was sent.',
    })
    expect(by.text()).toContain('What changes')
    expect(by.told.sends).toBe(0)
    expect((await readRoot(local.chain, root)).version).toBe(version)
    expect((await local.chain.account(owner)).last).toEqual(before)
  })

  it('of the owner is carried out where they agree; what they disagree about afterwards is told with the money gone', async () => {
    const { root } = await network()
    const agreeing = operator()
    expect(await setPrice(root, toolOn(local.endpoint, await endpoint()), 7n, agreeing)).toBe(true)
    expect(agreeing.text()).toMatch(/Said the same +http/)
    expect((await readRoot(local.chain, root)).params.pricePerToken).toBe(7n)
    const late = toolOn(local.endpoint, await endpoint(lyingAbout(root, 3)))
    await expect(setPrice(root, late, 8n)).rejects.toMatchObject({
      code: 'endpoints-disagree',
      money: expect.stringContaining('was carried out'),
    })
    expect((await readRoot(local.chain, root)).params.pricePerToken).toBe(8n)
  })

  it('deploys nothing while one says that the contract is there already', async () => {
    const options = { terms: readTerms({ name: 'Claimed' }, 'local'), out: join(folder.path, 'claimed.json'), dryRun: false }
    const claiming = await endpoint((account) =>
      account.state === 'uninitialized' ? { ...account, state: 'active', data: code, code } : account,
    )
    const before = (await local.chain.account(owner)).last
    const tool = toolOn(local.endpoint, claiming)
    const { person, told } = operator()
    await expect(deployNetwork(tool, w5Signer(key, tool.chain, 'your wallet'), options, person)).rejects.toMatchObject({
      code: 'endpoints-disagree',
      money: 'Nothing was sent.',
    })
    expect(told).toEqual({ lines: [], sends: 0 })
    expect(existsSync(options.out)).toBe(false)
    expect((await local.chain.account(owner)).last).toEqual(before)
  })
})
