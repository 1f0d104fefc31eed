import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Address } from '@ton/core'

/** Totals of one account in a book, in adjusted tokens. */
export interface ProxyAccount {
  readonly contract: Address
  readonly tokens: bigint
  /** Final on chain: so much is signed. */
  readonly chain: bigint
}

export interface PeerAccount {
  readonly contract: Address
  readonly signed: bigint
  readonly db: bigint
  readonly max: bigint
}

/** Reads the file of a running role, or a copy of what a killed one left: in both cases the role finds its journal as it left it. */
function rows<T>(path: string, sql: string, dead: boolean): T[] {
  const folder = dead ? mkdtempSync(join(tmpdir(), 'cocoon-book-')) : undefined
  const file = folder === undefined ? path : join(folder, 'book.db')
  if (folder !== undefined) for (const end of ['', '-wal']) if (existsSync(path + end)) copyFileSync(path + end, file + end)
  const database = new DatabaseSync(file, { timeout: 5_000, readOnly: !dead })
  try {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all() as T[]
  } finally {
    database.close()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** The one client and the one worker of a proxy; undefined for one that it never saw. */
export function proxyBook(path: string, dead = false): { client: ProxyAccount | undefined; worker: ProxyAccount | undefined } {
  const sql = 'SELECT kind, contract, tokens, chain_tokens AS chain FROM account'
  const all = rows<{ kind: string; contract: string; tokens: bigint; chain: bigint }>(path, sql, dead)
  const one = (kind: string): ProxyAccount | undefined => {
    const found = all.filter((row) => row.kind === kind)
    if (found.length > 1) throw new Error(`${found.length} accounts of one ${kind}`)
    return found[0] && { ...found[0], contract: Address.parse(found[0].contract) }
  }
  return { client: one('client'), worker: one('worker') }
}

/** What a client or worker holds of its one proxy; undefined before the first meeting. */
export function peerBook(path: string, table: 'client_contract' | 'worker_contract', dead = false): PeerAccount | undefined {
  const sql = `SELECT contract, signed_tokens AS signed, db_tokens AS db, max_tokens AS max FROM ${table}`
  const all = rows<{ contract: string; signed: bigint; db: bigint; max: bigint }>(path, sql, dead)
  if (all.length > 1) throw new Error(`${all.length} rows in ${table}`)
  return all[0] && { ...all[0], contract: Address.parse(all[0].contract) }
}
