import { Failure } from '../base/failure.ts'
import type { HttpResponseHead } from '../protocol/http/http-message.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import type { HopDebug, QueryEnd, QueryHandle } from './running-query.ts'

/** Failures before the first word that cost nothing, and that another proxy may not have (protocol 30 §7.3). */
const elsewhere: ReadonlySet<string> = new Set([
  'no-worker',
  'worker-busy',
  'proxy-not-ready',
  'contract-closing',
  'balance-too-low',
  'above-credit',
  'unknown-model',
  'unknown-key',
  'too-expensive',
  'refused',
  'query-failed',
  'worker-gone',
  'seal-refused',
  'seal-unavailable',
])

/**
 * Whether a question that failed before its first word may be asked elsewhere: only where nobody can be charged twice for it. A timeout has used
 * up the time; after a lost connection the first proxy may go on, and charges at least what its worker did until it was told to stop.
 */
const mayTryElsewhere = (failure: unknown): failure is Failure => failure instanceof Failure && elsewhere.has(failure.code)

/** A question that goes to the next proxy when one fails before the first word of the answer; after that, its end is final. */
export class FailoverQuery implements QueryHandle {
  readonly head: Promise<HttpResponseHead>
  readonly body: AsyncIterable<Uint8Array>
  readonly end: Promise<QueryEnd>
  #current: QueryHandle

  /** @param next another attempt, or undefined when there is no other proxy; called at most once for each failed one. */
  constructor(first: QueryHandle, next: (failure: Failure) => QueryHandle | undefined) {
    this.#current = first
    const settled = this.#settle(first, next)
    this.head = settled.then((handle) => handle.head)
    this.end = settled.then((handle) => handle.end)
    // A reader may look at one part only.
    this.head.catch(() => undefined)
    this.end.catch(() => undefined)
    this.body = bodyOf(settled)
  }

  /** Of the attempt under way, hex. */
  get requestId(): string {
    return this.#current.requestId
  }

  get debug(): HopDebug | undefined {
    return this.#current.debug
  }

  get seal(): SealOutcome {
    return this.#current.seal
  }

  /** The attempt that was answered, or the last one that failed. */
  async #settle(first: QueryHandle, next: (failure: Failure) => QueryHandle | undefined): Promise<QueryHandle> {
    for (let attempt = first; ; ) {
      this.#current = attempt
      try {
        await attempt.head
        return attempt
      } catch (thrown) {
        const following = mayTryElsewhere(thrown) ? next(thrown) : undefined
        if (following === undefined) return attempt
        attempt = following
      }
    }
  }
}

/** The body of the attempt that was answered; a generator in between would double the work for each part. */
function bodyOf(settled: Promise<QueryHandle>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      let known: AsyncIterator<Uint8Array> | undefined
      const iterator = settled.then(({ body }) => {
        known = body[Symbol.asyncIterator]()
        return known
      })
      return {
        next: () => known?.next() ?? iterator.then((one) => one.next()),
        return: async () => {
          await (await iterator).return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
