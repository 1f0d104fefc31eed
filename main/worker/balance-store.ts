import { Address, beginCell, Cell, loadStateInit, storeStateInit } from '@ton/core'
import type { ContractInit } from '../../contracts/cells.ts'
import { addressName } from '../base/address-name.ts'
import { Soon } from '../base/soon.ts'
import type { Database, Statement } from '../storage/database.ts'

/** Schema of the worker's database file, one migration an entry (storage/database.ts). */
export const workerMigrations: readonly string[] = [
  `CREATE TABLE worker_contract (
     contract TEXT PRIMARY KEY,
     network TEXT NOT NULL,
     proxy_contract TEXT NOT NULL,
     proxy_key BLOB NOT NULL,
     signed_tokens INTEGER NOT NULL DEFAULT 0,
     signed_boc BLOB,
     db_tokens INTEGER NOT NULL DEFAULT 0,
     max_tokens INTEGER NOT NULL DEFAULT 0,
     fee_per_token INTEGER NOT NULL,
     first_seen_ms INTEGER NOT NULL
   ) STRICT`,
  'ALTER TABLE worker_contract ADD COLUMN state_init BLOB',
  `ALTER TABLE worker_contract ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
   ALTER TABLE worker_contract ADD COLUMN params_version INTEGER NOT NULL DEFAULT 0`,
]

/** What a worker knows of one worker contract: whose it is, and the newest that its proxy told and signed. Tokens are adjusted totals. */
export interface WorkerContractRecord {
  readonly contract: Address
  /** Root contract of the network, as text. */
  readonly network: string
  readonly proxyContract: Address
  /** 32 bytes */
  readonly proxyKey: Uint8Array
  readonly signedTokens: bigint
  /** Body of the newest signed payout; null before the first. */
  readonly signedBoc: Uint8Array | null
  readonly dbTokens: bigint
  readonly maxTokens: bigint
  /** nanoton, as of the params of this contract */
  readonly feePerToken: bigint
  /** What deploys it, also under later terms; null where it was not noted. */
  readonly init: ContractInit['init'] | null
  /** Terms of the network that the contract belongs to; 0 when that was not noted. */
  readonly paramsVersion: number
  /** Where this proxy was met last, `host:port`; empty when that was not noted. */
  readonly endpoint: string
}

interface Row {
  contract: string
  network: string
  proxy_contract: string
  proxy_key: Uint8Array
  signed_tokens: bigint
  signed_boc: Uint8Array | null
  db_tokens: bigint
  max_tokens: bigint
  fee_per_token: bigint
  state_init: Uint8Array | null
  params_version: bigint
  endpoint: string
}

/** How long totals may wait for their commit: requests that end together are written together. */
const savingDelayMs = 1_000

/** Worker contracts of all networks, kept for good: a signed payout stays worth its money when the proxy is long gone. */
export class BalanceStore {
  readonly #database: Database
  readonly #add: Statement<Row>
  readonly #save: Statement<Row>
  /** All of them, oldest first; those in `#waiting` are newer than on disk. */
  readonly #records: Map<string, WorkerContractRecord>
  readonly #waiting = new Set<string>()
  // A disk that refuses: the next word of the proxy tries again.
  readonly #saving = new Soon(
    savingDelayMs,
    () => this.#write(),
    () => undefined,
  )

  constructor(database: Database) {
    this.#database = database
    this.#add = database.prepare(
      `INSERT INTO worker_contract
         (contract, network, proxy_contract, proxy_key, fee_per_token, first_seen_ms, state_init, params_version, endpoint)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state_init = excluded.state_init, params_version = excluded.params_version, endpoint = excluded.endpoint`,
    )
    this.#save = database.prepare(
      'UPDATE worker_contract SET signed_tokens = ?, signed_boc = ?, db_tokens = ?, max_tokens = ? WHERE contract = ?',
    )
    const all = database.prepare<Row>('SELECT * FROM worker_contract ORDER BY first_seen_ms, rowid', { bigints: true }).all()
    this.#records = new Map(all.map((row) => [row.contract, recordOf(row)]))
  }

  /** The record of that contract, made if it is new. Durable when it returns. */
  open(identity: {
    readonly contract: Address
    readonly network: string
    readonly proxyContract: Address
    readonly proxyKey: Uint8Array
    readonly feePerToken: bigint
    readonly init: ContractInit['init']
    readonly paramsVersion: number
    readonly endpoint: string
    readonly nowMs: number
  }): WorkerContractRecord {
    const { nowMs, ...known } = identity
    const { contract, network, proxyContract, proxyKey, feePerToken, init, paramsVersion, endpoint } = known
    const name = contract.toString()
    const found = this.#records.get(name)
    if (found !== undefined && found.init !== null && found.paramsVersion === paramsVersion && found.endpoint === endpoint)
      return found
    const stateInit = beginCell().store(storeStateInit(init)).endCell().toBoc()
    this.#add.run(name, network, proxyContract.toString(), proxyKey, feePerToken, nowMs, stateInit, paramsVersion, endpoint)
    const record = { signedTokens: 0n, signedBoc: null, dbTokens: 0n, maxTokens: 0n, ...found, ...known }
    this.#records.set(name, record)
    return record
  }

  find(contract: Address): WorkerContractRecord | undefined {
    return this.#records.get(contract.toString())
  }

  /** Oldest first. */
  ofNetwork(network: string): WorkerContractRecord[] {
    return [...this.#records.values()].filter((record) => record.network === network)
  }

  /** Durable when it returns. */
  save(record: WorkerContractRecord): void {
    this.#run(record)
    const name = record.contract.toString()
    this.#records.set(name, record)
    this.#waiting.delete(name)
  }

  /** Read at once, durable soon: for totals that the proxy would tell again after a crash. Never for what it signed. */
  saveSoon(record: WorkerContractRecord): void {
    const name = addressName(record.contract)
    this.#records.set(name, record)
    this.#waiting.add(name)
    this.#saving.ask()
  }

  /** Writes what waits. Call it before the database is closed. */
  flush(): void {
    this.#saving.now()
  }

  #write(): void {
    const synced = this.#database.transactionSoon(() => {
      for (const name of this.#waiting) {
        const record = this.#records.get(name)
        if (record !== undefined) this.#run(record)
      }
    })
    this.#waiting.clear()
    // What a power cut takes back then, the proxy tells again.
    synced.catch(() => undefined)
  }

  #run(record: WorkerContractRecord): void {
    this.#save.run(record.signedTokens, record.signedBoc, record.dbTokens, record.maxTokens, record.contract.toString())
  }
}

function recordOf(row: Row): WorkerContractRecord {
  return {
    contract: Address.parse(row.contract),
    network: row.network,
    proxyContract: Address.parse(row.proxy_contract),
    proxyKey: row.proxy_key,
    signedTokens: row.signed_tokens,
    signedBoc: row.signed_boc,
    dbTokens: row.db_tokens,
    maxTokens: row.max_tokens,
    feePerToken: row.fee_per_token,
    init: row.state_init === null ? null : initOf(row.state_init),
    paramsVersion: Number(row.params_version),
    endpoint: row.endpoint,
  }
}

function initOf(boc: Uint8Array): ContractInit['init'] | null {
  const { code, data } = loadStateInit(Cell.fromBoc(Buffer.from(boc))[0]?.beginParse() ?? Cell.EMPTY.beginParse())
  return code && data ? { code, data } : null
}
