import { setTimeout as pause } from 'node:timers/promises'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
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

/** Headers that belong to one connection, or that no longer hold for a body that was decoded on its way. */
const ownHeaders = new Set([
  'connection',
  'content-encoding',
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

/** Any OpenAI-compatible server as a backend. Call `start` for health checks and `stop` when done. */
export class ExternalBackend implements OpenAiBackend {
  readonly model: string
  /** True after a health check that was answered with 200. */
  readonly health = new Signal(false)
  readonly #base: string
  readonly #options: ExternalBackendOptions
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #checks: Promise<void> | undefined

  constructor(options: ExternalBackendOptions) {
    const url = new URL(options.baseUrl)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new Failure('bad-url', 'The address of the engine must begin with http:// or https://.')
    this.#base = url.href.replace(/\/+$/, '').replace(/\/v1$/, '')
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
  }

  healthy(): boolean {
    return this.health.value
  }

  /** Throws `Failure` `engine-unreachable`, or `cancelled` when aborted before the response. */
  async handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    const headers = new Headers()
    for (const [name, value] of request.headers) if (!ownHeaders.has(name.toLowerCase())) headers.append(name, value)
    this.#authorize(headers)
    let response: Response
    try {
      response = await fetch(this.#base + request.path, {
        method: request.method,
        headers,
        signal,
        redirect: 'error',
        ...(request.body.length > 0 && { body: Uint8Array.from(request.body) }),
      })
    } catch (error) {
      if (signal.aborted) throw new Failure('cancelled', 'The request was cancelled.', { cause: error })
      throw unreachable(error)
    }
    return {
      status: response.status,
      reason: response.statusText,
      headers: [...response.headers].filter(([name]) => !ownHeaders.has(name.toLowerCase())),
      body: readBody(response, signal),
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
    const headers = new Headers()
    this.#authorize(headers)
    const limit = AbortSignal.timeout(this.#options.healthTimeoutMs ?? 10_000)
    try {
      const signal = AbortSignal.any([limit, this.#stop.signal])
      const response = await fetch(`${this.#base}/v1/models`, { headers, signal, redirect: 'error' })
      await response.body?.cancel()
      this.health.set(response.status === 200)
    } catch (error) {
      if (this.health.value) this.#logger.warn('engine not reached', { reason: asError(error).message })
      this.health.set(false)
    }
  }

  #authorize(headers: Headers): void {
    if (this.#options.apiKey !== undefined) headers.set('authorization', `Bearer ${this.#options.apiKey}`)
  }
}

async function* readBody(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  try {
    for await (const chunk of response.body) yield chunk
  } catch (error) {
    if (!signal.aborted) throw unreachable(error)
  }
}

function unreachable(cause: unknown): Failure<'engine-unreachable'> {
  return new Failure('engine-unreachable', 'The engine could not be reached, or broke off.', {
    advice: 'Check that it runs and that its address is right.',
    retryable: true,
    cause,
  })
}
