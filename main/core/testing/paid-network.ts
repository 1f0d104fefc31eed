import { readdirSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { type Address, toNano } from '@ton/core'
import { expect } from 'vitest'
import { keySigner } from '../../../contracts/signed.ts'
import { silentLogger } from '../../base/logger.ts'
import { pause } from '../../base/pause.ts'
import { clientMigrations } from '../../client/account-store.ts'
import { readChatCompletion } from '../../client/chat-completion.ts'
import { Client } from '../../client/client.ts'
import type { ClientEvent, ClientOptions } from '../../client/options.ts'
import type { OpenAiBackend } from '../../inference/openai-backend.ts'
import { buildLocalNetwork, localEndpoints, localGenesis } from '../../localnet/genesis.ts'
import { newFolder, startChain, testKey } from '../../localnet/testing.ts'
import { PacketConnection } from '../../protocol/wire/connection.ts'
import { plainPort } from '../../proxy/ports.ts'
import { CocoonProxy } from '../../proxy/proxy.ts'
import type { ProxyConfig } from '../../proxy/proxy-config.ts'
import { testConfig } from '../../proxy/testing/fixtures.ts'
import { openDatabase } from '../../storage/database.ts'
import { watchRoot } from '../../ton/root-config.ts'
import { CocoonWallet } from '../../wallet/cocoon-wallet.ts'
import { W5Wallet } from '../../wallet/w5-wallet.ts'
import { workerMigrations } from '../../worker/balance-store.ts'
import { paidTokens } from '../../worker/payout.ts'
import { ScriptedBackend } from '../../worker/testing/scripted-backend.ts'
import { Worker } from '../../worker/worker.ts'
import type { WorkerEvent } from '../../worker/worker-event.ts'
import { w5Sealing } from '../sealing-identity.ts'

export const keys = {
  networkOwner: testKey(31),
  user: testKey(32),
  proxy: testKey(33),
  proxyWallet: testKey(34),
  workerWallet: testKey(35),
}
export const masterSecret = new Uint8Array(32).fill(5)

/** Frames directly on TCP, to a port of this computer. */
export async function dialPlain(port: number | null): Promise<PacketConnection> {
  const socket = connectTcp(port ?? 0, '127.0.0.1').setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return new PacketConnection(socket, { role: 'connecting' })
}

/** A busy machine needs its time. Usable in hooks too, where `expect.poll` is not. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('It did not happen within a minute.')
    await pause(50)
  }
}

/** Proxy, client and worker on a local chain, started: only the engine is scripted, unless one is given, so that the amounts are known beforehand. */
export class PaidNetwork {
  readonly workerEvents: WorkerEvent[] = []
  readonly clientEvents: ClientEvent[] = []
  readonly backend = new ScriptedBackend()
  /** Of the worker, in full. */
  readonly modelName = `Qwen/Qwen3-8B@abc:${'0'.repeat(64)}`
  readonly worker: Worker
  proxy: CocoonProxy
  client: Client
  /** Runs before the worker's next message leaves. */
  beforeSend: (() => Promise<void>) | undefined
  /** What the worker's looks at the chain wait for. */
  #held: Promise<void> = Promise.resolve()
  readonly #parts: Awaited<ReturnType<typeof chainParts>>

  private constructor(parts: Awaited<ReturnType<typeof chainParts>>, engine?: OpenAiBackend) {
    this.#parts = parts
    this.proxy = this.makeProxy()
    const { root, chain, network, workerNode, databases } = parts
    this.worker = new Worker({
      root: root.config,
      owner: network.user,
      money: {
        chain: {
          kind: 'local',
          endpoint: chain.endpoint,
          account: (address) => this.#held.then(() => chain.account(address)),
          runGetter: (address, name, args) => chain.runGetter(address, name, args),
          transactions: (address, limit, before) => chain.transactions(address, limit, before),
          send: (boc) => chain.send(boc),
          watch: (address, afterLt, signal) => chain.watch(address, afterLt, signal),
        },
        nodeWallet: {
          address: workerNode.address,
          send: async (messages) => {
            await this.beforeSend?.()
            this.beforeSend = undefined
            await workerNode.send(messages)
          },
        },
      },
      backend: engine ?? this.backend,
      modelName: this.modelName,
      database: databases.worker,
      sealing: w5Sealing(keys.user, 'local'),
      dial: () => dialPlain(this.proxy.status.value.workerPort),
      logger: silentLogger,
      reconnectMs: 100,
      paymentStatusMs: [200, 300],
    })
    this.worker.events.on((event) => this.workerEvents.push(event))
    this.client = this.newClient()
  }

  /** @param engine serves in the place of the scripted one, under its model's name */
  static async start(engine?: OpenAiBackend): Promise<PaidNetwork> {
    const net = new PaidNetwork(await chainParts(), engine)
    await net.proxy.start()
    net.worker.start()
    net.client.start()
    return net
  }

  get chain() {
    return this.#parts.chain
  }

  get network() {
    return this.#parts.network
  }

  get root() {
    return this.#parts.root
  }

  async stop(): Promise<void> {
    const { root, wallets, local, databases, folder } = this.#parts
    await this.client.stop()
    await this.worker.stop()
    await this.proxy.stop()
    await root.stop()
    for (const wallet of wallets) wallet.close()
    await local.close()
    for (const database of Object.values(databases)) database.close()
    folder.remove()
  }

  /** On the same database. The proxy neither charges nor pays out by itself here: what is seen on chain was sent by client and worker. */
  makeProxy(change: Partial<ProxyConfig> = {}): CocoonProxy {
    const { folder, network, root, chain, proxyNode } = this.#parts
    const terms = {
      chargeNano: toNano('1000'),
      payoutNano: toNano('1000'),
      chainCommitDelayMs: () => 200,
      tickMs: 100,
      resendMs: 15_000,
    }
    return new CocoonProxy(
      { ...testConfig(folder.path), owner: network.networkOwner, stakeNano: toNano('1'), terms, ...change },
      {
        root: root.config,
        side: { kind: 'chain', chain, sender: proxyNode },
        key: { publicKey: keys.proxy.publicKey, signer: keySigner(keys.proxy.secretKey) },
        openWorkerPort: plainPort(),
        openClientPort: plainPort(),
        logger: silentLogger,
      },
    )
  }

  newClient(change: Pick<ClientOptions, 'paymentStatusMs' | 'accountTopUp'> = {}): Client {
    const { root, network, chain, user, databases } = this.#parts
    const made = new Client({
      root: root.config,
      owner: network.user,
      money: { chain, wallet: user },
      masterSecret,
      database: databases.client,
      dial: () => dialPlain(this.proxy.status.value.clientPort),
      logger: silentLogger,
      reconnectMs: 100,
      paymentStatusMs: [200, 300],
      ...change,
    })
    made.events.on((event) => this.clientEvents.push(event))
    return made
  }

  /** The proxy's database is gone. Stop the proxy first. */
  forgetProxy(): void {
    const { path } = this.#parts.folder
    for (const name of readdirSync(path)) if (name.startsWith('proxy.db')) rmSync(join(path, name))
  }

  /** Keeps the worker's looks at the chain waiting until the returned function is called. */
  holdChain(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return resolve
  }

  connection() {
    return this.client.state.value.connections[0]
  }

  clientContract(): Address {
    return this.connection()?.clientContract ?? expect.unreachable('no contract')
  }

  async openAccount(topUp = toNano('5')): Promise<void> {
    await until(() => this.connection()?.phase === 'needs-account')
    await this.client.openAccount({ topUp }, AbortSignal.timeout(60_000))
    await until(() => this.connection()?.balance === topUp)
  }

  async workerReady(): Promise<void> {
    await until(() => this.worker.state.value.connections[0]?.phase === 'ready')
  }

  async answer(question: string, signal = new AbortController().signal, onText?: () => void) {
    const { model } = this.backend
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: question }], stream: true })
    const handle = this.client.runChat({ model, body }, signal)
    let text = ''
    for await (const event of readChatCompletion(handle.body)) {
      if (event.type !== 'text') continue
      text += event.text
      onText?.()
    }
    return { text, end: await handle.end }
  }

  /** Waits until everything counted is signed, and more than `tokens` of it; returns that total. */
  async signedBeyond(tokens: bigint): Promise<bigint> {
    const signed = (): bigint => this.worker.contracts()[0]?.signedTokens ?? 0n
    await until(() => signed() > tokens && signed() === this.proxy.account('worker', this.network.user)?.max)
    return signed()
  }

  async balanceOf(address: Address): Promise<bigint> {
    return (await this.chain.account(address)).balance
  }

  /** Adjusted tokens that the worker contract has paid. */
  paidTokens(): Promise<bigint> {
    return paidTokens(this.chain, this.worker.contracts()[0]?.contract ?? expect.unreachable('no contract'))
  }

  /** The same, as far as the proxy has followed the chain. */
  get paidByProxy(): bigint {
    return this.proxy.account('worker', this.network.user)?.settled ?? 0n
  }
}

async function chainParts() {
  const folder = newFolder()
  const database = (name: string, migrations: readonly string[]) =>
    openDatabase(join(folder.path, name), migrations, { logger: silentLogger })
  const databases = {
    client: database('client.sqlite', clientMigrations),
    worker: database('worker.sqlite', workerMigrations),
  }
  const local = await startChain(folder.path, { genesis: localGenesis(keys) })
  const { chain } = local
  const owner = new W5Wallet(chain, keys.networkOwner)
  const user = new W5Wallet(chain, keys.user)
  const endpoints = localEndpoints({ workerPort: 11101, clientPort: 11102 })
  const network = await buildLocalNetwork({ chain, keys, owner, endpoints })
  const proxyNode = new CocoonWallet(chain, keys.proxyWallet, network.networkOwner)
  const workerNode = new CocoonWallet(chain, keys.workerWallet, network.user)
  const root = watchRoot(chain, network.root, { intervalMs: 300 })
  root.start()
  return {
    folder,
    databases,
    local,
    chain,
    network,
    user,
    proxyNode,
    workerNode,
    root,
    wallets: [user, owner, proxyNode, workerNode],
  }
}
