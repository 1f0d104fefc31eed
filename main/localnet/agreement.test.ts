import { type Address, beginCell, Cell, toNano } from '@ton/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { contractCode } from '../../contracts/code.ts'
import { parseRootState, rootData, rootInit, rootRequest } from '../../contracts/root.ts'
import { silentLogger } from '../base/logger.ts'
import { httpChain } from '../ton/http-chain.ts'
import { otherChains } from '../ton/root-agreement.ts'
import { watchRoot } from '../ton/root-config.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { localParams } from './genesis.ts'
import type { LocalChain } from './local-chain.ts'
import { type Alter, alteringEndpoint, newFolder, startChain, type ToldAccount, testKey } from './testing.ts'

const key = testKey(1)
const rich = w5Address(key.publicKey, 'local')
const folder = newFolder()
const place = (port: number) => ({ host: '127.0.0.1', port })
let local: LocalChain
let wallet: W5Wallet
let root: Address
const servers: { close(): void }[] = []

beforeAll(async () => {
  local = await startChain(folder.path, { genesis: [{ address: rich, balance: toNano('1000') }] })
  wallet = new W5Wallet(local.chain, key, { resendMs: 500, pollMs: 50 })
  const seed = { owner: rich, params: localParams, proxies: [{ seqno: 1, forWorkers: place(4001), forClients: place(4002) }] }
  const { address, init } = rootInit(contractCode.root, seed)
  await wallet.send([{ to: address, value: toNano('1'), body: beginCell().endCell(), init }])
  root = address
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
afterAll(async () => {
  await local.close()
  folder.remove()
})

/** Another endpoint of the same chain, which passes questions on and alters the answers. */
async function endpoint(alter?: Alter): Promise<string> {
  const server = await alteringEndpoint(local, alter)
  servers.push(server)
  return server.endpoint
}

type Lie = (account: ToldAccount) => ToldAccount | string
const changed = (account: ToldAccount, change: Partial<Parameters<typeof rootData>[0]>): ToldAccount => {
  const { owner, version, params, proxies } = parseRootState(Cell.fromBase64(account.data))
  return {
    ...account,
    data: rootData({ owner, version, params, proxies, ...change })
      .toBoc()
      .toString('base64'),
  }
}
/** The proxies are said to be the liar's own. */
const lying: Lie = (account) => changed(account, { proxies: [{ seqno: 1, forWorkers: place(6661), forClients: place(6662) }] })

function watcher(first: string, others: readonly string[], silentAfterMs?: number) {
  return watchRoot(httpChain({ kind: 'local', endpoint: first }), root, {
    intervalMs: 60_000,
    others: otherChains('local', others, silentLogger, { timeoutMs: silentAfterMs }),
    pausesMs: [20, 40],
  })
}

describe('a network contract that is read through several endpoints', () => {
  it('says which of them said the same', async () => {
    const [second, third] = [await endpoint(), await endpoint()]
    const config = await watcher(local.endpoint, [second, third]).refresh()
    expect(config.disputed).toBeUndefined()
    expect(config.source).toMatchObject({
      endpoint: local.endpoint,
      others: [
        { endpoint: second, said: 'same' },
        { endpoint: third, said: 'same' },
      ],
    })
  })

  it.each<[string, Alter]>([
    ['lies about the proxies', lying],
    ['lies about who may list images', (account) => changed(account, { owner: w5Address(testKey(2).publicKey, 'local') })],
    ['lists an image more', (account) => changed(account, { proxyHashes: [new Uint8Array(32).fill(7)] })],
    ['tells of other code', (account) => ({ ...account, code: contractCode.worker.toBoc().toString('base64') })],
    ['says that there is no contract', (account) => ({ ...account, state: 'uninitialized', data: '', code: '' })],
  ])('is not taken where one %s, whichever is asked first; both are named', async (_name, alter) => {
    const liar = await endpoint(alter)
    const fresh = watcher(local.endpoint, [liar])
    await expect(fresh.refresh()).rejects.toMatchObject({
      code: 'endpoints-disagree',
      words: { values: { first: local.endpoint, other: liar } },
    })
    expect(fresh.config.value).toBeNull()
    const lyingFirst = watcher(liar, [local.endpoint])
    await expect(lyingFirst.refresh()).rejects.toThrow(`${liar} and ${local.endpoint}`)
    expect(lyingFirst.config.value).toBeNull()
  })

  it('keeps the last reading that both agreed on, marked, until they agree again', async () => {
    let alter: Lie = (account) => account
    const other = await endpoint((account) => alter(account))
    const watching = watcher(local.endpoint, [await endpoint(), other])
    const good = await watching.refresh()
    alter = lying
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'endpoints-disagree' })
    expect(watching.config.value).toEqual({ ...good, disputed: { first: local.endpoint, other } })
    expect(watching.failure.value).toMatchObject({ code: 'endpoints-disagree', dispute: { first: local.endpoint, other } })
    // Whoever contradicted and says nothing now has taken nothing back.
    alter = () => 'nothing'
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'endpoints-disagree' })
    alter = (account) => account
    expect((await watching.refresh()).disputed).toBeUndefined()
    expect(watching.failure.value).toBeNull()
  })

  it('is not taken from a liar that is read first, when whoever contradicted at the first reading is silent after it', async () => {
    let alter: Lie = (account) => account
    const honest = await endpoint((account) => alter(account))
    const watching = watcher(await endpoint(lying), [honest])
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'endpoints-disagree' })
    alter = () => 'nothing'
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'endpoints-disagree', dispute: { other: honest } })
    expect(watching.config.value).toBeNull()
  })

  it('is not taken from a liar when whoever contradicted is silent at the next question of the same reading', async () => {
    let asked = 0
    const limited = await endpoint((account) => {
      asked += 1
      return asked > 1 ? 'nothing' : account
    })
    const watching = watcher(await endpoint(lying), [limited])
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'endpoints-disagree', dispute: { other: limited } })
    expect(watching.config.value).toBeNull()
  })

  it('stays disputed until each of those that contradicted has said the same', async () => {
    let [alterSecond, alterThird]: [Lie, Lie] = [lying, lying]
    const second = await endpoint((account) => alterSecond(account))
    const third = await endpoint((account) => alterThird(account))
    const watching = watcher(local.endpoint, [second, third])
    await expect(watching.refresh()).rejects.toMatchObject({ dispute: { other: second } })
    alterSecond = (account) => account
    alterThird = () => 'nothing'
    await expect(watching.refresh()).rejects.toMatchObject({ dispute: { first: local.endpoint, other: third } })
    expect(watching.config.value).toBeNull()
    // Whoever said the same may be silent then.
    alterSecond = () => 'nothing'
    alterThird = (account) => account
    expect((await watching.refresh()).source?.others).toEqual([
      { endpoint: second, said: 'silent' },
      { endpoint: third, said: 'same' },
    ])
    expect(watching.failure.value).toBeNull()
  })

  it('is asked for again before some blocks of difference are called a disagreement', async () => {
    let old: ToldAccount | undefined
    let behind = 0
    const late = await endpoint((account) => {
      old ??= account
      if (behind === 0) return account
      behind -= 1
      return old
    })
    const watching = watcher(local.endpoint, [late])
    const before = await watching.refresh()
    const body = rootRequest(1n, { op: 'changePrice', pricePerToken: 7n, workerFeePerToken: 6n })
    await wallet.send([{ to: root, value: toNano('0.2'), body }])
    behind = 2
    const after = await watching.refresh()
    expect(after.version).toBe(before.version + 1)
    expect(after.source?.others).toEqual([{ endpoint: late, said: 'same' }])
    expect(behind).toBe(0)
  })

  it('goes on by the first endpoint where another is too slow, and says that it did not answer', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>()
    const slow = await endpoint(async (account) => {
      await over
      return account
    })
    const config = await watcher(local.endpoint, [slow], 200).refresh()
    end()
    expect(config.source?.others).toEqual([{ endpoint: slow, said: 'silent' }])
  })

  it.each<[string, string]>([
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['another form', '{"ok":true,"result":{"data":7}}'],
    ['cells that are none', '{"ok":true,"result":{"@type":"raw.fullAccountState","data":"AAAA","code":"AAAA"}}'],
  ])('counts garbage as no answer, neither as the same nor as a disagreement: %s', async (_name, text) => {
    const garbage = await endpoint(() => text)
    const config = await watcher(local.endpoint, [garbage]).refresh()
    expect(config.source?.others).toEqual([{ endpoint: garbage, said: 'silent' }])
    expect(config.disputed).toBeUndefined()
  })

  it('fails as before where the first endpoint does not answer: no other one takes its place unseen', async () => {
    const gone = await endpoint(() => Promise.reject(new Error('gone')))
    const first = httpChain({ kind: 'local', endpoint: gone, retryForMs: 0 })
    const watching = watchRoot(first, root, { intervalMs: 60_000, others: [local.chain] })
    await expect(watching.refresh()).rejects.toMatchObject({ code: 'chain-unreachable' })
  })
})
