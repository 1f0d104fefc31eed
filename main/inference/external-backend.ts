import { setTimeout as pause } from 'node:timers/promises'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { EngineHttp, type EngineHttpResponse } from './engine-http.ts'
import type { BackendRequest, BackendResponse, OpenAiBackend } from './openai-backend.ts'

export interface ExternalBackendOptions {
  /** Where the server answers, with or without a trailing `/v1`, e.g. `http://127.0.0.1:8000`. */
  readonly baseUrl: string
  /** Name of the model there, which is the base name here too. */
  readonly model: string
  readonly apiKey?: string
  /** Pause between two health checks. Default 1500 ms (protocol 40 §7). */
  readonly healthIntervalMs?: number
  /** Default 10 s (protocol 40 §7). */
  readonly healthTimeoutMs?: number
  readonly logger?: Logger
}

/** Headers that belong to one connection; and a body that was packed could not be counted. */
const ownHeaders = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const mostDiscardedBytes = 1 << 20

/** Any OpenAI-compatible server as a backend. Call `start` for health checks and `stop` when done. */
export class ExternalBackend implements OpenAiBackend {
  readonly model: string
  /** True after a health check that was answered with 200. */
  readonly health = new Signal(false)
  readonly #http: EngineHttp
  readonly #options: ExternalBackendOptions
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #checks: Promise<void> | undefined

  constructor(options: ExternalBackendOptions) {
    const url = new URL(options.baseUrl)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new Failure('bad-url', 'The address of the engine must begin with http:// or https://.')
    this.#http = new EngineHttp(new URL(url.href.replace(/\/+$/, '').replace(/\/v1$/, '')), unreachable)
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    this.model = options.model
  }

  /** Resolves after the first health check. */
  async start(): Promise<void> {
    if (this.#checks !== undefined) return
    const first = this.#check()
    this.#checks = first.then(() => this.#watch())
    await first
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#checks
    this.health.set(false)
    this.#http.close()
  }

  healthy(): boolean {
    return this.health.value
  }

  /** Throws `Failure` `engine-unreachable`, or `cancelled` when aborted before the response. */
  async handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    const headers = request.headers.filter(([name]) => !ownHeaders.has(name.toLowerCase()))
    let response: EngineHttpResponse
    try {
      response = await this.#http.send({ ...request, headers: [...headers, ...this.#authorization()] }, signal)
    } catch (error) {
      if (signal.aborted) throw new Failure('cancelled', 'The request was cancelled.', { cause: error })
      throw error
    }
    // Where an engine sends elsewhere, nobody knows who would answer.
    if (response.status >= 300 && response.status < 400) {
      await discard(response)
      throw unreachable(new Error(`the engine answered ${response.status}`))
    }
    return {
      ...response,
      headers: response.headers.filter(([name]) => !ownHeaders.has(name.toLowerCase())),
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(this.#options.healthIntervalMs ?? 1500, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await this.#check()
    }
  }

  async #check(): Promise<void> {
    const limit = AbortSignal.timeout(this.#options.healthTimeoutMs ?? 10_000)
    try {
      const signal = AbortSignal.any([limit, this.#stop.signal])
      const response = await this.#http.send(
        { method: 'GET', path: '/v1/models', headers: this.#authorization(), body: new Uint8Array(0) },
        signal,
      )
      await discard(response)
      this.health.set(response.status === 200)
    } catch (error) {
      if (this.health.value) this.#logger.warn('engine not reached', { reason: asError(error).message })
      this.health.set(false)
    }
  }

  #authorization(): ReadonlyArray<readonly [string, string]> {
    const { apiKey } = this.#options
    return apiKey === undefined ? [] : [['Authorization', `Bearer ${apiKey}`]]
  }
}

/** Reads the body to its end, so that the connection can be used again; a long one is given up. */
async function discard({ body }: EngineHttpResponse): Promise<void> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostDiscardedBytes) return
  }
}

function unreachable(cause: unknown): Failure<'engine-unreachable'> {
  return new Failure('engine-unreachable', 'The engine could not be reached, or broke off.', {
    advice: 'Check that it runs and that its address is right.',
    retryable: true,
    cause,
  })
}
