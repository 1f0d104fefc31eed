import type { Address } from '@ton/core'
import { Account, type AccountKind, accountKey } from './account.ts'
import type { LedgerStore, PendingCommit } from './ledger-store.ts'

export type SeenCommit =
  /** Ours and new: these accounts may be promised more. */
  | { readonly kind: 'final'; readonly accounts: readonly Account[] }
  /** Seen before, or made by an earlier life of this database. */
  | { readonly kind: 'old' }
  /** Newer than anything this database knows: the database is older than the chain. */
  | { readonly kind: 'unknown' }

/**
 * The counters of one proxy contract and their way to the disk and the chain (50 §5). A commit is on disk when `commit` returns, or when
 * the promise of `commitSoon` resolves.
 */
export class Ledger {
  readonly #store: LedgerStore
  readonly #session: Uint8Array
  readonly #accounts = new Map<string, Account>()
  readonly #dirty = new Set<Account>()
  /** Written by a `commitSoon` that has not told yet whether the disk has it, with its seqno. */
  readonly #unsynced = new Map<Account, number>()
  #lastSeqno: number
  #seenSeqno: number

  /** @param session 32 random bytes, new for each start of the proxy. */
  constructor(store: LedgerStore, session: Uint8Array) {
    this.#store = store
    this.#session = session
    for (const account of store.loadAccounts()) this.#accounts.set(account.key, account)
    const { last, seen } = store.progress()
    this.#lastSeqno = last
    this.#seenSeqno = seen
  }

  get accounts(): IterableIterator<Account> {
    return this.#accounts.values()
  }

  get lastSeqno(): number {
    return this.#lastSeqno
  }

  get dirty(): boolean {
    return this.#dirty.size > 0
  }

  find(kind: AccountKind, owner: Address): Account | undefined {
    return this.#accounts.get(accountKey(kind, owner))
  }

  /** The account, made with zero counters when there is none. Known to the disk with the next commit only. */
  open(kind: AccountKind, owner: Address, contract: Address): Account {
    const known = this.find(kind, owner)
    if (known !== undefined) return known
    const account = new Account(kind, owner, contract)
    this.#accounts.set(account.key, account)
    return account
  }

  /** The account, or one with zero counters that this ledger does not keep: what a stranger claims to be costs nothing here. */
  peek(kind: AccountKind, owner: Address, contract: Address): Account {
    return this.find(kind, owner) ?? new Account(kind, owner, contract)
  }

  /** True for an account that this ledger keeps; false for one that was only looked at. */
  keeps(account: Account): boolean {
    return this.#accounts.get(account.key) === account
  }

  /** Forgets an account that nothing was ever counted or seen for. Nobody may hold it any more. False when it stays. */
  dropBlank(account: Account): boolean {
    const blank = account.max === 0n && account.running === 0 && account.client === undefined && account.worker === undefined
    if (!blank || !this.keeps(account) || this.#dirty.has(account) || this.#unsynced.has(account)) return false
    return this.#accounts.delete(account.key)
  }

  /** Books one finished request: the client owes, the worker has earned (50 §5). */
  book(client: Account, worker: Account, tokens: bigint): void {
    if (tokens < 0n) throw new RangeError('an account never falls')
    if (tokens === 0n) return
    for (const account of [worker, client]) {
      account.count(tokens)
      this.#dirty.add(account)
    }
  }

  /** The account's contract state changed: written with the next commit. */
  touch(account: Account): void {
    this.#dirty.add(account)
  }

  /** Raises an account to a total that this proxy had told, and to a part of it that had been final on chain. Durable when it returns. */
  restore(account: Account, levels: { readonly total: bigint; readonly final: bigint }): void {
    account.raiseTo(levels.total)
    this.#dirty.add(account)
    this.commit()
    if (levels.final <= account.chain) return
    this.#store.saveAccount(account, levels.final)
    account.committedToChain(levels.final)
  }

  /** Writes everything that changed, under the next seqno, in one durable transaction. Does nothing when nothing changed. */
  commit(): void {
    // What is on its way to the disk is written again: whoever asks now must not wait for it.
    for (const account of this.#unsynced.keys()) this.#dirty.add(account)
    if (this.#dirty.size === 0) return
    const seqno = this.#lastSeqno + 1
    const changed = [...this.#dirty]
    this.#store.transaction(() => this.#save(changed, seqno))
    this.#lastSeqno = seqno
    this.#dirty.clear()
    this.#unsynced.clear()
    for (const account of changed) account.committedToDb(account.max)
  }

  /**
   * As `commit`, without holding up the thread until the disk has it: what was counted until now may be promised when the promise resolves. When it
   * rejects, or this throws, everything still waits to be written.
   */
  commitSoon(): Promise<void> {
    const changed = [...this.#dirty].map((account) => ({ account, tokens: account.max }))
    if (changed.length === 0) return Promise.resolve()
    const seqno = this.#lastSeqno + 1
    const accounts = changed.map(({ account }) => account)
    const synced = this.#store.transactionSoon(() => this.#save(accounts, seqno))
    this.#lastSeqno = seqno
    this.#dirty.clear()
    for (const account of accounts) this.#unsynced.set(account, seqno)
    // Later commits may have written the same accounts in the meantime: what is theirs stays theirs.
    const settled = (account: Account): boolean => this.#unsynced.get(account) === seqno && this.#unsynced.delete(account)
    return synced.then(
      () => {
        for (const { account, tokens } of changed) {
          settled(account)
          account.committedToDb(tokens)
        }
      },
      (thrown: unknown) => {
        for (const account of accounts) if (settled(account)) this.#dirty.add(account)
        throw thrown
      },
    )
  }

  #save(accounts: readonly Account[], seqno: number): void {
    for (const account of accounts) this.#store.saveAccount(account)
    this.#store.setLastSeqno(seqno)
  }

  /** True when some count is on disk that the chain does not know of. */
  get chainBehind(): boolean {
    for (const account of this.#accounts.values())
      if (account.db > account.chain || this.#dirty.has(account) || this.#unsynced.has(account)) return true
    return false
  }

  /**
   * Commits to disk and notes durably which counts a memo with the returned seqno stands for (60 §5.4). Undefined when the
   * chain knows everything, or a memo for exactly this state was prepared before: then that one is returned again.
   */
  prepareChainCommit(): PendingCommit | undefined {
    this.commit()
    const levels = [...this.#accounts.values()].filter((account) => account.db > account.chain)
    if (levels.length === 0) return undefined
    const waiting = this.#store.pending().find((commit) => commit.seqno === this.#lastSeqno)
    if (waiting !== undefined) return waiting
    const commit = { seqno: this.#lastSeqno, session: this.#session }
    this.#store.transaction(() => this.#store.addPending(commit, levels))
    return commit
  }

  /** A memo of our own wallet was seen on chain. Throws `Failure` of the storage; nothing is changed then. */
  chainCommitSeen(seqno: number, session: Uint8Array): SeenCommit {
    const match = this.#store.pending().find((commit) => commit.seqno === seqno)
    if (match === undefined || !Buffer.from(match.session).equals(Buffer.from(session))) {
      return seqno <= this.#seenSeqno || seqno <= this.#lastSeqno ? { kind: 'old' } : { kind: 'unknown' }
    }
    const raised: { account: Account; tokens: bigint }[] = []
    for (const { kind, owner, tokens } of this.#store.pendingLevels(seqno)) {
      const account = this.find(kind, owner)
      if (account !== undefined && tokens > account.chain) raised.push({ account, tokens })
    }
    // The disk first: if it refuses, the memo is as unseen as before, and counts in full when it is seen again.
    this.commit()
    this.#store.transaction(() => {
      for (const { account, tokens } of raised) this.#store.saveAccount(account, tokens)
      this.#store.dropPending(seqno)
      this.#store.setSeenSeqno(seqno)
    })
    for (const { account, tokens } of raised) account.committedToChain(tokens)
    this.#seenSeqno = Math.max(this.#seenSeqno, seqno)
    return { kind: 'final', accounts: raised.map(({ account }) => account) }
  }
}
