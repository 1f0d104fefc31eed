import { randomBytes } from 'node:crypto'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import type { Database } from '../storage/database.ts'
import type { SealedPlace, Sealer } from '../storage/sealer.ts'
import type { PrivateKey } from './key-ring.ts'

/** A key that this key manager has made. */
export interface OwnKey extends PrivateKey {
  /** Ed25519, 32 bytes */
  readonly publicKey: Uint8Array
  /** Unix ms */
  readonly madeMs: number
}

export const keyBookMigrations = [
  `CREATE TABLE keys (
     public_key BLOB PRIMARY KEY,
     seed BLOB NOT NULL,
     made_ms INTEGER NOT NULL,
     valid_until_ms INTEGER NOT NULL
   ) STRICT`,
]

interface Row {
  readonly public_key: Uint8Array
  readonly seed: Uint8Array
  readonly made_ms: number
  readonly valid_until_ms: number
}

const placeOf = (publicKey: Uint8Array): SealedPlace => ({
  table: 'keys',
  row: Buffer.from(publicKey).toString('hex'),
  column: 'seed',
})

/** The keys of a key manager on its disk, sealed: after a restart it goes on to give out what clients encrypt for. */
export class KeyBook {
  readonly #db: Database
  readonly #sealer: Sealer

  /** @param db opened with `keyBookMigrations` */
  constructor(db: Database, sealer: Sealer) {
    this.#db = db
    this.#sealer = sealer
  }

  /** Valid ones, the newest last. @throws Failure `sealed-tampered`, and those of the database */
  valid(nowMs: number): OwnKey[] {
    return this.#db
      .prepare<Row>('SELECT * FROM keys WHERE valid_until_ms > ? ORDER BY made_ms')
      .all(nowMs)
      .map((row) => ({
        publicKey: row.public_key,
        seed: this.#sealer.open(row.seed, placeOf(row.public_key)),
        madeMs: row.made_ms,
        validUntilMs: row.valid_until_ms,
      }))
  }

  /** Makes a key and keeps it. @throws Failure of the database */
  make(madeMs: number, validUntilMs: number): OwnKey {
    const seed = new Uint8Array(randomBytes(32))
    const publicKey = publicKeyOfSeed(seed)
    this.#db
      .prepare('INSERT INTO keys (public_key, seed, made_ms, valid_until_ms) VALUES (?, ?, ?, ?)')
      .run(publicKey, this.#sealer.seal(seed, placeOf(publicKey)), madeMs, validUntilMs)
    return { publicKey, seed, madeMs, validUntilMs }
  }

  /** @throws Failure of the database */
  dropExpired(nowMs: number): void {
    this.#db.prepare('DELETE FROM keys WHERE valid_until_ms <= ?').run(nowMs)
  }
}
