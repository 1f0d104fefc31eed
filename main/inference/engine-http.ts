import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as SecureAgent } from 'node:https'

export interface EngineHttpRequest {
  readonly method: string
  readonly path: string
  /** Names and values; Content-Length and Host are set here. */
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

/**
 * HTTP to one server, by Node's own client with connections that stay open: a request takes a fraction of the CPU time that `fetch` takes,
 * which counts when the engine is quick and there are thousands.
 */
export class EngineHttp {
  readonly #base: URL
  readonly #prefix: string
  readonly #agent: Agent
  readonly #failure: (thrown: unknown) => Error

  /**
   * @param base address with an optional path that goes before every path
   * @param failure what an error of the connection is called, before the answer and in its body
   */
  constructor(base: URL, failure: (thrown: unknown) => Error) {
    this.#base = base
    this.#failure = failure
    this.#prefix = base.pathname.replace(/\/+$/, '')
    const options = { keepAlive: true, scheduling: 'lifo' } as const
    this.#agent = base.protocol === 'https:' ? new SecureAgent(options) : new Agent(options)
  }

  /** Resolves with the head of the answer. Rejects with a `failure`, also when the signal aborts before. */
  async send(asked: EngineHttpRequest, signal: AbortSignal): Promise<EngineHttpResponse> {
    for (;;) {
      const request = this.#request(asked)
      try {
        return answerOf(await head(request, asked.body, signal), signal, this.#failure)
      } catch (thrown) {
        // The server closed a connection that had been idle, at the very moment it was used again: nobody has read the request.
        if (!signal.aborted && request.reusedSocket && isReset(thrown)) continue
        throw this.#failure(thrown)
      }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #request({ method, path, headers, body }: EngineHttpRequest): ClientRequest {
    const { hostname, port, protocol, host } = this.#base
    const open = protocol === 'https:' ? requestHttps : requestHttp
    return open({
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      method,
      path: this.#prefix + path,
      agent: this.#agent,
      headers: [...headers.flat(), 'Host', host, ...(body.length > 0 ? ['Content-Length', String(body.length)] : [])],
    })
  }
}

function head(request: ClientRequest, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      request.destroy()
      reject(signal.reason)
    }
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    request.on('response', (response) => {
      // From here on the reader of the body watches the signal.
      signal.removeEventListener('abort', abort)
      resolve(response)
    })
    request.on('error', (error) => {
      signal.removeEventListener('abort', abort)
      reject(error)
    })
    request.end(body)
  })
}

function isReset(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ECONNRESET' || thrown.code === 'EPIPE')
}

function answerOf(response: IncomingMessage, signal: AbortSignal, failure: (thrown: unknown) => Error): EngineHttpResponse {
  const { rawHeaders } = response
  const headers = Array.from(
    { length: rawHeaders.length / 2 },
    (_, at) => [rawHeaders[2 * at] ?? '', rawHeaders[2 * at + 1] ?? ''] as const,
  )
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    headers,
    body: readBody(response, signal, failure),
  }
}

async function* readBody(
  response: IncomingMessage,
  signal: AbortSignal,
  failure: (thrown: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  const abort = (): void => {
    response.destroy()
  }
  if (signal.aborted) return abort()
  signal.addEventListener('abort', abort)
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) yield chunk
  } catch (thrown) {
    if (!signal.aborted) throw failure(thrown)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
