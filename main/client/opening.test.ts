import { join } from 'node:path'
import { toNano } from '@ton/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { clientInit } from '../../contracts/client.ts'
import { randomQueryId } from '../../contracts/common.ts'
import type { Params } from '../../contracts/params.ts'
import { proxyIncreaseStake, proxyInit } from '../../contracts/proxy.ts'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { type ScriptedConnection, ScriptedProxy } from '../protocol/testing/scripted-proxy.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { clientMigrations } from './account-store.ts'
import { Client } from './client.ts'
import { Consent } from './consent.ts'
import { connectedToProxy } from './testing/client-peer.ts'

const userKey = testKey(81)
const proxyKey = testKey(82)
const user = w5Address(userKey.publicKey, 'local')
const network = bystander(8)
const topUp = toNano('5')

/** The real embedded chain and contracts; a proxy that has not seen the chain yet, so it asks for a registration each time. */
describe('an account that is being opened', () => {
  const folder = newFolder()
  let local: LocalChain
  let wallet: W5Wallet
  const ends: (() => Promise<void>)[] = []

  beforeAll(async () => {
    local = await startChain(folder.path, { genesis: [{ address: user, balance: toNano('1000') }] })
    wallet = new W5Wallet(local.chain, userKey)
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(async () => {
    wallet.close()
    await local.close()
    folder.remove()
  })

  /** A new contract, by terms of its own, and a book. */
  async function stage(uniqueId: number, terms: Partial<Params> = {}) {
    const params: Params = { ...localParams, ...terms, uniqueId }
    const owner = bystander(9)
    const { address: proxyContract, init } = proxyInit({ owner, publicKey: proxyKey.publicKey, root: network, params })
    const stake = proxyIncreaseStake({ queryId: randomQueryId(), excesses: user }, toNano('1'))
    await wallet.send([{ to: proxyContract, value: toNano('1.2'), body: stake, init, bounce: false }])
    const contract = clientInit({ owner: user, proxy: proxyContract, publicKey: proxyKey.publicKey, params }).address
    const endpoint = { host: '127.0.0.1', port: 9 }
    const proxies = [{ seqno: 1, forWorkers: endpoint, forClients: endpoint }]
    const root = new Signal<RootConfig | null>({ ...scriptedNetwork.root, address: network, readAtMs: 0, params, proxies })
    const hello = connectedToProxy(
      {
        proxy_public_key: proxyKey.publicKey,
        proxy_owner_address: owner.toString(),
        proxy_sc_address: proxyContract.toString(),
      },
      { client_sc_address: contract.toString(), auth: { '@type': 'client.proxyConnectionAuthLong', nonce: 7n } },
    )
    const openBook = (path: string): Database => {
      const opened = openDatabase(path, clientMigrations, { logger: silentLogger })
      ends.push(async () => opened.close())
      return opened
    }
    let database = openBook(join(folder.path, `${uniqueId}.sqlite`))
    /** A wallet in whose midst the program ends: what it writes after that moment is not there when it comes back. */
    const killed = (send: (messages: readonly OutMessage[]) => Promise<void>): { wallet: Sender; died: Promise<void> } => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const dying: Sender = {
        address: user,
        send: async (messages) => {
          await send(messages)
          const path = join(folder.path, `${uniqueId}-left.sqlite`)
          database.exec(`VACUUM INTO '${path}'`)
          database = openBook(path)
          resolve()
          throw new Error('killed')
        },
      }
      return { wallet: dying, died: promise }
    }
    /** One run of the program that has the operator's agreement from the start. */
    const run = async (money: { readonly chain?: Chain; readonly wallet?: Sender } = {}) => {
      const proxy = await ScriptedProxy.listen()
      const client = new Client({
        root,
        owner: user,
        money: { chain: local.chain, wallet, ...money },
        masterSecret: new Uint8Array(32).fill(3),
        database,
        dial: proxy.dial,
        logger: silentLogger,
        reconnectMs: 50,
      })
      client.start()
      const enough = new AbortController()
      const opened = client.openAccount({ topUp }, enough.signal).catch(() => undefined)
      const stop = async (): Promise<void> => {
        enough.abort()
        await client.stop()
        await opened
        await proxy.close()
      }
      ends.push(stop)
      const greet = async (): Promise<ScriptedConnection> => {
        const connection = await proxy.accept()
        ;(await connection.nextQuery('client.connectToProxy')).answer(hello)
        return connection
      }
      return { client, greet, stop }
    }
    return { contract, run, killed }
  }

  const balance = async (client: Client, contract: Parameters<Client['accounts']['read']>[0]) =>
    (await client.accounts.read(contract))?.balance ?? 0n

  it.each([
    ['after the chain had executed all', 201, true],
    ['before anything was sent', 202, false],
  ])('gets what was agreed exactly once when the program is killed %s', async (_name, uniqueId, wasSent) => {
    const { contract, run, killed } = await stage(uniqueId)
    const { wallet: dying, died } = killed(async (messages) => {
      if (wasSent) await wallet.send(messages)
    })
    const first = await run({ wallet: dying })
    await first.greet()
    await died
    if (wasSent) await expect.poll(() => balance(first.client, contract)).toBe(topUp)
    await first.stop()

    const second = await run()
    const connection = await second.greet()
    await connection.nextQuery('client.authorizeWithProxyLong', 10_000)
    await expect.poll(() => balance(second.client, contract)).toBe(topUp)
    // A second top-up would have been in the same sending as the registration.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await balance(second.client, contract)).toBe(topUp)
  })

  it.each([
    ['clientDelaySec', 301],
    ['proxyDelaySec', 302],
  ] as const)(
    'is opened in no network whose %s is longer than a year: its money could not be had back',
    async (name, uniqueId) => {
      const tooLong = await stage(uniqueId, { [name]: 365 * 86_400 + 1 })
      const { client } = await tooLong.run()
      const failure = (): string | undefined => client.state.value.connections[0]?.failure
      await expect.poll(failure).toBe('In this network money cannot be taken back within a year.')
      const longest = await stage(uniqueId + 10, { [name]: 365 * 86_400 })
      const { greet } = await longest.run()
      await greet()
    },
  )

  it('gets it once when the money is still on its way as the program comes back', async () => {
    const { contract, run, killed } = await stage(203)
    const { wallet: dying, died } = killed((messages) => wallet.send(messages))
    const first = await run({ wallet: dying })
    await first.greet()
    await died
    await expect.poll(() => balance(first.client, contract)).toBe(topUp)
    await first.stop()

    // The chain as it was between the transactions of the wallet and of the contract.
    const { chain } = local
    const late: Chain = {
      kind: chain.kind,
      endpoint: chain.endpoint,
      account: async (address) =>
        address.equals(contract)
          ? { status: 'uninit', balance: 0n, code: null, data: null, last: null }
          : await chain.account(address),
      runGetter: (address, name, args) => chain.runGetter(address, name, args),
      transactions: (address, limit, before) => chain.transactions(address, limit, before),
      send: (boc) => chain.send(boc),
      watch: (address, afterLt, signal) => chain.watch(address, afterLt, signal),
    }
    const second = await run({ chain: late })
    const connection = await second.greet()
    await connection.nextQuery('client.authorizeWithProxyLong', 10_000)
    await second.stop()
    const third = await run()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await balance(third.client, contract)).toBe(topUp)
  })

  it('uses the same agreement when the wallet has sent nothing', async () => {
    const { contract, run } = await stage(204)
    let refusals = 0
    const { client, greet } = await run({
      wallet: {
        address: user,
        send: async (messages) => {
          if (refusals++ === 0) throw new Failure('send-refused', 'The wallet refused the message.')
          await wallet.send(messages)
        },
      },
    })
    const refused = await greet()
    await refused.closed
    const connection = await greet()
    await connection.nextQuery('client.authorizeWithProxyLong', 10_000)
    await expect.poll(() => balance(client, contract)).toBe(topUp)
    expect(refusals).toBe(2)
    const [record] = client.accounts.list(network).filter((one) => one.contract.equals(contract))
    expect(record).toMatchObject({ consented: true, openingTopUp: 0n })
  })
})

describe('an agreement', () => {
  const never = new AbortController().signal

  it('goes to one of those who wait for it', async () => {
    const consent = new Consent()
    const got: number[] = []
    for (const waiter of [1, 2]) void consent.wait(undefined, never).then(() => got.push(waiter))
    consent.give({ topUp: 5n })
    await new Promise((resolve) => setImmediate(resolve))
    expect(got).toEqual([1])
    consent.give({ topUp: 5n })
    await new Promise((resolve) => setImmediate(resolve))
    expect(got).toEqual([1, 2])
  })

  it('waits for who needs it, and not for who has gone', async () => {
    const consent = new Consent()
    await expect(consent.wait(5, never)).rejects.toMatchObject({ code: 'handshake-failed' })
    consent.give({ topUp: 7n })
    expect(await consent.wait(undefined, never)).toEqual({ topUp: 7n })
    consent.give({ topUp: 8n })
    consent.takeBack()
    await expect(consent.wait(5, never)).rejects.toMatchObject({ code: 'handshake-failed' })
  })
})
