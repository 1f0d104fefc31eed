import { Failure } from '../base/failure.ts'
import type { QueryHandle } from './running-query.ts'

/** Weight of the newest request in the means. */
const newest = 0.2
/** Failures that say something about the proxy or its workers, and not about the request or the money. */
const faults: ReadonlySet<string> = new Set([
  'timeout',
  'connection-lost',
  'query-failed',
  'proxy-not-ready',
  'no-worker',
  'worker-busy',
  'answer-malformed',
])

/** How quick and how reliable one proxy has been lately, by its answers. */
export class LinkQuality {
  #firstWordMs: number | undefined
  #successRate = 1

  /** Mean time to the first word, ms; undefined before the first answer. */
  get firstWordMs(): number | undefined {
    return this.#firstWordMs
  }

  /** 0 to 1. */
  get successRate(): number {
    return this.#successRate
  }

  /** Follows one query from its sending to its end. */
  follow(handle: QueryHandle, now: () => number = () => performance.now()): void {
    const sentAt = now()
    handle.head.then(
      () => {
        const took = now() - sentAt
        this.#firstWordMs = this.#firstWordMs === undefined ? took : this.#firstWordMs * (1 - newest) + took * newest
      },
      () => undefined,
    )
    handle.end.then(
      () => this.#ended(1),
      (thrown: unknown) => {
        if (thrown instanceof Failure && faults.has(thrown.code)) this.#ended(0)
      },
    )
  }

  #ended(success: 0 | 1): void {
    this.#successRate = this.#successRate * (1 - newest) + success * newest
  }
}
