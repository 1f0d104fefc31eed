import type { RootState } from '../../contracts/root.ts'
import type { Logger } from '../base/logger.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Account } from './account.ts'
import { ClientLine } from './client-line.ts'
import { Exchange } from './exchange.ts'
import type { Instance } from './instance.ts'
import { type Office, textOf } from './office.ts'
import type { InboundPeer, OpenPort, ProxyConfig, ProxyDeps } from './proxy-config.ts'
import { Quarantine } from './quarantine.ts'
import type { Rates } from './rates.ts'
import { Relay } from './relay.ts'
import { ownVersions } from './versions.ts'
import { WorkerLine } from './worker-line.ts'

export interface ServingOptions {
  readonly config: ProxyConfig
  readonly deps: ProxyDeps
  readonly instance: Instance
  readonly rates: Rates
  readonly now: () => number
  readonly root: () => RootState
  readonly enabled: () => boolean
  readonly onChange: () => void
}

/** Connections on one port at once. */
const mostConnections = 4000
/** Of them so many that have not finished their handshake; beyond it the oldest of these goes, so that strangers cannot keep others out. */
const mostStrangers = 256
/** Messages of the handshake are small; more memory is for those who are through. */
const mostStrangerFrameBytes = 64 * 1024
/** A connection that does not finish its handshake for so long (long authorization may take minutes) is closed. */
const handshakeLimitMs = 600_000
const sweepMs = 60_000

/** The current proxy contract at work: both ports, their connections and the exchange between them. */
export class ServingDesk {
  readonly instance: Instance
  readonly exchange: Exchange
  readonly checkHashes: boolean
  readonly #o: ServingOptions
  readonly #office: Office
  readonly #relay: Relay
  readonly #logger: Logger
  readonly #clients = new Map<PacketConnection, ClientLine>()
  readonly #workers = new Map<PacketConnection, WorkerLine>()
  readonly #quarantine = new Quarantine()
  #ports: OpenPort[] = []
  #sweeper: NodeJS.Timeout | undefined
  workerPort: number | null = null
  clientPort: number | null = null

  constructor(options: ServingOptions) {
    const { config, deps, instance, rates, now } = options
    this.#o = options
    this.instance = instance
    this.#logger = deps.logger
    this.checkHashes = config.checkHashes || !instance.identity.params.isTest
    const shared = { quarantine: this.#quarantine, rates, logger: deps.logger, now, onChange: options.onChange }
    this.#relay = new Relay({
      ...shared,
      ledger: instance.ledger,
      desk: instance.desk,
      multipliers: () => instance.identity.params.multipliers,
      pricePerToken: () => instance.identity.params.pricePerToken,
      ownerText: (query) => textOf(this.#office, query.client.owner),
    })
    this.exchange = new Exchange({
      ...shared,
      relay: this.#relay,
      root: options.root,
      enabled: options.enabled,
      privateKeyOf: deps.privateKeyOf,
    })
    this.#office = {
      identity: instance.identity,
      contract: instance.contract,
      ledger: instance.ledger,
      desk: instance.desk,
      exchange: this.exchange,
      nonces: instance.nonces,
      root: options.root,
      versions: config.versions ?? ownVersions,
      checkHashes: this.checkHashes,
      listedModelsOnly: config.listedModelsOnly,
      sealedQueries: config.sealedQueries ?? true,
      pseudo: deps.side.kind === 'pseudo',
      testnet: config.testnet,
      logger: deps.logger,
      now,
    }
  }

  get readyClients(): number {
    return [...this.#clients.values()].filter((line) => line.seat !== undefined).length
  }

  /** The instance first, so that nobody is served before the chain was read. */
  async start(): Promise<void> {
    await this.instance.start()
    const { openWorkerPort, openClientPort } = this.#o.deps
    const workers = await openWorkerPort((peer) => this.#takeWorker(peer))
    this.#ports.push(workers)
    this.workerPort = workers.port
    const clients = await openClientPort((peer) => this.#takeClient(peer))
    this.#ports.push(clients)
    this.clientPort = clients.port
    this.#sweeper = setInterval(() => this.#quarantine.forgetOld(this.#o.now()), sweepMs)
    this.#sweeper.unref()
  }

  /** Closes ports and connections. Running queries fail and cost nothing. The instance goes on. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    const ports = this.#ports
    this.#ports = []
    const connections = [...this.#workers.keys(), ...this.#clients.keys()]
    for (const seat of [...this.exchange.workers]) this.exchange.removeWorker(seat)
    this.instance.desk.flush()
    for (const connection of connections) connection.close('The proxy closes')
    await Promise.all([...ports.map((port) => port.close()), ...connections.map((connection) => connection.closed)])
  }

  async stop(): Promise<void> {
    await this.close()
    await this.instance.stop()
  }

  /** After each reading of the network contract: workers whose software or model it lists no more are left. Their running queries fail and cost nothing. */
  leaveUnlisted(): void {
    for (const [connection, line] of this.#workers) {
      if (!line.isUnlisted) continue
      if (line.seat !== undefined) this.exchange.removeWorker(line.seat)
      this.#logger.warn('the network contract lists a worker no more', { worker: line.seat?.account.owner.toString() })
      connection.close('The network contract does not list this worker any more')
    }
  }

  /** Counts of these accounts are final now: tell those who are here (30 §4, 40 §3). */
  announce(accounts: readonly Account[]): void {
    const grown = new Set(accounts)
    for (const line of [...this.#workers.values(), ...this.#clients.values()]) {
      const account = line.seat?.account
      if (account !== undefined && grown.has(account)) line.announce(this.instance.desk.signed(account))
    }
  }

  #takeWorker({ connection, imageHash }: InboundPeer): void {
    this.#take(connection, this.#workers, new WorkerLine(this.#office, this.#relay, connection, imageHash))
  }

  #takeClient({ connection }: InboundPeer): void {
    this.#take(connection, this.#clients, new ClientLine(this.#office, connection))
  }

  #take<L extends WorkerLine | ClientLine>(connection: PacketConnection, lines: Map<PacketConnection, L>, line: L): void {
    if (lines.size >= mostConnections) return connection.close('The proxy is full')
    const strangers = [...lines].filter(([, one]) => one.seat === undefined)
    if (strangers.length >= mostStrangers) strangers[0]?.[0].close('Too many have not finished their handshake')
    lines.set(connection, line)
    connection.mostFrameBytes = mostStrangerFrameBytes
    const limit = setTimeout(() => {
      if (line.seat === undefined) connection.close('The handshake took too long')
    }, handshakeLimitMs)
    limit.unref()
    connection.start(line.handlers).catch(() => undefined)
    void connection.closed.then((reason) => {
      clearTimeout(limit)
      lines.delete(connection)
      line.ended()
      this.#logger.debug('a connection is over', { reason: reason.code })
      this.#o.onChange()
    })
  }
}
