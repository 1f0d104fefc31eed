import type { Address } from '@ton/core'
import { Cell } from '@ton/core'
import { parseParams, storeParams } from '../../contracts/params.ts'
import { Derived } from '../base/derived.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'
import { checkVersions } from '../protocol/handshake/versions.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import { rootAge } from '../ton/root-age.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Account, AccountKind } from './account.ts'
import { DisabledUntil } from './disabled-until.ts'
import { Instance } from './instance.ts'
import { jsonStats, type StatsRead } from './jsonstats.ts'
import { listInstances, makeCurrent, noteClosed, proxyMigrations } from './ledger-store.ts'
import type { ProxyConfig, ProxyDeps } from './proxy-config.ts'
import { newRates, type Rates } from './rates.ts'
import { ServingDesk } from './serving-desk.ts'
import { modelStatuses, type ProxyStatus, stoppedStatus, totalsOf } from './status.ts'
import { ownVersions } from './versions.ts'

const rootLimitMs = 7_200_000
const startAborted = (): Failure<'proxy-start-aborted'> =>
  new Failure('proxy-start-aborted', 'The proxy was stopped before it had started.', { retryable: true })
const disabledByOperator = 'The operator has disabled this proxy until the network has a newer version.'

/**
 * The Cocoon proxy (protocol file 50): takes clients and workers on two ports, brings queries to workers, counts, signs, and
 * settles on chain.
 */
export class CocoonProxy {
  readonly #config: ProxyConfig
  readonly #deps: ProxyDeps
  readonly #now: () => number
  readonly #rates: Rates
  #db: Database | undefined
  #disabled: DisabledUntil | undefined
  #root: RootConfig | undefined
  #serving: ServingDesk | undefined
  #old: Instance[] = []
  #trouble: string | null = null
  #phase: ProxyStatus['phase'] = 'stopped'
  #unwatchRoot: (() => void) | undefined
  /** One change of params after the other. */
  #changing: Promise<void> = Promise.resolve()
  #closing = false
  /** Last, because it reads the others: most of the time nobody looks, and each request changes it several times. */
  readonly #status: Derived<ProxyStatus> = new Derived(() => this.#statusNow())

  constructor(config: ProxyConfig, deps: ProxyDeps) {
    checkVersions(config.versions ?? ownVersions)
    this.#config = config
    this.#deps = deps
    this.#now = deps.now ?? Date.now
    this.#rates = newRates(this.#now())
  }

  get status(): Watchable<ProxyStatus> {
    return this.#status
  }

  /**
   * Waits for the root's state, deploys the proxy contract if need be, reads the chain up to now and opens both ports.
   * Throws `Failure`: `proxy-database-behind`, `proxy-not-deployed`, those of the database, the wallet and the ports. After a throw
   * nothing is left open.
   */
  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (this.#phase !== 'stopped') throw new TypeError('the proxy was started before')
    this.#phase = 'starting'
    this.#closing = false
    this.#status.changed()
    const onAbort = (): void => this.#abortInstances()
    signal.addEventListener('abort', onAbort)
    try {
      const root = await this.#firstRoot(signal)
      this.#root = root
      this.#db = this.#openDatabase()
      this.#disabled = new DisabledUntil(this.#db)
      await this.#open(root)
      await this.#resumeOld(signal)
      if (signal.aborted) throw startAborted()
      this.#unwatchRoot = this.#deps.root.onChange((next) => {
        if (next !== null) this.#changing = this.#changing.then(() => this.#rootChanged(next))
      })
      this.#phase = 'serving'
      this.#status.changed()
    } catch (thrown) {
      await this.stop()
      throw thrown
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Takes no new queries from now on (651 for clients); running ones go on. The end is `stop`. */
  takeNoMore(): void {
    this.#closing = true
  }

  /**
   * Takes no new queries until the network's version is above `untilVersion`, its present one by default, also after a restart (50 §7). Running
   * queries go on, balances are settled as before. False while the proxy is not serving. Throws `Failure` of the storage.
   */
  disable(untilVersion = this.#root?.version): boolean {
    return untilVersion !== undefined && this.#setDisabled(untilVersion)
  }

  /** Takes queries again. As `disable`. */
  enable(): boolean {
    return this.#setDisabled(undefined)
  }

  #setDisabled(version: number | undefined): boolean {
    if (this.#disabled === undefined || this.#phase !== 'serving') return false
    this.#disabled.set(version)
    this.#deps.logger.info('the operator changed what the proxy takes', { disabledUntilVersion: version ?? 'none' })
    this.#status.changed()
    return true
  }

  #isDisabled(): boolean {
    return this.#root !== undefined && this.#disabled?.holds(this.#root.version) === true
  }

  /** Closes ports and connections, writes every count, stops following the chain. Safe to call at any time. */
  async stop(): Promise<void> {
    this.#phase = 'stopping'
    this.#unwatchRoot?.()
    this.#unwatchRoot = undefined
    // A move to new terms waits for the chain: it is given up first.
    this.#abortInstances()
    await this.#changing
    await this.#serving?.stop()
    await Promise.all(this.#old.map((instance) => instance.stop()))
    this.#serving = undefined
    this.#old = []
    this.#db?.close()
    this.#db = undefined
    this.#disabled = undefined
    this.#phase = 'stopped'
    this.#status.changed()
  }

  /** Charges a client or pays a worker out with the next chain commit, below the threshold too. False when it is unknown. */
  settleNow(kind: AccountKind, owner: Address): boolean {
    let found = false
    for (const instance of this.#instances()) {
      const account = instance.ledger.find(kind, owner)
      if (account === undefined) continue
      instance.settleNow(account)
      found = true
    }
    return found
  }

  /** Pays the commission out to the owner, however small it is, from old contracts too. False while there is no contract. */
  withdrawNow(): boolean {
    const instances = this.#instances()
    for (const instance of instances) instance.withdrawNow()
    return instances.length > 0
  }

  /** Counters of one account under the present params; undefined when it has none. */
  account(kind: AccountKind, owner: Address): Account | undefined {
    return this.#serving?.instance.ledger.find(kind, owner)
  }

  /** Data of `/jsonstats` (50 §9); undefined while the proxy is not serving. Amounts of chain accounts are the caller's to read. */
  stats(read: StatsRead): Record<string, unknown> | undefined {
    const serving = this.#serving
    if (serving === undefined || this.#root === undefined) return undefined
    return jsonStats({
      instance: serving.instance,
      old: this.#old,
      exchange: serving.exchange,
      rates: this.#rates,
      root: this.#root,
      enabled: this.#trouble === null && !this.#isDisabled(),
      disabledUntil: this.#isDisabled() ? this.#disabled?.version : undefined,
      checkHashes: serving.checkHashes,
      nowMs: this.#now(),
      address: (address) => address.toString({ testOnly: this.#config.testnet }),
      ...read,
    })
  }

  #openDatabase(): Database {
    const { logger, openDatabase: open } = this.#deps
    const { databasePath: path } = this.#config
    return open === undefined ? openDatabase(path, proxyMigrations, { logger }) : open(path, proxyMigrations)
  }

  #instances(): Instance[] {
    return this.#serving === undefined ? this.#old : [this.#serving.instance, ...this.#old]
  }

  async #firstRoot(signal: AbortSignal): Promise<RootConfig> {
    for await (const root of this.#deps.root.values(signal)) if (root !== null) return root
    throw startAborted()
  }

  #abortInstances(): void {
    for (const instance of this.#instances()) instance.abort()
  }

  #instance(params: RootConfig['params'], root: Address): Instance {
    if (this.#db === undefined) throw new TypeError('no database is open')
    const { owner } = this.#config
    const { publicKey } = this.#deps.key
    const instance: Instance = new Instance({
      config: this.#config,
      deps: this.#deps,
      db: this.#db,
      identity: { owner, root, publicKey, params },
      now: this.#now,
      onAccounts: (accounts, final) => {
        if (final && this.#serving?.instance === instance) this.#serving.announce(accounts)
        this.#status.changed()
      },
      onTrouble: (error) => {
        this.#trouble = error === undefined ? null : error.message
        this.#status.changed()
      },
      onClosed: () => {
        this.#changing = this.#changing.then(() => this.#retired(instance))
      },
    })
    return instance
  }

  async #open(root: RootConfig): Promise<void> {
    if (this.#db === undefined) throw new TypeError('no database is open')
    const instance = this.#instance(root.params, root.address)
    makeCurrent(this.#db, {
      contract: instance.contract,
      paramsVersion: root.params.paramsVersion,
      params: new Uint8Array(storeParams(root.params, 'root').toBoc()),
      createdMs: this.#now(),
    })
    const serving: ServingDesk = new ServingDesk({
      config: this.#config,
      deps: this.#deps,
      instance,
      rates: this.#rates,
      now: this.#now,
      root: () => this.#root ?? root,
      enabled: () =>
        !this.#closing && this.#trouble === null && !this.#isDisabled() && (!serving.checkHashes || this.#listsHold()),
      onChange: () => this.#status.changed(),
    })
    this.#serving = serving
    await serving.start()
  }

  /** Old hash lists say nothing about who is genuine today (50 §1), and none do while endpoints disagree about the contract. */
  #listsHold(): boolean {
    const root = this.#root
    return root !== undefined && root.disputed === undefined && rootAge(root, this.#now(), rootLimitMs) === 'fresh'
  }

  /** Contracts of former params: their clients are refunded, their workers paid. */
  async #resumeOld(signal: AbortSignal): Promise<void> {
    if (this.#db === undefined || this.#root === undefined || this.#deps.side.kind === 'pseudo') return
    for (const row of listInstances(this.#db)) {
      if (signal.aborted) return
      if (row.current || row.closed) continue
      const [cell] = Cell.fromBoc(Buffer.from(row.params))
      if (cell === undefined) continue
      const instance = this.#instance(parseParams(cell), this.#root.address)
      if (!instance.contract.equals(row.contract)) {
        // Another key or owner made it; its clients cannot be served with ours.
        this.#deps.logger.error('an old proxy contract is not ours', { contract: row.contract.toString() })
        continue
      }
      instance.winding = true
      this.#old.push(instance)
      await instance.start()
    }
  }

  /** The contract of former terms has ended. */
  async #retired(instance: Instance): Promise<void> {
    if (this.#db === undefined || !this.#old.includes(instance)) return
    noteClosed(this.#db, instance.contract)
    this.#old = this.#old.filter((one) => one !== instance)
    await instance.stop()
    this.#status.changed()
  }

  async #rootChanged(next: RootConfig): Promise<void> {
    const before = this.#root
    if (before === undefined || this.#phase !== 'serving' || next.version < before.version) return
    this.#root = next
    this.#serving?.leaveUnlisted()
    const present = this.#serving?.instance.identity.params
    // Without a serving desk the last move failed: try again with each reading.
    if (present !== undefined && next.params.paramsVersion <= present.paramsVersion) return this.#status.changed()
    this.#deps.logger.info('the network has new terms', { paramsVersion: next.params.paramsVersion })
    try {
      const serving = this.#serving
      if (serving !== undefined) {
        this.#serving = undefined
        serving.instance.winding = true
        this.#old.push(serving.instance)
        await serving.close()
      }
      if (this.#phase !== 'serving') return
      await this.#open(next)
      this.#trouble = null
    } catch (thrown) {
      // Half open: what was made is stopped, and made anew at the next reading.
      const half = this.#serving
      this.#serving = undefined
      await half?.stop()
      this.#trouble = asError(thrown).message
      this.#deps.logger.error('the proxy could not move to the new terms', { error: this.#trouble })
    }
    this.#status.changed()
  }

  #statusNow(): ProxyStatus {
    const serving = this.#serving
    if (serving === undefined) return { ...stoppedStatus, phase: this.#phase, trouble: this.#trouble }
    const models = modelStatuses(serving.exchange)
    // While it moves to a new contract the ports are closed.
    const moving = this.#phase === 'serving' && serving.clientPort === null
    return {
      phase: moving ? 'starting' : this.#phase,
      trouble: this.#trouble ?? (this.#isDisabled() ? disabledByOperator : null),
      contract: serving.instance.contract,
      workerPort: serving.workerPort,
      clientPort: serving.clientPort,
      models,
      workers: serving.exchange.workers.size,
      clients: serving.readyClients,
      runningQueries: models.reduce((sum, model) => sum + model.runningQueries, 0),
      oldContracts: this.#old.length,
      totals: totalsOf(this.#rates),
    }
  }
}
