import { randomBytes } from 'node:crypto'
import { type Address, beginCell } from '@ton/core'
import { randomQueryId } from '../../contracts/common.ts'
import { parseProxyState, proxyIncreaseStake } from '../../contracts/proxy.ts'
import { Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import type { Database } from '../storage/database.ts'
import type { OutMessage } from '../wallet/sender.ts'
import type { Account } from './account.ts'
import { type ProxyIdentity, proxyContract } from './addresses.ts'
import { ChainFollower } from './chain-follower.ts'
import { Commission } from './commission.ts'
import { recover } from './kept-words.ts'
import { Ledger } from './ledger.ts'
import { LedgerStore } from './ledger-store.ts'
import { Nonces } from './nonces.ts'
import { PaymentDesk } from './payment-desk.ts'
import type { ProxyConfig, ProxyDeps } from './proxy-config.ts'
import { Retirement } from './retirement.ts'
import { Settlement } from './settlement.ts'

export interface InstanceOptions {
  readonly config: ProxyConfig
  readonly deps: ProxyDeps
  readonly db: Database
  readonly identity: ProxyIdentity
  readonly now: () => number
  /** Counts of accounts have become final, or an account's contract has changed. */
  readonly onAccounts: (accounts: readonly Account[], final: boolean) => void
  readonly onTrouble: (trouble: Error | undefined) => void
  /** The contract of former terms is closed: this instance has nothing left to do. */
  readonly onClosed: () => void
}

/** nanoton that a new proxy contract gets for its storage. */
const deployNano = 200_000_000n
const emptyBody = beginCell().endCell()
const deployLimitMs = 120_000

/** One proxy contract with its counters, payments, view of the chain and duties. */
export class Instance {
  readonly identity: ProxyIdentity
  readonly contract: Address
  readonly store: LedgerStore
  readonly ledger: Ledger
  readonly desk: PaymentDesk
  readonly nonces = new Nonces()
  /** True once its params are history: it only settles and refunds. */
  winding = false
  readonly #o: InstanceOptions
  readonly #settlement: Settlement | undefined
  readonly #commission: Commission | undefined
  readonly #retirement: Retirement | undefined
  readonly #stopping = new AbortController()
  #loops: Promise<void>[] = []
  #behind = false

  constructor(options: InstanceOptions) {
    const { config, deps, db, identity, now } = options
    this.#o = options
    this.identity = identity
    this.contract = proxyContract(identity).address
    this.store = new LedgerStore(db, this.contract)
    this.ledger = new Ledger(this.store, new Uint8Array(randomBytes(32)))
    const { signer } = deps.key
    const logger = deps.logger
    const wallet = deps.side.kind === 'chain' ? deps.side.sender.address : deps.side.wallet
    this.desk = new PaymentDesk({
      ledger: this.ledger,
      signer,
      wallet,
      commitDelayMs: config.dbCommitDelayMs,
      logger,
      onTrouble: options.onTrouble,
    })
    if (deps.side.kind === 'chain') {
      const { chain, sender } = deps.side
      this.#commission = new Commission({
        chain,
        sender,
        contract: this.contract,
        fromNano: config.terms.withdrawNano,
        logger,
        now,
      })
      this.#retirement = new Retirement({
        chain,
        sender,
        signer,
        contract: this.contract,
        ledger: this.ledger,
        logger,
        now,
        onClosed: options.onClosed,
      })
      this.#settlement = new Settlement({
        identity,
        contract: this.contract,
        ledger: this.ledger,
        desk: this.desk,
        sender: deps.side.sender,
        signer,
        terms: config.terms,
        logger,
        now,
        winding: () => this.winding,
      })
    }
  }

  /** Deploys the contract if need be, reads the chain up to now, and begins to follow and to settle. */
  async start(): Promise<void> {
    const { side } = this.#o.deps
    const { signal } = this.#stopping
    if (side.kind === 'pseudo') {
      this.#loops = [this.#pretend(signal)]
      return
    }
    if (!this.winding) await this.#deploy()
    const follower = new ChainFollower({
      chain: side.chain,
      identity: this.identity,
      contract: this.contract,
      wallet: side.sender.address,
      ledger: this.ledger,
      store: this.store,
      logger: this.#o.deps.logger,
      onRegistered: (nonce, owner) => this.nonces.registered(nonce, owner),
      onFinal: (accounts) => this.#final(accounts),
      onBehind: () => {
        this.#behind = true
      },
      onAccount: (account) => this.#o.onAccounts([account], false),
    })
    const { caughtUp, done } = follower.start(signal)
    this.#loops = [done]
    await caughtUp
    if (signal.aborted)
      throw new Failure('proxy-start-aborted', 'The proxy was stopped before it had read the chain.', { retryable: true })
    if (this.#behind && !this.#o.config.acceptLostDatabase) {
      await this.stop()
      throw new Failure('proxy-database-behind', 'The chain knows of more work than the database of this proxy.', {
        advice:
          'Bring the newest copy of the database back. Starting without it forgets what clients owe and workers have earned.',
        money: 'What the contracts have settled is safe; counts since then are in the lost database.',
      })
    }
    // After the chain: what that has settled is known already, and both only raise.
    const { ledger, identity, contract } = this
    recover(this.#o.config.keptWords ?? [], { ledger, identity, contract, logger: this.#o.deps.logger })
    this.#loops.push(this.#settle(signal))
  }

  /** Ends what it waits for, also a start; the end itself is `stop`. */
  abort(): void {
    this.#stopping.abort()
  }

  async stop(): Promise<void> {
    this.abort()
    await Promise.all(this.#loops)
    this.desk.stop()
  }

  /** Charge or pay out this account soon, below the threshold too. */
  settleNow(account: Account): void {
    this.#settlement?.want(account)
  }

  /** Pay the commission out to the owner soon, however small it is. */
  withdrawNow(): void {
    this.#commission?.ask()
  }

  #final(accounts: readonly Account[]): void {
    this.#settlement?.memoSeen()
    this.#o.onAccounts(accounts, true)
  }

  async #settle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#settlement?.tick()
      // What the commission of a contract that closes is worth comes with its end.
      await (this.winding ? this.#retirement : this.#commission)?.tick()
      await pause(this.#o.config.terms.tickMs, signal)
    }
  }

  /** Without a chain every commit is declared final after the usual delay (60 §10). */
  async #pretend(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#o.config.terms.chainCommitDelayMs(), signal)
      if (!this.ledger.chainBehind) continue
      try {
        const commit = this.ledger.prepareChainCommit()
        if (commit === undefined) continue
        const seen = this.ledger.chainCommitSeen(commit.seqno, commit.session)
        if (seen.kind === 'final') this.#final(seen.accounts)
      } catch (thrown) {
        if (!(thrown instanceof Failure)) throw thrown
        this.#o.deps.logger.debug('a commit waits for the disk', { error: thrown.message })
      }
    }
  }

  async #deploy(): Promise<void> {
    const { side, logger } = this.#o.deps
    if (side.kind !== 'chain') return
    const wanted = this.#o.config.stakeNano
    const account = await side.chain.account(this.contract)
    const stake = account.data === null ? 0n : parseProxyState(account.data).stake
    if (account.status === 'active' && stake >= wanted) return
    const missing = wanted - stake
    const { init } = proxyContract(this.identity)
    const empty = { to: this.contract, value: deployNano, init, bounce: false }
    const envelope = { queryId: randomQueryId(), excesses: side.sender.address }
    const message: OutMessage =
      missing > 0n
        ? { ...empty, value: missing + deployNano, body: proxyIncreaseStake(envelope, missing) }
        : { ...empty, body: emptyBody }
    logger.info('deploying the proxy contract', { contract: this.contract.toString(), stakeNano: missing })
    await side.sender.send([message])
    const deadline = Date.now() + deployLimitMs
    while ((await side.chain.account(this.contract)).status !== 'active') {
      if (Date.now() > deadline || this.#stopping.signal.aborted) {
        throw new Failure('proxy-not-deployed', 'The proxy contract did not appear on chain.', {
          advice: 'Look at the balance of the proxy wallet and start the proxy again.',
          money: 'The amount that was sent is in the proxy contract or comes back to the wallet.',
          retryable: true,
        })
      }
      await pause(250, this.#stopping.signal)
    }
  }
}
