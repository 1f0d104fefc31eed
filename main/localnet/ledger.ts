import { randomInt } from 'node:crypto'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Address, Cell, loadShardAccount, type ShardAccount } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'

/** Version of the tables below, in SQLite's `user_version`. */
const tableVersion = 1

export interface StoredTransaction {
  readonly lt: bigint
  readonly hash: Uint8Array
  readonly boc: Uint8Array
}

/** Where the chain stands after the newest block; one block a processed external message. */
export interface Head {
  readonly seqno: number
  readonly lt: bigint
  /** Unix seconds. */
  readonly now: number
}

/** All that one external message changed. */
export interface Block {
  readonly head: Head
  /** Whole accounts (ShardAccount BoC) by raw address. */
  readonly accounts: ReadonlyMap<string, Uint8Array>
  readonly transactions: ReadonlyArray<StoredTransaction & { readonly account: string }>
}

/** The local chain on disk: config, accounts, and the newest transactions of each. One process at a time. */
export class Ledger {
  readonly #db: DatabaseSync
  readonly #historyPerAccount: number
  readonly #readAccount: StatementSync
  readonly #writeAccount: StatementSync
  readonly #writeTransaction: StatementSync
  readonly #prune: StatementSync
  readonly #newest: StatementSync
  readonly #downFrom: StatementSync
  readonly #setMeta: StatementSync
  readonly #getMeta: StatementSync
  #head: Head

  /**
   * Opens or makes the file.
   * @throws Failure `chain-in-use` when another process has it, `chain-newer` when a newer release wrote it, `chain-damaged`.
   */
  constructor(file: string, historyPerAccount: number) {
    this.#historyPerAccount = historyPerAccount
    this.#db = open(file)
    const db = this.#db
    this.#readAccount = db.prepare('SELECT shard FROM account WHERE address = ?')
    this.#writeAccount = db.prepare(
      'INSERT INTO account (address, shard) VALUES (?, ?) ON CONFLICT (address) DO UPDATE SET shard = excluded.shard',
    )
    this.#writeTransaction = db.prepare('INSERT INTO tx (address, lt, hash, boc) VALUES (?, ?, ?, ?)')
    this.#prune = db.prepare(
      'DELETE FROM tx WHERE address = ?1 AND lt <= (SELECT lt FROM tx WHERE address = ?1 ORDER BY lt DESC LIMIT 1 OFFSET ?2)',
    )
    this.#newest = db.prepare('SELECT lt, hash, boc FROM tx WHERE address = ? ORDER BY lt DESC LIMIT ?')
    this.#downFrom = db.prepare('SELECT lt, hash, boc FROM tx WHERE address = ? AND lt <= ? ORDER BY lt DESC LIMIT ?')
    for (const statement of [this.#newest, this.#downFrom]) statement.setReadBigInts(true)
    this.#setMeta = db.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    )
    this.#getMeta = db.prepare('SELECT value FROM meta WHERE key = ?')
    this.#head = {
      seqno: Number(this.meta('seqno') ?? 0),
      lt: BigInt(this.meta('lt') ?? 0),
      now: Number(this.meta('now') ?? 0),
    }
  }

  get head(): Head {
    return this.#head
  }

  meta(key: string): string | undefined {
    const row = this.#getMeta.get(key)
    return row === undefined ? undefined : String(row.value)
  }

  /** Tells this chain from every other; 0 for one that was made before chains had numbers. */
  get chainId(): number {
    return Number(this.meta('id') ?? 0)
  }

  /** ShardAccount BoC of an account, or undefined for one that was never touched. */
  account(address: string): Uint8Array | undefined {
    const row = this.#readAccount.get(address)
    return row?.shard instanceof Uint8Array ? row.shard : undefined
  }

  /** Makes the chain: config and first balances, in one step. */
  create(config: string, head: Head, accounts: ReadonlyMap<string, Uint8Array>): void {
    this.#atomically(() => {
      this.#setMeta.run('config', config)
      this.#setMeta.run('created', String(head.now))
      this.#write({ head, accounts, transactions: [] })
    })
    this.#head = head
  }

  /** Stores a block whole or not at all. It is on disk when this returns. */
  append(block: Block): void {
    this.#atomically(() => this.#write(block))
    this.#head = block.head
  }

  /** Newest first; from the one with `fromLt` (inclusive) when given. */
  transactions(address: string, limit: number, fromLt?: bigint): StoredTransaction[] {
    const rows = fromLt === undefined ? this.#newest.all(address, limit) : this.#downFrom.all(address, fromLt, limit)
    return rows.map((row) => ({ lt: row.lt as bigint, hash: row.hash as Uint8Array, boc: row.boc as Uint8Array }))
  }

  close(): void {
    this.#db.close()
  }

  #write(block: Block): void {
    for (const [address, shard] of block.accounts) this.#writeAccount.run(address, shard)
    for (const transaction of block.transactions) {
      this.#writeTransaction.run(transaction.account, transaction.lt, transaction.hash, transaction.boc)
    }
    for (const address of block.accounts.keys()) this.#prune.run(address, this.#historyPerAccount)
    this.#setMeta.run('seqno', String(block.head.seqno))
    this.#setMeta.run('lt', block.head.lt.toString())
    this.#setMeta.run('now', String(block.head.now))
  }

  #atomically(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      write()
      this.#db.exec('COMMIT')
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw thrown
    }
  }
}

export function parseShardAccount(boc: Uint8Array): ShardAccount {
  const cell = Cell.fromBoc(Buffer.from(boc))[0]
  if (cell === undefined) throw new Failure('chain-damaged', 'An account of the local chain is empty on disk.')
  return loadShardAccount(cell.beginParse())
}

/** Key of an account in the ledger. */
export function accountKey(address: Address): string {
  return address.toRawString()
}

function open(file: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file)
    db.exec('PRAGMA busy_timeout = 3000')
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = FULL')
    const found = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0)
    if (found > tableVersion) {
      throw new Failure('chain-newer', `The local chain was written by a newer release (format ${found}).`, {
        advice: 'Use the newer release, or move the file of the local chain away to begin a new one.',
      })
    }
    if (found === 0) {
      db.exec(`
        BEGIN IMMEDIATE;
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE account (address TEXT PRIMARY KEY, shard BLOB NOT NULL) STRICT;
        CREATE TABLE tx (address TEXT NOT NULL, lt INTEGER NOT NULL, hash BLOB NOT NULL, boc BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX tx_by_account ON tx (address, lt);
        INSERT INTO meta (key, value) VALUES ('id', '${randomInt(1, 2 ** 31)}');
        PRAGMA user_version = ${tableVersion};
        COMMIT;
      `)
    }
    return db
  } catch (thrown) {
    if (db?.isOpen) db.close()
    if (thrown instanceof Failure) throw thrown
    const text = asError(thrown).message
    if (/locked|busy/i.test(text)) {
      throw new Failure('chain-in-use', 'Another process uses the local chain.', {
        advice: 'Close the other copy of the app.',
        retryable: true,
        cause: thrown,
      })
    }
    throw new Failure('chain-damaged', `${file} cannot be read as the local chain: ${text}.`, {
      advice: 'Move the file away; a new local chain with new test coins is made at the next start.',
      cause: thrown,
    })
  }
}
