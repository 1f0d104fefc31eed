import { Address, Cell } from '@ton/core'
import { type Params, parseParams, storeParams } from '../../contracts/params.ts'
import { addressName } from '../base/address-name.ts'
import { Soon } from '../base/soon.ts'
import type { Database, Statement } from '../storage/database.ts'

/** Schema of the client's database file, one migration an entry (storage/database.ts). */
export const clientMigrations: readonly string[] = [
  `CREATE TABLE client_contract (
     contract TEXT PRIMARY KEY,
     network TEXT NOT NULL,
     owner TEXT NOT NULL,
     proxy_contract TEXT NOT NULL,
     proxy_key BLOB NOT NULL,
     params BLOB NOT NULL,
     consented INTEGER NOT NULL DEFAULT 0,
     signed_tokens INTEGER NOT NULL DEFAULT 0,
     signed_boc BLOB,
     db_tokens INTEGER NOT NULL DEFAULT 0,
     max_tokens INTEGER NOT NULL DEFAULT 0,
     closed INTEGER NOT NULL DEFAULT 0,
     first_seen_ms INTEGER NOT NULL
   ) STRICT`,
  `ALTER TABLE client_contract ADD COLUMN endpoint TEXT NOT NULL DEFAULT ''`,
  `ALTER TABLE client_contract ADD COLUMN opening_nano INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE client_contract ADD COLUMN opening_after_lt INTEGER NOT NULL DEFAULT 0`,
]

/** One client contract: whose it is and what its proxy told and signed. Tokens are adjusted totals. */
export interface AccountRecord {
  readonly contract: Address
  /** Root contract of the network, as text. */
  readonly network: string
  readonly owner: Address
  readonly proxyContract: Address
  /** Where this proxy was met last, `host:port`; empty when that was not noted. */
  readonly endpoint: string
  /** 32 bytes */
  readonly proxyKey: Uint8Array
  /** Terms of this contract, with the code of all three contracts. */
  readonly params: Params
  /** The user agreed to open this contract; without it no message is sent that costs anything. */
  readonly consented: boolean
  /** nanoton that are to be put on it as it is opened; 0 when they have left the wallet. */
  readonly openingTopUp: bigint
  /** The wallet's newest transaction when that was decided. */
  readonly openingAfterLt: bigint
  readonly signedTokens: bigint
  /** Body of the newest signed charge; null before the first. */
  readonly signedBoc: Uint8Array | null
  readonly dbTokens: bigint
  readonly maxTokens: bigint
  /** Seen closed on chain: nothing is left in it. */
  readonly closed: boolean
}

interface Row {
  contract: string
  network: string
  owner: string
  proxy_contract: string
  endpoint: string
  proxy_key: Uint8Array
  params: Uint8Array
  consented: bigint
  opening_nano: bigint
  opening_after_lt: bigint
  signed_tokens: bigint
  signed_boc: Uint8Array | null
  db_tokens: bigint
  max_tokens: bigint
  closed: bigint
}

/** How long totals may wait for their commit: requests that end together are written together. */
const savingDelayMs = 1_000

/** Client contracts of all networks. None is ever deleted: money may be in it (protocol 90 §1.7). */
export class AccountStore {
  readonly #find: Statement<Row>
  readonly #all: Statement<Row>
  readonly #add: Statement<Row>
  readonly #save: Statement<Row>
  readonly #database: Database
  /** Newer than on disk. */
  readonly #waiting = new Map<string, AccountRecord>()
  // A disk that refuses is tried again until there is room.
  readonly #saving: Soon = new Soon(
    savingDelayMs,
    () => this.#write(),
    () => this.#saving.ask(),
  )

  constructor(database: Database) {
    this.#database = database
    const bigints = { bigints: true }
    this.#find = database.prepare<Row>('SELECT * FROM client_contract WHERE contract = ?', bigints)
    this.#all = database.prepare<Row>('SELECT * FROM client_contract WHERE network = ? ORDER BY first_seen_ms, rowid', bigints)
    this.#add = database.prepare(
      `INSERT INTO client_contract (contract, network, owner, proxy_contract, endpoint, proxy_key, params, first_seen_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET endpoint = excluded.endpoint WHERE endpoint <> excluded.endpoint`,
    )
    this.#save = database.prepare(
      `UPDATE client_contract SET consented = ?, opening_nano = ?, opening_after_lt = ?, signed_tokens = ?, signed_boc = ?, db_tokens = ?, max_tokens = ?, closed = ?
       WHERE contract = ?`,
    )
  }

  /** The record of that contract, made if it is new. Durable when it returns. */
  open(identity: {
    readonly contract: Address
    readonly network: string
    readonly owner: Address
    readonly proxyContract: Address
    readonly endpoint: string
    readonly proxyKey: Uint8Array
    readonly params: Params
    readonly nowMs: number
  }): AccountRecord {
    this.#add.run(
      identity.contract.toString(),
      identity.network,
      identity.owner.toString(),
      identity.proxyContract.toString(),
      identity.endpoint,
      identity.proxyKey,
      new Uint8Array(storeParams(identity.params, 'root').toBoc()),
      identity.nowMs,
    )
    const record = this.find(identity.contract)
    if (record === undefined) throw new Error('a row that was just written is missing')
    return record
  }

  find(contract: Address): AccountRecord | undefined {
    const name = contract.toString()
    const row = this.#find.get(name)
    return this.#waiting.get(name) ?? (row === undefined ? undefined : recordOf(row))
  }

  /** Oldest first. */
  ofNetwork(network: string): AccountRecord[] {
    return this.#all.all(network).map((row) => this.#waiting.get(row.contract) ?? recordOf(row))
  }

  /** Read at once, durable soon: for totals that the proxy would tell again after a crash. */
  saveSoon(record: AccountRecord): void {
    this.#waiting.set(addressName(record.contract), record)
    this.#saving.ask()
  }

  /** Writes what waits. Call it before the database is closed. */
  flush(): void {
    this.#saving.now()
  }

  #write(): void {
    const synced = this.#database.transactionSoon(() => {
      for (const record of this.#waiting.values()) this.#run(record)
    })
    this.#waiting.clear()
    // What a power cut takes back then, the proxy tells again.
    synced.catch(() => undefined)
  }

  /** Durable when it returns. */
  save(record: AccountRecord): void {
    this.#run(record)
    this.#waiting.delete(record.contract.toString())
  }

  #run(record: AccountRecord): void {
    this.#save.run(
      BigInt(record.consented),
      record.openingTopUp,
      record.openingAfterLt,
      record.signedTokens,
      record.signedBoc,
      record.dbTokens,
      record.maxTokens,
      BigInt(record.closed),
      record.contract.toString(),
    )
  }
}

function recordOf(row: Row): AccountRecord {
  return {
    contract: Address.parse(row.contract),
    network: row.network,
    owner: Address.parse(row.owner),
    proxyContract: Address.parse(row.proxy_contract),
    endpoint: row.endpoint,
    proxyKey: row.proxy_key,
    params: parseParams(Cell.fromBoc(Buffer.from(row.params))[0] ?? Cell.EMPTY),
    consented: row.consented !== 0n,
    openingTopUp: row.opening_nano,
    openingAfterLt: row.opening_after_lt,
    signedTokens: row.signed_tokens,
    signedBoc: row.signed_boc,
    dbTokens: row.db_tokens,
    maxTokens: row.max_tokens,
    closed: row.closed !== 0n,
  }
}
