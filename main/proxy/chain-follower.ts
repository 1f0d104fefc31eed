import type { Address, Transaction } from '@ton/core'
import { parseClientState } from '../../contracts/client.ts'
import { type ClientRequest, parseProxyMessage, type StateCommit, type WorkerRequest } from '../../contracts/proxy.ts'
import { parseWorkerState } from '../../contracts/worker.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import type { Chain } from '../ton/chain.ts'
import type { Account } from './account.ts'
import { type ProxyIdentity, peerContract } from './addresses.ts'
import type { Ledger } from './ledger.ts'
import type { LedgerStore } from './ledger-store.ts'

export interface FollowerOptions {
  readonly chain: Chain
  readonly identity: ProxyIdentity
  /** The proxy contract. */
  readonly contract: Address
  /** The proxy's own wallet: only its memos count. */
  readonly wallet: Address
  readonly ledger: Ledger
  readonly store: LedgerStore
  readonly logger: Logger
  /** A client contract registered a nonce of ours (50 §2.2). */
  readonly onRegistered: (nonce: bigint, owner: Address) => void
  /** Counts of these accounts have become final. */
  readonly onFinal: (accounts: readonly Account[]) => void
  /** A memo newer than this database was seen: the database is an old copy. */
  readonly onBehind: () => void
  /** The chain's view of an account changed. */
  readonly onAccount: (account: Account) => void
  /** Pause after a failure of chain or disk; 2 s by default. */
  readonly retryMs?: number
}

/**
 * Reads every transaction of the proxy contract, oldest first, from where the database says it stopped (50 §6). What does not
 * parse or does not come from the contract that it names is logged and skipped.
 */
export class ChainFollower {
  readonly #o: FollowerOptions

  constructor(options: FollowerOptions) {
    this.#o = options
  }

  /** Follows until `signal` aborts, or the chain is closed. `caughtUp` resolves when everything was read that the chain had at the call, or when it was aborted. */
  start(signal: AbortSignal): { caughtUp: Promise<void>; done: Promise<void> } {
    const caughtUp = Promise.withResolvers<void>()
    return { caughtUp: caughtUp.promise, done: this.#run(signal, caughtUp.resolve).finally(caughtUp.resolve) }
  }

  async #run(signal: AbortSignal, caughtUp: () => void): Promise<void> {
    const { chain, contract, store, logger } = this.#o
    const target = await this.#newestLt(signal)
    if (signal.aborted) return
    let cursor = store.progress().cursorLt
    if (cursor > target) {
      // A chain that lost its last blocks (the local one can, after a crash): read it again, every effect is idempotent.
      logger.warn('the chain is older than this proxy remembers', { contract: contract.toString(), cursor, target })
      cursor = 0n
    }
    if (cursor >= target) caughtUp()
    while (!signal.aborted) {
      try {
        for await (const transaction of chain.watch(contract, cursor, signal)) {
          this.#take(transaction)
          cursor = transaction.lt
          if (cursor >= target) caughtUp()
        }
      } catch (thrown) {
        if (thrown instanceof Failure && thrown.code === 'chain-closed') return
        const error = asError(thrown)
        logger.error('following the chain failed', { contract: contract.toString(), error: error.message })
        if (thrown instanceof Failure && thrown.code === 'history-pruned') {
          const skipped = await this.#skipHistory(signal)
          if (skipped !== undefined) {
            cursor = skipped
            caughtUp()
          }
        }
        await pause(this.#o.retryMs ?? 2000, signal)
      }
    }
  }

  /** Takes the contracts as they are now, and tells from which `lt` on to follow; undefined when the disk refused: to be tried again. */
  async #skipHistory(signal: AbortSignal): Promise<bigint | undefined> {
    const { store, logger } = this.#o
    const newest = await this.#newestLt(signal)
    if (signal.aborted) return undefined
    try {
      await this.#readAccounts()
      store.setCursor(newest)
      return newest
    } catch (thrown) {
      logger.error('the contracts could not be taken as they are', { error: asError(thrown).message })
      return undefined
    }
  }

  async #newestLt(signal: AbortSignal): Promise<bigint> {
    while (!signal.aborted) {
      try {
        return (await this.#o.chain.account(this.#o.contract)).last?.lt ?? 0n
      } catch (thrown) {
        this.#o.logger.warn('the chain does not answer', { error: asError(thrown).message })
        await pause(2000, signal)
      }
    }
    return 0n
  }

  #take(transaction: Transaction): void {
    const { store, logger } = this.#o
    const after: (() => void)[] = []
    try {
      this.#apply(transaction, after)
    } catch (thrown) {
      // The disk refused: the transaction is read again later. Anything else was written by others, and the proxy goes on.
      if (thrown instanceof Failure) throw thrown
      logger.warn('a transaction was not understood', { lt: transaction.lt, error: asError(thrown).message })
    }
    for (const tell of after) tell()
    // After the effects, so that a crash or a full disk in between repeats them; each of them can be repeated.
    store.setCursor(transaction.lt)
  }

  /**
   * The message counts, not what became of it: client contracts report with 1 nanoton, which pays for no computation (60 §6.2), and
   * what a contract of ours says about itself is true even where the proxy contract refuses it. Contracts that take back what was refused
   * say so by another message, whose total may be lower: the last one counts.
   */
  #apply(transaction: Transaction, after: (() => void)[]): void {
    const message = transaction.inMessage
    if (message?.info.type !== 'internal' || message.info.bounced || message.body.bits.length === 0) return
    const parsed = parseProxyMessage(message.body)
    if (parsed === null) {
      this.#o.logger.info('a message to the proxy contract is not for the proxy', { lt: transaction.lt })
      return
    }
    const sender = message.info.src
    if (parsed.kind === 'state-commit') this.#memo(parsed, sender, after)
    else if (parsed.kind === 'client-request') this.#client(parsed, sender, after)
    else this.#worker(parsed, sender, after)
  }

  #memo(memo: StateCommit, sender: Address, after: (() => void)[]): void {
    const { wallet, ledger, logger, onFinal, onBehind } = this.#o
    if (!sender.equals(wallet)) return logger.warn('a commit memo of a stranger was ignored', { sender: sender.toString() })
    const seen = ledger.chainCommitSeen(memo.seqno, memo.sessionHash)
    if (seen.kind === 'final') after.push(() => onFinal(seen.accounts))
    if (seen.kind === 'unknown') after.push(onBehind)
  }

  #expected(kind: 'client' | 'worker', owner: Address, sender: Address): boolean {
    const { identity, contract, logger } = this.#o
    const { address } = peerContract(identity, contract, kind, owner)
    if (address.equals(sender)) return true
    logger.warn(`a ${kind} request of a stranger was ignored`, { sender: sender.toString() })
    return false
  }

  #client(request: ClientRequest, sender: Address, after: (() => void)[]): void {
    if (!this.#expected('client', request.owner, sender)) return
    const { ledger, onRegistered } = this.#o
    const account = ledger.open('client', request.owner, sender)
    account.client = {
      state: request.state,
      balance: request.balance,
      stake: request.stake,
      used: request.tokensUsed,
      secretHash: request.secretHash,
    }
    this.#changed(account, request.tokensUsed, after)
    const { payload } = request
    if (payload?.kind === 'register') after.push(() => onRegistered(payload.nonce, request.owner))
  }

  #worker(request: WorkerRequest, sender: Address, after: (() => void)[]): void {
    if (!this.#expected('worker', request.owner, sender)) return
    const account = this.#o.ledger.open('worker', request.owner, sender)
    account.worker = { state: request.state, tokens: request.tokens }
    this.#changed(account, request.tokens, after)
  }

  #changed(account: Account, settled: bigint, after: (() => void)[]): void {
    const { ledger, logger, onAccount } = this.#o
    if (account.raiseTo(settled)) {
      logger.warn('a contract has settled more than the database knew', { account: account.key, tokens: settled })
    }
    ledger.touch(account)
    ledger.commit()
    after.push(() => onAccount(account))
  }

  /** The stretch of history that we missed is gone at the endpoint: take the contracts as they are now. */
  async #readAccounts(): Promise<void> {
    const { ledger, chain, logger } = this.#o
    for (const account of [...ledger.accounts]) {
      try {
        const { data } = await chain.account(account.contract)
        if (data === null) continue
        if (account.kind === 'client') {
          const { state, balance, stake, tokensUsed, secretHash } = parseClientState(data)
          account.client = { state, balance, stake, used: tokensUsed, secretHash }
        } else {
          const { state, tokens } = parseWorkerState(data)
          account.worker = { state, tokens }
        }
        this.#changed(account, account.settled, [])
      } catch (thrown) {
        if (thrown instanceof Failure && thrown.retryable) throw thrown
        logger.error('a contract could not be read', { account: account.key, error: asError(thrown).message })
      }
    }
  }
}
