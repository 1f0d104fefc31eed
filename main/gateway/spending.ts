import { randomUUID } from 'node:crypto'
import type { GatewayDay } from '../../preload/api/gateway.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Database } from '../storage/database.ts'
import type { ApiKey } from './api-keys.ts'
import { ApiRefusal } from './refusal.ts'

export interface Counts {
  readonly promptTokens: number
  readonly completionTokens: number
}

/** Money put aside for one request. */
export interface Reservation {
  /**
   * Ends it; only the first call counts.
   * @param costNano what the request cost; undefined where nobody told: all that was put aside counts as unsure
   */
  settle(costNano: bigint | undefined): void
}

type DayRow = Readonly<Record<'requests' | 'prompt_tokens' | 'completion_tokens' | 'spent' | 'unsure', bigint>>

const nothing: DayRow = { requests: 0n, prompt_tokens: 0n, completion_tokens: 0n, spent: 0n, unsure: 0n }

/**
 * What each key spent, by day. Before a request is sent its worst case is put aside in the same transaction that compares it with the limit, so
 * requests at the same time cannot pass the limit together. A request counts for the day it began on.
 */
export class Spending {
  readonly #database: Database
  readonly #now: () => number
  readonly #logger: Logger

  /** @param database opened with `gatewayMigrations`, used by nobody else */
  constructor(database: Database, now: () => number, logger: Logger) {
    this.#database = database
    this.#now = now
    this.#logger = logger
    this.#settleCutOff()
  }

  /**
   * Puts `amount` nanoton aside for one request.
   * @throws ApiRefusal when the key's limit of the day would be passed; a database `Failure` when it cannot be written down
   */
  reserve({ id, dailyLimit }: Pick<ApiKey, 'id' | 'dailyLimit'>, amount: bigint): Reservation {
    const day = dayOf(this.#now())
    const reservation = this.#database.transaction(() => {
      const { spent, unsure } = this.#row(id, day)
      const free = dailyLimit - spent - unsure - this.#reserved(id, day)
      if (amount > free) throw limitReached(amount, free, dailyLimit)
      const reservation = randomUUID()
      this.#database
        .prepare('INSERT INTO reservation (id, key_id, day, amount) VALUES (?, ?, ?, ?)')
        .run(reservation, id, day, amount)
      return reservation
    })
    let settled = false
    return {
      settle: (costNano) => {
        if (settled) return
        settled = true
        // Money is what it is: it counts in full, so the next requests find less of the day's limit.
        if (costNano !== undefined && costNano > amount)
          this.#logger.error('a request cost more than was put aside for it', {
            costNano: costNano.toString(),
            asideNano: amount.toString(),
          })
        try {
          this.#settle(reservation, costNano)
        } catch (thrown) {
          // It stays put aside, and counts as unsure after the next start.
          this.#logger.error('what a request cost could not be written down', { reason: asError(thrown).message })
        }
      },
    }
  }

  /** Counts an ended request. A full disk loses the count, not the answer. */
  count(keyId: string, { promptTokens, completionTokens }: Counts): void {
    const atMs = this.#now()
    const failed = (thrown: unknown): void => this.#logger.warn('a request was not counted', { reason: asError(thrown).message })
    try {
      this.#database
        .transactionSoon(() => {
          this.#add(keyId, dayOf(atMs), {
            requests: 1n,
            prompt_tokens: BigInt(promptTokens),
            completion_tokens: BigInt(completionTokens),
          })
          this.#database.prepare('UPDATE api_key SET last_used_at_ms = ? WHERE id = ?').run(atMs, keyId)
        })
        .catch(failed)
    } catch (thrown) {
      failed(thrown)
    }
  }

  today(keyId: string): GatewayDay {
    const day = dayOf(this.#now())
    const { requests, prompt_tokens, completion_tokens, spent, unsure } = this.#row(keyId, day)
    return {
      requests: Number(requests),
      promptTokens: Number(prompt_tokens),
      completionTokens: Number(completion_tokens),
      spent,
      unsure,
      reserved: this.#reserved(keyId, day),
    }
  }

  #settle(reservation: string, costNano: bigint | undefined): void {
    this.#database.transaction(() => {
      const row = this.#database
        .prepare<{ key_id: string; day: string; amount: bigint }>('SELECT key_id, day, amount FROM reservation WHERE id = ?', {
          bigints: true,
        })
        .get(reservation)
      if (row === undefined) return
      this.#database.prepare('DELETE FROM reservation WHERE id = ?').run(reservation)
      this.#add(row.key_id, row.day, costNano === undefined ? { unsure: row.amount } : { spent: costNano })
    })
  }

  #settleCutOff(): void {
    const open = this.#database.prepare<{ id: string }>('SELECT id FROM reservation').all()
    try {
      for (const { id } of open) this.#settle(id, undefined)
    } catch (thrown) {
      // What stays put aside counts against its day all the same, so a full disk need not keep the app from starting.
      this.#logger.error('what a request cut off may have cost could not be written down', { reason: asError(thrown).message })
    }
  }

  #add(keyId: string, day: string, change: Partial<DayRow>): void {
    const { requests, prompt_tokens, completion_tokens, spent, unsure } = { ...nothing, ...change }
    this.#database
      .prepare(
        `INSERT INTO api_day (key_id, day, requests, prompt_tokens, completion_tokens, spent, unsure) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
           completion_tokens = completion_tokens + excluded.completion_tokens, spent = spent + excluded.spent, unsure = unsure + excluded.unsure`,
      )
      .run(keyId, day, requests, prompt_tokens, completion_tokens, spent, unsure)
  }

  #row(keyId: string, day: string): DayRow {
    return (
      this.#database
        .prepare<DayRow>(
          'SELECT requests, prompt_tokens, completion_tokens, spent, unsure FROM api_day WHERE key_id = ? AND day = ?',
          {
            bigints: true,
          },
        )
        .get(keyId, day) ?? nothing
    )
  }

  #reserved(keyId: string, day: string): bigint {
    const row = this.#database
      .prepare<{ sum: bigint }>('SELECT COALESCE(SUM(amount), 0) AS sum FROM reservation WHERE key_id = ? AND day = ?', {
        bigints: true,
      })
      .get(keyId, day)
    return row?.sum ?? 0n
  }
}

/** The calendar day on this computer, e.g. `2026-11-22`. */
export function dayOf(atMs: number): string {
  const date = new Date(atMs)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function limitReached(amount: bigint, free: bigint, limit: bigint): ApiRefusal {
  const left = free > 0n ? free : 0n
  return new ApiRefusal(
    `This request may cost up to ${exactTon(amount)}, which is put aside before it is sent, and of this key's ${exactTon(limit)} a day ${exactTon(left)} are left. Nothing was sent. Ask for fewer tokens (max_tokens), or let the key spend more in Settings, Local API.`,
    { status: 429, type: 'insufficient_quota', code: 'daily_limit_reached' },
  )
}
