import { randomLong } from './tcp-packets.ts'
import { TcpQueryError, WireError } from './wire-error.ts'

interface Waiter {
  readonly resolve: (data: Uint8Array) => void
  readonly reject: (error: Error) => void
}

/** The queries that one connection has asked and that are not answered yet. Ids mean nothing on any other connection. */
export class PendingQueries {
  readonly #waiters = new Map<bigint, Waiter>()
  #ended: WireError | undefined

  freshId(): bigint {
    for (;;) {
      const id = randomLong()
      if (!this.#waiters.has(id)) return id
    }
  }

  add(id: bigint, { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal }): Promise<Uint8Array> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.reject(id, new WireError('query-timeout', `No answer within ${timeoutMs / 1000} s`, { retryable: true }))
      }, timeoutMs)
      const abort = (): void => {
        this.reject(id, new WireError('query-aborted', 'The query was given up'))
      }
      signal?.addEventListener('abort', abort)
      const forget = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        this.#waiters.delete(id)
      }
      this.#waiters.set(id, {
        resolve: (data) => {
          forget()
          resolve(data)
        },
        reject: (error) => {
          forget()
          reject(error)
        },
      })
    })
  }

  /** False when no such query waits (unknown, timed out, or answered before): the answer is dropped. */
  resolve(id: bigint, data: Uint8Array): boolean {
    const waiter = this.#waiters.get(id)
    waiter?.resolve(data)
    return waiter !== undefined
  }

  refuse(id: bigint, code: number, message: string): boolean {
    return this.reject(id, new TcpQueryError(code, message))
  }

  reject(id: bigint, error: Error): boolean {
    const waiter = this.#waiters.get(id)
    waiter?.reject(error)
    return waiter !== undefined
  }

  failAll(reason: WireError): void {
    this.#ended = reason
    for (const waiter of [...this.#waiters.values()]) waiter.reject(reason)
  }
}
