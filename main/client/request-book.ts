import type { RunningQuery } from './running-query.ts'

/** Finished requests whose account may still come; older ones are forgotten beyond this number. */
const mostRemembered = 20_000

/** The requests of one connection by their ids (hex): those under way, what the proxy holds back for them, and those whose account may still come. */
export class RequestBook {
  readonly #running = new Map<string, RunningQuery>()
  /** Adjusted tokens that the proxy holds back for each running request. */
  readonly #reserved = new Map<string, bigint>()
  #reservedSum = 0n
  /** Tokens that the answers of finished requests stated; undefined where none were. */
  readonly #finished = new Map<string, bigint | undefined>()

  /** Requests under way. */
  get size(): number {
    return this.#running.size
  }

  /** Adjusted tokens that the proxy holds back for all of them. */
  get reserved(): bigint {
    return this.#reservedSum
  }

  /** Adjusted tokens that the proxy holds back for all but this one. */
  reservedBeside(requestId: string): bigint {
    return this.#reservedSum - (this.#reserved.get(requestId) ?? 0n)
  }

  add(query: RunningQuery, reserve: bigint): void {
    this.#running.set(query.requestId, query)
    this.#reserved.set(query.requestId, reserve)
    this.#reservedSum += reserve
  }

  find(requestId: string): RunningQuery | undefined {
    return this.#running.get(requestId)
  }

  /** All that are under way, as they are now. */
  all(): RunningQuery[] {
    return [...this.#running.values()]
  }

  /** Nothing more is expected of its answer. */
  finished(requestId: string): void {
    const query = this.#running.get(requestId)
    this.#running.delete(requestId)
    this.#reservedSum = this.reservedBeside(requestId)
    this.#reserved.delete(requestId)
    if (query !== undefined) this.#finished.set(requestId, query.tokens)
    if (this.#finished.size > mostRemembered) {
      const [oldest] = this.#finished.keys()
      if (oldest !== undefined) this.#finished.delete(oldest)
    }
  }

  /** Its account has come: the tokens that its answer stated so far. `foreign` for one that was not asked here, or whose account came before. */
  accounted(requestId: string): bigint | 'none-stated' | 'foreign' {
    const running = this.#running.get(requestId)
    const stated = running === undefined ? this.#finished.get(requestId) : running.tokens
    const isOurs = this.#finished.delete(requestId) || running !== undefined
    return isOurs ? (stated ?? 'none-stated') : 'foreign'
  }
}
