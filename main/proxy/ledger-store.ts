import { Address } from '@ton/core'
import type { LifeState } from '../../contracts/cells.ts'
import type { Database } from '../storage/database.ts'
import { Account, type AccountKind } from './account.ts'

/** Migrations of the proxy's database, for `openDatabase`. One database holds every instance (proxy contract) of one key. */
export const proxyMigrations = [
  `CREATE TABLE instance (
     contract TEXT PRIMARY KEY,
     params_version INTEGER NOT NULL,
     params BLOB NOT NULL,
     created_ms INTEGER NOT NULL,
     current INTEGER NOT NULL,
     last_seqno INTEGER NOT NULL DEFAULT 0,
     seen_seqno INTEGER NOT NULL DEFAULT 0,
     cursor_lt INTEGER NOT NULL DEFAULT 0
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE account (
     instance TEXT NOT NULL REFERENCES instance(contract),
     kind TEXT NOT NULL CHECK (kind IN ('client', 'worker')),
     owner TEXT NOT NULL,
     contract TEXT NOT NULL,
     tokens INTEGER NOT NULL DEFAULT 0,
     chain_tokens INTEGER NOT NULL DEFAULT 0,
     sc_state TEXT,
     sc_balance TEXT,
     sc_stake TEXT,
     sc_tokens INTEGER,
     secret_hash BLOB,
     PRIMARY KEY (instance, kind, owner)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE pending_commit (
     instance TEXT NOT NULL REFERENCES instance(contract),
     seqno INTEGER NOT NULL,
     session BLOB NOT NULL,
     PRIMARY KEY (instance, seqno)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE pending_level (
     instance TEXT NOT NULL,
     seqno INTEGER NOT NULL,
     kind TEXT NOT NULL,
     owner TEXT NOT NULL,
     tokens INTEGER NOT NULL,
     PRIMARY KEY (instance, seqno, kind, owner),
     FOREIGN KEY (instance, seqno) REFERENCES pending_commit(instance, seqno) ON DELETE CASCADE
   ) STRICT, WITHOUT ROWID;`,
  'ALTER TABLE instance ADD COLUMN closed INTEGER NOT NULL DEFAULT 0',
]

export interface InstanceRow {
  readonly contract: Address
  readonly paramsVersion: number
  /** The parameters that the instance's addresses are derived from, as the caller serialized them. */
  readonly params: Uint8Array
  readonly createdMs: number
  readonly current: boolean
  /** Seen closed on chain: nothing is left to do for it. */
  readonly closed: boolean
}

export interface PendingCommit {
  readonly seqno: number
  readonly session: Uint8Array
}

interface AccountRow {
  kind: string
  owner: string
  contract: string
  tokens: bigint
  chain_tokens: bigint
  sc_state: LifeState | null
  sc_balance: string | null
  sc_stake: string | null
  sc_tokens: bigint | null
  secret_hash: Uint8Array | null
}

/** Every proxy contract that this database knows, oldest first. */
export function listInstances(db: Database): InstanceRow[] {
  const rows = db
    .prepare<{
      contract: string
      params_version: number
      params: Uint8Array
      created_ms: number
      current: number
      closed: number
    }>('SELECT contract, params_version, params, created_ms, current, closed FROM instance ORDER BY created_ms, contract')
    .all()
  return rows.map((row) => ({
    contract: Address.parseRaw(row.contract),
    paramsVersion: row.params_version,
    params: row.params,
    createdMs: row.created_ms,
    current: row.current === 1,
    closed: row.closed === 1,
  }))
}

/** Notes that the contract was seen closed. */
export function noteClosed(db: Database, contract: Address): void {
  db.prepare('UPDATE instance SET closed = 1 WHERE contract = ?').run(contract.toRawString())
}

/** Makes `row` the current instance, adding it if it is new; every other one becomes old. */
export function makeCurrent(db: Database, row: Omit<InstanceRow, 'closed' | 'current'>): void {
  db.transaction(() => {
    db.prepare('UPDATE instance SET current = 0').run()
    db.prepare(
      `INSERT INTO instance (contract, params_version, params, created_ms, current) VALUES (?, ?, ?, ?, 1)
       ON CONFLICT (contract) DO UPDATE SET current = 1`,
    ).run(row.contract.toRawString(), row.paramsVersion, row.params, row.createdMs)
  })
}

/** Rows of one instance. Each method that writes is durable when it returns, unless it runs inside `transaction`. */
export class LedgerStore {
  readonly #db: Database
  readonly #instance: string

  constructor(db: Database, instance: Address) {
    this.#db = db
    this.#instance = instance.toRawString()
  }

  transaction<T>(work: () => T): T {
    return this.#db.transaction(work)
  }

  /** As `transaction`, durable when the promise resolves (storage/database.ts). */
  transactionSoon(work: () => void): Promise<void> {
    return this.#db.transactionSoon(work)
  }

  loadAccounts(): Account[] {
    const rows = this.#db.prepare<AccountRow>('SELECT * FROM account WHERE instance = ?', { bigints: true }).all(this.#instance)
    return rows.map((row) => {
      const kind: AccountKind = row.kind === 'client' ? 'client' : 'worker'
      const account = new Account(kind, Address.parseRaw(row.owner), Address.parseRaw(row.contract), {
        db: row.tokens,
        chain: row.chain_tokens,
      })
      if (row.sc_state !== null && kind === 'client') {
        account.client = {
          state: row.sc_state,
          balance: BigInt(row.sc_balance ?? '0'),
          stake: BigInt(row.sc_stake ?? '0'),
          used: row.sc_tokens ?? 0n,
          secretHash: row.secret_hash ?? new Uint8Array(32),
        }
      }
      if (row.sc_state !== null && kind === 'worker') {
        account.worker = { state: row.sc_state, tokens: row.sc_tokens ?? 0n }
      }
      return account
    })
  }

  /** Writes the counter and the chain state of an account. @param chainTokens what is final on chain, when it is about to be more */
  saveAccount(account: Account, chainTokens = account.chain): void {
    const { client, worker } = account
    this.#db
      .prepare(
        `INSERT INTO account (instance, kind, owner, contract, tokens, chain_tokens, sc_state, sc_balance, sc_stake, sc_tokens, secret_hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (instance, kind, owner) DO UPDATE SET tokens = excluded.tokens, chain_tokens = excluded.chain_tokens,
           sc_state = excluded.sc_state, sc_balance = excluded.sc_balance, sc_stake = excluded.sc_stake,
           sc_tokens = excluded.sc_tokens, secret_hash = excluded.secret_hash`,
      )
      .run(
        this.#instance,
        account.kind,
        account.owner.toRawString(),
        account.contract.toRawString(),
        account.max,
        chainTokens,
        client?.state ?? worker?.state ?? null,
        client === undefined ? null : client.balance.toString(),
        client === undefined ? null : client.stake.toString(),
        client?.used ?? worker?.tokens ?? null,
        client?.secretHash ?? null,
      )
  }

  /** `last`: newest database commit; `seen`: newest commit memo seen on chain; `cursorLt`: last transaction that was followed. */
  progress(): { last: number; seen: number; cursorLt: bigint } {
    const row = this.#db
      .prepare<{ last_seqno: bigint; seen_seqno: bigint; cursor_lt: bigint }>(
        'SELECT last_seqno, seen_seqno, cursor_lt FROM instance WHERE contract = ?',
        { bigints: true },
      )
      .get(this.#instance)
    return { last: Number(row?.last_seqno ?? 0n), seen: Number(row?.seen_seqno ?? 0n), cursorLt: row?.cursor_lt ?? 0n }
  }

  setLastSeqno(seqno: number): void {
    this.#db.prepare('UPDATE instance SET last_seqno = ? WHERE contract = ?').run(seqno, this.#instance)
  }

  setSeenSeqno(seqno: number): void {
    this.#db.prepare('UPDATE instance SET seen_seqno = ? WHERE contract = ?').run(seqno, this.#instance)
  }

  setCursor(lt: bigint): void {
    this.#db.prepare('UPDATE instance SET cursor_lt = ? WHERE contract = ?').run(lt, this.#instance)
  }

  addPending(commit: PendingCommit, levels: readonly Account[]): void {
    this.#db
      .prepare('INSERT INTO pending_commit (instance, seqno, session) VALUES (?, ?, ?)')
      .run(this.#instance, commit.seqno, commit.session)
    const insert = this.#db.prepare('INSERT INTO pending_level (instance, seqno, kind, owner, tokens) VALUES (?, ?, ?, ?, ?)')
    for (const account of levels) {
      insert.run(this.#instance, commit.seqno, account.kind, account.owner.toRawString(), account.db)
    }
  }

  pending(): PendingCommit[] {
    return this.#db
      .prepare<{ seqno: number; session: Uint8Array }>(
        'SELECT seqno, session FROM pending_commit WHERE instance = ? ORDER BY seqno',
      )
      .all(this.#instance)
  }

  /** Highest level of each account among the pending commits up to `seqno`. */
  pendingLevels(seqno: number): { kind: AccountKind; owner: Address; tokens: bigint }[] {
    return this.#db
      .prepare<{ kind: AccountKind; owner: string; tokens: bigint }>(
        `SELECT kind, owner, MAX(tokens) AS tokens FROM pending_level WHERE instance = ? AND seqno <= ? GROUP BY kind, owner`,
        { bigints: true },
      )
      .all(this.#instance, seqno)
      .map((row) => ({ kind: row.kind, owner: Address.parseRaw(row.owner), tokens: row.tokens }))
  }

  dropPending(seqno: number): void {
    this.#db.prepare('DELETE FROM pending_commit WHERE instance = ? AND seqno <= ?').run(this.#instance, seqno)
  }
}
