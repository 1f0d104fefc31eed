import { EngineConnection, type EngineResponse, StaleConnection } from './engine-connection.ts'

export interface EngineHttpRequest {
  readonly method: string
  readonly path: string
  /** Names and values; Content-Length, Connection and Host are set here. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
}

export interface EngineHttpResponse {
  readonly status: number
  readonly reason: string
  /** As the server wrote them. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** Ends early, without an error, when the signal aborts. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Connections that wait to be used again. */
const mostIdle = 256

/**
 * HTTP/1.1 to one server, on connections that stay open. Node's own client takes about four times the CPU time for each request, and `fetch`
 * more (docs/performance.md), which counts when the engine is quick and there are thousands.
 */
export class EngineHttp {
  readonly #base: URL
  readonly #prefix: string
  readonly #failure: (thrown: unknown) => Error
  readonly #open = new Set<EngineConnection>()
  /** The one that was used last is used next: the others may go. */
  readonly #idle: EngineConnection[] = []

  /**
   * @param base address with an optional path that goes before every path
   * @param failure what an error of the connection is called, before the answer and in its body
   */
  constructor(base: URL, failure: (thrown: unknown) => Error) {
    this.#base = base
    this.#failure = failure
    this.#prefix = base.pathname.replace(/\/+$/, '')
  }

  /**
   * Resolves with the head of the answer. Rejects with a `failure`, also when the signal aborts before.
   * @throws TypeError (as a rejection) for a request that cannot stand in HTTP
   */
  async send(asked: EngineHttpRequest, signal: AbortSignal): Promise<EngineHttpResponse> {
    const head = this.#head(asked)
    for (;;) {
      if (signal.aborted) throw this.#failure(signal.reason)
      try {
        const response = await this.#connection().send(head, asked.body, signal)
        return { ...response, body: renamed(response, this.#failure) }
      } catch (thrown) {
        // The server closed a connection that had been idle, at the very moment it was used again: nobody has read the request.
        if (thrown instanceof StaleConnection && !signal.aborted) continue
        throw this.#failure(thrown)
      }
    }
  }

  close(): void {
    this.#idle.length = 0
    for (const connection of this.#open) connection.destroy()
  }

  #connection(): EngineConnection {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isUsable) return idle
      idle.destroy()
    }
    const connection = new EngineConnection(
      this.#base,
      (free) => {
        if (this.#idle.length < mostIdle) this.#idle.push(free)
        else free.destroy()
      },
      (gone) => {
        this.#open.delete(gone)
        const at = this.#idle.indexOf(gone)
        if (at >= 0) this.#idle.splice(at, 1)
      },
    )
    this.#open.add(connection)
    return connection
  }

  #head({ method, path, headers, body }: EngineHttpRequest): string {
    const target = this.#prefix + path
    if (!token.test(method) || !targets.test(target)) throw new TypeError('a request that cannot stand in HTTP')
    let head = `${method} ${target} HTTP/1.1\r\nHost: ${this.#base.host}\r\nConnection: keep-alive\r\n`
    for (const [name, value] of headers) {
      // They may be a stranger's: a line break in one would begin a request of its own.
      if (!token.test(name) || !values.test(value)) throw new TypeError('a header that cannot stand in HTTP')
      head += `${name}: ${value}\r\n`
    }
    const length = body.length > 0 || (method !== 'GET' && method !== 'HEAD') ? `Content-Length: ${body.length}\r\n` : ''
    return `${head}${length}\r\n`
  }
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const targets = /^\/[\x21-\x7e]*$/
const values = /^[\t\x20-\x7e\x80-\xff]*$/

/** The body with its errors renamed; without a generator in between, which would double the work for each part. */
function renamed({ body }: EngineResponse, failure: (thrown: unknown) => Error): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      const parts = body[Symbol.asyncIterator]()
      return {
        next: () =>
          parts.next().catch((thrown: unknown) => {
            throw failure(thrown)
          }),
        return: async () => {
          await parts.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
