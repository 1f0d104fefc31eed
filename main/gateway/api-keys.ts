import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type PrivacyLevel, privacyLevel } from '../../preload/api/chat.ts'
import type { GatewayKeyTerms } from '../../preload/api/gateway.ts'
import { Failure } from '../base/failure.ts'
import type { Database } from '../storage/database.ts'

/** A program's key, without the key itself. */
export interface ApiKey extends GatewayKeyTerms {
  readonly id: string
  readonly hint: string
  readonly createdAtMs: number
  readonly lastUsedAtMs: number | null
  readonly consentedAtMs: number | null
  /** The level of that agreement; it holds for narrower ones too. */
  readonly consentedLevel: PrivacyLevel | null
}

interface Row {
  readonly id: string
  readonly hash: Uint8Array
  readonly hint: string
  readonly name: string
  readonly level: string
  readonly models: string
  readonly origins: string
  readonly daily_limit: bigint
  readonly consented_at_ms: bigint | null
  readonly consented_level: string | null
  readonly created_at_ms: bigint
  readonly last_used_at_ms: bigint | null
}

/** So that whoever finds one in a file knows what it opens. */
const secretPrefix = 'sk-cocoon-'
const secretBytes = 32
const hintLetters = 4
const names = z.array(z.string())

/**
 * Keys of programs for the local API. A key is 256 random bits, told once; only its SHA-256 is kept, which is enough against guessing because nobody
 * chose it.
 */
export class ApiKeys {
  readonly #database: Database
  readonly #now: () => number
  readonly #byHash = new Map<string, ApiKey>()

  /** @param database opened with `gatewayMigrations` */
  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
    const rows = database.prepare<Row>('SELECT * FROM api_key WHERE revoked_at_ms IS NULL', { bigints: true }).all()
    for (const row of rows) this.#byHash.set(Buffer.from(row.hash).toString('hex'), keyOf(row))
  }

  /** In the order of their making. */
  list(): ApiKey[] {
    return [...this.#byHash.values()].toSorted((one, other) => one.createdAtMs - other.createdAtMs)
  }

  /** The key that a caller showed; undefined for anything else. */
  find(secret: string): ApiKey | undefined {
    return secret.startsWith(secretPrefix) && secret.length < 200 ? this.#byHash.get(hashOf(secret).toString('hex')) : undefined
  }

  /** As it is now; undefined when it was revoked. */
  byId(id: string): ApiKey | undefined {
    return [...this.#byHash.values()].find((key) => key.id === id)
  }

  /** @param consented whether the user agreed that its requests leave for a network */
  create(terms: GatewayKeyTerms, consented: boolean): { readonly key: ApiKey; readonly secret: string } {
    const secret = secretPrefix + randomBytes(secretBytes).toString('base64url')
    const hash = hashOf(secret)
    const now = this.#now()
    const key: ApiKey = {
      ...terms,
      id: randomBytes(9).toString('base64url'),
      hint: secret.slice(-hintLetters),
      createdAtMs: now,
      lastUsedAtMs: null,
      consentedAtMs: consented ? now : null,
      consentedLevel: consented ? terms.level : null,
    }
    this.#database.transaction(() => {
      this.#database
        .prepare(
          `INSERT INTO api_key (id, hash, hint, name, level, models, origins, daily_limit, consented_at_ms, consented_level, created_at_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(key.id, hash, key.hint, ...termValues(key), key.consentedAtMs, key.consentedLevel, now)
    })
    this.#byHash.set(hash.toString('hex'), key)
    return { key, secret }
  }

  /**
   * @param consented whether the user agreed now that its requests leave for the level of the terms
   * @throws Failure `not-found`
   */
  change(id: string, terms: GatewayKeyTerms, consented: boolean): ApiKey {
    const [hash, old] = this.#entry(id)
    const agreement = consented && { consentedAtMs: this.#now(), consentedLevel: terms.level }
    const key: ApiKey = { ...old, ...terms, ...agreement }
    this.#database.transaction(() => {
      this.#database
        .prepare(
          'UPDATE api_key SET name = ?, level = ?, models = ?, origins = ?, daily_limit = ?, consented_at_ms = ?, consented_level = ? WHERE id = ?',
        )
        .run(...termValues(key), key.consentedAtMs, key.consentedLevel, id)
    })
    this.#byHash.set(hash, key)
    return key
  }

  /** The key opens nothing any more; what it spent stays written. @throws Failure `not-found` */
  revoke(id: string): void {
    const [hash] = this.#entry(id)
    this.#database.transaction(() => {
      this.#database.prepare('UPDATE api_key SET revoked_at_ms = ? WHERE id = ?').run(this.#now(), id)
    })
    this.#byHash.delete(hash)
  }

  /** In memory; on disk with the counts of the day (`Spending.count`). */
  used(id: string, atMs: number): void {
    const entry = [...this.#byHash].find(([, key]) => key.id === id)
    if (entry !== undefined) this.#byHash.set(entry[0], { ...entry[1], lastUsedAtMs: atMs })
  }

  #entry(id: string): readonly [hash: string, key: ApiKey] {
    const entry = [...this.#byHash].find(([, key]) => key.id === id)
    if (entry === undefined) throw new Failure('not-found', 'There is no such key.', { values: { what: 'key' } })
    return entry
  }
}

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

function termValues({
  name,
  level,
  models,
  origins,
  dailyLimit,
}: GatewayKeyTerms): [string, PrivacyLevel, string, string, bigint] {
  return [name, level, JSON.stringify(models), JSON.stringify(origins), dailyLimit]
}

function keyOf(row: Row): ApiKey {
  return {
    id: row.id,
    hint: row.hint,
    name: row.name,
    level: privacyLevel.parse(row.level),
    models: names.nullable().parse(JSON.parse(row.models)),
    origins: names.parse(JSON.parse(row.origins)),
    dailyLimit: row.daily_limit,
    consentedAtMs: row.consented_at_ms === null ? null : Number(row.consented_at_ms),
    consentedLevel: row.consented_level === null ? null : privacyLevel.parse(row.consented_level),
    createdAtMs: Number(row.created_at_ms),
    lastUsedAtMs: row.last_used_at_ms === null ? null : Number(row.last_used_at_ms),
  }
}
