import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Address, beginCell, toNano } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { parseClientState } from '../../../contracts/client.ts'
import { cocoonWalletInit } from '../../../contracts/cocoon-wallet.ts'
import { parseProxyState } from '../../../contracts/proxy.ts'
import { parseWorkerState } from '../../../contracts/worker.ts'
import { silentLogger } from '../../base/logger.ts'
import { forgetLocalEndpoint, tellLocalEndpoint } from '../../core/local-endpoint.ts'
import { buildLocalNetwork, type LocalNetwork, localEndpoints, localGenesis } from '../../localnet/genesis.ts'
import { LocalChain } from '../../localnet/local-chain.ts'
import { dataPaths } from '../../storage/files.ts'
import { W5Wallet } from '../../wallet/w5-wallet.ts'
import { type PeerAccount, peerBook, proxyBook } from './books.ts'
import { type InstantEngine, instantEngine } from './instant-engine.ts'
import { freePorts, RoleProcess } from './role-process.ts'

export const roleNames = ['client', 'worker', 'proxy'] as const
export type RoleName = (typeof roleNames)[number]

const model = 'test/model'
const accessHash = 'kill-scene-access-hash'
const seeds = { owner: 1, user: 2, proxyKey: 3, proxyWallet: 4, workerWallet: 5, clientWallet: 6, secret: 7 } as const
const seed = (name: keyof typeof seeds): Buffer => Buffer.alloc(32, seeds[name])
const key = (name: keyof typeof seeds) => keyPairFromSeed(seed(name))
const text = (name: keyof typeof seeds): string => seed(name).toString('base64')

/** What the contracts say. Tokens are adjusted totals, money is nanoton. */
export interface ChainBook {
  readonly client: { readonly used: bigint; readonly balance: bigint }
  readonly worker: { readonly paid: bigint }
  readonly commission: bigint
}

/**
 * A whole network whose roles are processes as the command line starts them: an embedded chain, a proxy, a worker with an instant engine, a
 * client with its HTTP address.
 */
export class KillScene {
  readonly network: LocalNetwork
  readonly clientUrl: string
  readonly model = model
  readonly topUpNano = toNano('100')
  readonly #folder: string
  readonly #chain: LocalChain
  readonly #engine: InstantEngine
  readonly #ports: { readonly workers: number; readonly clients: number; readonly http: number; readonly status: number }
  readonly #clientWallet: Address
  readonly #roles = new Map<RoleName, RoleProcess>()
  /** What killed processes had said, by role. */
  readonly #said = new Map<RoleName, string>()

  private constructor(parts: {
    folder: string
    chain: LocalChain
    engine: InstantEngine
    network: LocalNetwork
    ports: { workers: number; clients: number; http: number; status: number }
    clientWallet: Address
  }) {
    this.#folder = parts.folder
    this.#chain = parts.chain
    this.#engine = parts.engine
    this.#ports = parts.ports
    this.#clientWallet = parts.clientWallet
    this.network = parts.network
    this.clientUrl = `http://127.0.0.1:${parts.ports.http}`
  }

  static async open(): Promise<KillScene> {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-kill-'))
    const [workers = 0, clients = 0, http = 0, status = 0] = await freePorts(4)
    const ports = { workers, clients, http, status }
    const engine = await instantEngine()
    // A killed process leaves no compiled sources behind; this one ends in order, and every later start is quicker.
    const warm = new RoleProcess(['client', '--help'], join(folder, 'cache')).exit()
    const keys = {
      networkOwner: key('owner'),
      user: key('user'),
      proxy: key('proxyKey'),
      proxyWallet: key('proxyWallet'),
      workerWallet: key('workerWallet'),
    }
    const chain = await LocalChain.start({
      entry: fileURLToPath(new URL('../../localnet/chain-process.ts', import.meta.url)),
      dataDir: join(folder, 'chain'),
      genesis: localGenesis(keys),
      logger: silentLogger,
    })
    const owner = new W5Wallet(chain.chain, keys.networkOwner)
    const endpoints = localEndpoints({ workerPort: workers, clientPort: clients })
    const network = await buildLocalNetwork({ chain: chain.chain, keys, owner, endpoints })
    const clientWallet = cocoonWalletInit(new Uint8Array(key('clientWallet').publicKey), network.user).address
    const gift = (to: Address, ton: string) => ({ to, value: toNano(ton), body: beginCell().endCell(), mode: 1, bounce: false })
    await owner.send([gift(clientWallet, '20000'), gift(network.proxyWallet, '200'), gift(network.workerWallet, '200')])
    await warm
    tellLocalEndpoint(dataPaths(folder).localEndpoint, { endpoint: chain.endpoint, root: network.root })
    const scene = new KillScene({ folder, chain, engine, network, ports, clientWallet })
    scene.#writeKeys('client', { walletKey: text('clientWallet'), masterSecret: text('secret') })
    scene.#writeKeys('worker', { walletKey: text('workerWallet') })
    scene.#writeKeys('proxy', { walletKey: text('proxyWallet'), machineKey: text('proxyKey') })
    return scene
  }

  #path(role: RoleName, file: string): string {
    return join(this.#folder, 'roles', 'local', role, file)
  }

  #writeKeys(role: RoleName, keys: Record<string, string>): void {
    const path = this.#path(role, 'keys.json')
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, JSON.stringify({ version: 1, accessHash, ...keys }), { mode: 0o600 })
  }

  #arguments(role: RoleName): string[] {
    const { workers, clients, http, status } = this.#ports
    const owner = (role === 'proxy' ? this.network.networkOwner : this.network.user).toString()
    const common = [role, '--network', 'local', '--data-dir', this.#folder, '--owner', owner]
    const own = {
      client: ['--http', `127.0.0.1:${http}`, '--top-up', '100'],
      worker: ['--engine', this.#engine.url, '--model', `${model}@commit:hash`, '--max-active', '64'],
      proxy: `--workers-port ${workers} --clients-port ${clients} --host 127.0.0.1 --pow 6 --http 127.0.0.1:${status}`.split(' '),
    }
    return [...common, ...own[role]]
  }

  /** Starts the process; it is up some time later. */
  start(role: RoleName): void {
    this.#roles.set(role, new RoleProcess(this.#arguments(role), join(this.#folder, 'cache')))
  }

  /** Resolves when the role is up. */
  async up(role: RoleName): Promise<void> {
    await this.#roles.get(role)?.says('Running.', 60_000)
  }

  async kill(role: RoleName): Promise<void> {
    const process_ = this.#roles.get(role)
    this.#roles.delete(role)
    await process_?.kill()
    this.#said.set(role, (this.#said.get(role) ?? '') + (process_?.output ?? ''))
  }

  /** Ends the chain; what asks it is refused from then on. */
  endChain(): Promise<void> {
    return this.#chain.close()
  }

  /** Asks a role to end in order; returns its exit code. */
  async stop(role: RoleName): Promise<number> {
    const process_ = this.#roles.get(role)
    process_?.signal('SIGTERM')
    return (await process_?.exit()) ?? -1
  }

  /** Asks every role to end in order, proxy last; returns the exit codes. */
  async stopAll(): Promise<number[]> {
    const codes: number[] = []
    for (const role of roleNames) codes.push(await this.stop(role))
    return codes
  }

  /** Everything that the processes of a role have said. */
  output(role: RoleName): string {
    return (this.#said.get(role) ?? '') + (this.#roles.get(role)?.output ?? '')
  }

  /** Asks the proxy to bring everything on chain that is counted by now. False while it is down. */
  async settle(): Promise<boolean> {
    const ask = (path: string, owner: Address): Promise<Response> =>
      fetch(`http://127.0.0.1:${this.#ports.status}/request/${path}=${owner.toString()}&access_hash=${accessHash}`)
    try {
      const answers = [await ask('charge?client', this.#clientWallet), await ask('payout?worker', this.network.user)]
      return answers.every(({ status }) => status === 200)
    } catch {
      return false
    }
  }

  proxyBook(dead = false): ReturnType<typeof proxyBook> {
    return proxyBook(this.#path('proxy', 'proxy.db'), dead)
  }

  clientBook(dead = false): PeerAccount | undefined {
    return peerBook(this.#path('client', 'client.db'), 'client_contract', dead)
  }

  workerBook(dead = false): PeerAccount | undefined {
    return peerBook(this.#path('worker', 'worker.db'), 'worker_contract', dead)
  }

  async chainBook(): Promise<ChainBook> {
    const { chain } = this.#chain
    const { client, worker } = this.proxyBook()
    const read = async <T>(
      address: Address | undefined,
      parse: (data: NonNullable<Account['data']>) => T,
    ): Promise<T | undefined> => {
      const data = address === undefined ? null : (await chain.account(address)).data
      return data === null ? undefined : parse(data)
    }
    const clientState = await read(client?.contract, parseClientState)
    const workerState = await read(worker?.contract, parseWorkerState)
    const proxyState = await read(this.network.proxyContract, parseProxyState)
    return {
      client: { used: clientState?.tokensUsed ?? 0n, balance: clientState?.balance ?? 0n },
      worker: { paid: workerState?.tokens ?? 0n },
      commission: proxyState?.balance ?? 0n,
    }
  }

  async close(): Promise<void> {
    for (const role of roleNames) await this.kill(role)
    forgetLocalEndpoint(dataPaths(this.#folder).localEndpoint)
    await this.#chain.close()
    await this.#engine.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

type Account = Awaited<ReturnType<LocalChain['chain']['account']>>
