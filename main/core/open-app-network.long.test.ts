import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NetworkState } from '../../preload/api/system.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { openLedger } from '../earnings/ledger.ts'
import { earningsMigrations } from '../earnings/ledger-tables.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { localParams } from '../localnet/genesis.ts'
import { type ChainNetwork, parseNetwork } from '../network/network-file.ts'
import { openDatabase } from '../storage/database.ts'
import { bookPaths, dataPaths, makeDataDir } from '../storage/files.ts'
import { readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot } from '../ton/root-orders.ts'
import { carryOut } from '../wallet/orders.ts'
import { openSecretStore } from '../wallet/secret-store.ts'
import { openVault } from '../wallet/vault.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import type { AppNetwork } from './app-network.ts'
import { localSecrets } from './local-keys.ts'
import { openToolChain, type ToolChain } from './network-tool/tool-chain.ts'
import { networkState } from './network-view.ts'
import { openAppNetwork } from './open-app-network.ts'
import { StartProgress } from './start-progress.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-app-network-'))
const paths = dataPaths(dataDir)
const entries = childEntries(new URL('./open-app-network.ts', import.meta.url).href)
const engine = new LocalEngine({ entryPath: entries.engine, logger: silentLogger })
let root: Address

const openTool = (): Promise<ToolChain> => openToolChain({ on: 'local', dataDir, entries, logger: silentLogger })

/** Does something as the owner of the test's network, on the chain of the data folder, without the app. */
async function asOwner<T>(work: (tool: ToolChain, wallet: W5Wallet) => Promise<T>): Promise<T> {
  const tool = await openTool()
  if (tool.faucet === null) throw new Error('no faucet')
  const wallet = new W5Wallet(tool.chain, tool.faucet)
  try {
    return await work(tool, wallet)
  } finally {
    wallet.close()
    await tool.close()
  }
}

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

const file = (change: object = {}): ChainNetwork => {
  const network = parseNetwork({
    format: 'cocoon-network',
    version: 1,
    name: 'Ours',
    kind: 'local',
    chain: { kind: 'local' },
    root: root.toString(),
    createdAt: '2026-11-22T06:00:00.000Z',
    ...change,
  })
  if (network.mode !== 'chain') throw new Error('not on a chain')
  return network
}

/** An endpoint that knows no contract anywhere. */
async function withLiar(work: (liar: string) => Promise<void>): Promise<void> {
  const nothing = {
    ...{ '@type': 'raw.fullAccountState', balance: '0', extra_currencies: [], code: '', data: '', frozen_hash: '' },
    ...{ state: 'uninitialized', sync_utime: 1, last_transaction_id: { '@type': 'internal.transactionId', lt: '0', hash: '' } },
    block_id: { '@type': 'ton.blockIdExt', workchain: -1, shard: '0', seqno: 1, root_hash: '', file_hash: '' },
  }
  const liar = createHttpServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, result: nothing }))
  })
  const port = await listening(liar)
  try {
    await work(`http://127.0.0.1:${port}/`)
  } finally {
    liar.closeAllConnections()
    await closed(liar)
  }
}

/** Opens a network as the app does, and gives what the Network screen shows once its start has come to an end. */
async function opened(chosen: ChainNetwork, look: (network: AppNetwork) => Promise<void> | void = () => undefined) {
  makeDataDir(dataDir)
  const vault = await openVault(paths)
  const store = openSecretStore(paths.secrets, vault.derive('secrets'))
  const books = bookPaths(paths, chosen.root.hash)
  const progress = new StartProgress(silentLogger, { readOnly: chosen.chain.kind !== 'local' })
  const network = openAppNetwork({
    chosen,
    paths: books,
    secrets: await localSecrets(store, paths),
    entries,
    progress,
    paused: false,
    logger: silentLogger,
  })
  const database = openDatabase(join(dataDir, 'earnings-of-the-test.db'), earningsMigrations, { logger: silentLogger })
  try {
    await network.start()
    await look(network)
    const state: NetworkState = networkState(network, engine, openLedger(database))
    return { state, parts: progress.state.value.parts }
  } finally {
    await network.stop()
    database.close()
    store.close()
    vault.close()
  }
}

beforeAll(async () => {
  root = await asOwner(async ({ chain }, wallet) => {
    const { address, order } = deployRoot({
      owner: wallet.address,
      params: { ...localParams, uniqueId: 5, pricePerToken: 333_333n },
    })
    await carryOut(chain, wallet, [order])
    return address
  })
})
afterAll(async () => {
  await engine.dispose()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('a network file on the local chain', () => {
  it('without a proxy in it shows its terms, and says what its owner can do', async () => {
    const { state, parts } = await opened(file())
    expect(state).toMatchObject({ name: 'Ours', chain: 'local', readOnly: false, status: 'error', proxies: [] })
    expect(state.error).toContain('lists no proxy')
    expect(state.root).toMatchObject({ pricePerToken: 333_333n, version: 0 })
    expect(parts.find(({ id }) => id === 'contracts')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('network register-proxy'),
    })
  })

  it('that is not on this chain says so, and nothing is handed out', async () => {
    const { state } = await opened(file({ root: `0:${'77'.repeat(32)}` }))
    expect(state).toMatchObject({ status: 'error', error: expect.stringContaining('no network contract') })
    await asOwner(async ({ chain }, wallet) => {
      // Only the test's own deployment has left the owner's wallet.
      expect((await chain.runGetter(wallet.address, 'seqno')).readNumber()).toBe(1)
    })
  })

  it('is not opened where another endpoint that it names tells otherwise; both are named', async () => {
    await withLiar(async (liar) => {
      const { state, parts } = await opened(file({ chain: { kind: 'local', endpoints: [liar] } }))
      expect(state).toMatchObject({ status: 'error', error: expect.stringContaining(`${liar} tell different things`) })
      expect(parts.find(({ id }) => id === 'contracts')).toMatchObject({ state: 'failed' })
    })
  })

  it('runs the proxy at the listed ports, and says which one is taken', async () => {
    const servers = [createServer(), createServer()] as const
    const [port, next] = await Promise.all(servers.map(listening))
    if (port === undefined || next === undefined) throw new Error('no ports')
    const [taken, other] = servers
    await closed(other)
    const host = '127.0.0.1'
    await asOwner(async ({ chain }, wallet) => {
      const request = {
        op: 'registerProxy',
        endpoints: { forWorkers: { host, port }, forClients: { host, port: next } },
      } as const
      await carryOut(chain, wallet, [orderToRoot(await readRoot(chain, root), request, 'List the proxy')])
    })
    const blocked = await opened(file())
    expect(blocked.state).toMatchObject({ status: 'error', error: expect.stringContaining('A port that Ours lists') })
    expect(blocked.parts.find(({ id }) => id === 'proxy')).toMatchObject({ state: 'failed' })
    await closed(taken)
    const { state } = await opened(file())
    expect(state).toMatchObject({
      status: 'ready',
      proxies: [{ clientPort: `127.0.0.1:${next}`, workerPort: `127.0.0.1:${port}` }],
    })
  })
})

describe('a network file of the main network', () => {
  it('is read and nothing else, through the first endpoint that answers', async () => {
    await asOwner(async ({ chain }) => {
      // The embedded chain stands for the main network's endpoint.
      const endpoints = ['http://127.0.0.1:9/', chain.endpoint]
      const { state, parts } = await opened(file({ kind: 'open', chain: { kind: 'mainnet', endpoints } }), (network) => {
        expect(network.live.value).toBeNull()
        expect(network.worker.value).toBeNull()
      })
      expect(state).toMatchObject({
        chain: 'mainnet',
        kind: 'open',
        readOnly: true,
        status: 'ready',
        endpoint: chain.endpoint,
        path: [],
      })
      expect(state.proxies).toMatchObject([{ state: 'listed', workers: null }])
      expect(state.root?.pricePerToken).toBe(333_333n)
      expect(parts.map(({ id }) => id)).toEqual(['storage', 'hardware', 'model', 'engine', 'network'])
      expect(parts.at(-1)).toMatchObject({
        state: 'ready',
        detail: `read through ${chain.endpoint}; http://127.0.0.1:9/ did not answer`,
      })
    })
  })

  it('shows nothing of it where its endpoints tell different things, and names them', async () => {
    await asOwner(async ({ chain }) => {
      await withLiar(async (liar) => {
        const endpoints = [chain.endpoint, liar]
        const { state, parts } = await opened(file({ kind: 'open', chain: { kind: 'mainnet', endpoints } }))
        const error = `The endpoints ${chain.endpoint} and ${liar} tell different things about the network contract.`
        expect(state).toMatchObject({ status: 'error', error, proxies: [] })
        expect(state.root).toBeUndefined()
        expect(parts.at(-1)).toMatchObject({ state: 'failed', detail: error })
      })
    })
  }, 30_000)
})
