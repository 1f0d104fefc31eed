import { setTimeout as pause } from 'node:timers/promises'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { engineAddress } from './engine-address.ts'
import { EngineHttp, type EngineHttpResponse } from './engine-http.ts'
import { badAnswer, contentTypeOf, type ExternalModel, readModels } from './external-models.ts'
import type { BackendRequest, BackendResponse, OpenAiBackend } from './openai-backend.ts'
import { untilDone } from './until-done.ts'

export interface ExternalServerOptions {
  /** Where the server answers, with or without a trailing `/v1`, e.g. `http://127.0.0.1:8000`. */
  readonly baseUrl: string
  readonly apiKey?: string
  /** Pause between two health checks. Default 1500 ms (protocol 40 §7). */
  readonly healthIntervalMs?: number
  /** Default 10 s (protocol 40 §7). */
  readonly healthTimeoutMs?: number
  /** Why the address is not to be asked now; it is not, while there is a reason. */
  readonly objection?: () => Failure | undefined
  readonly logger?: Logger
}

export interface ExternalBackendOptions extends ExternalServerOptions {
  /** Name of the model there, which is the base name here too. */
  readonly model: string
}

/** What the last health check found. */
export type ExternalListing =
  | { readonly models: readonly ExternalModel[]; readonly problem?: undefined }
  /** Why it lists none. */
  | { readonly models: readonly []; readonly problem: unknown }

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

/** Any OpenAI-compatible server. Call `start` for health checks and `stop` when done. */
export class ExternalServer {
  /** True after a health check that was answered with 200. */
  readonly health = new Signal(false)
  /** Of the last health check; undefined before the first one. */
  readonly listing = new Signal<ExternalListing | undefined>(undefined)
  readonly #http: EngineHttp
  readonly #options: ExternalServerOptions
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #checks: Promise<void> | undefined

  /** @throws Failure `bad-url` */
  constructor(options: ExternalServerOptions) {
    this.#http = new EngineHttp(engineAddress(options.baseUrl).url, unreachable)
    this.#options = options
    this.#logger = options.logger ?? silentLogger
  }

  /** Resolves after the first health check. */
  async start(): Promise<void> {
    if (this.#checks !== undefined) return
    const first = this.check()
    this.#checks = first.then(() => this.#watch())
    await first
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#checks
    this.health.set(false)
    this.listing.set(undefined)
    this.#http.close()
  }

  healthy(): boolean {
    return this.health.value
  }

  /** Throws `Failure` `engine-unreachable`, `engine-answer-bad` for a redirection, or `cancelled` when aborted before the response. */
  async handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    const objection = this.#options.objection?.()
    if (objection !== undefined) throw objection
    const headers = request.headers.filter(([name]) => !this.#isOwn(name.toLowerCase()))
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
      throw badAnswer(`The engine sends to another address (${response.status}), which is not followed.`)
    }
    return {
      ...response,
      headers: response.headers.filter(([name]) => !ownHeaders.has(name.toLowerCase())),
      ...(contentTypeOf(response.headers).startsWith('text/event-stream') && { body: untilDone(response.body) }),
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(this.#options.healthIntervalMs ?? 1500, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await this.check()
    }
  }

  /** Asks for the models now. Never rejects: what it found is in `health` and `listing`. */
  async check(): Promise<void> {
    const limit = AbortSignal.timeout(this.#options.healthTimeoutMs ?? 10_000)
    try {
      const objection = this.#options.objection?.()
      if (objection !== undefined) throw objection
      const signal = AbortSignal.any([limit, this.#stop.signal])
      const response = await this.#http.send(
        { method: 'GET', path: '/v1/models', headers: this.#authorization(), body: new Uint8Array(0) },
        signal,
      )
      const listing = await listingOf(response)
      // A body that was given up ends early, without an error.
      signal.throwIfAborted()
      // Before the health, of which many hear.
      this.#list(listing)
      this.health.set(response.status === 200)
    } catch (thrown) {
      if (this.#stop.signal.aborted) return
      if (this.health.value) this.#logger.warn('engine not reached', { reason: asError(thrown).message })
      this.#list({ models: [], problem: limit.aborted ? unreachable(new Error('no answer in time')) : thrown })
      this.health.set(false)
    }
  }

  /** A new object only where something is new, so that nobody is told of the same again and again. */
  #list(next: ExternalListing): void {
    if (said(next) !== said(this.listing.value)) this.listing.set(next)
  }

  /** The engine's key is ours alone: what a caller sends in its place stays here. */
  #isOwn(name: string): boolean {
    return ownHeaders.has(name) || (name === 'authorization' && this.#options.apiKey !== undefined)
  }

  #authorization(): ReadonlyArray<readonly [string, string]> {
    const { apiKey } = this.#options
    return apiKey === undefined ? [] : [['Authorization', `Bearer ${apiKey}`]]
  }
}

/** Any OpenAI-compatible server as a backend for one of its models. */
export class ExternalBackend extends ExternalServer implements OpenAiBackend {
  readonly model: string

  constructor(options: ExternalBackendOptions) {
    super(options)
    this.model = options.model
  }
}

/** A server may be healthy and list no models in a form that can be read; what a connection breaks is no listing. */
async function listingOf(response: EngineHttpResponse): Promise<ExternalListing> {
  try {
    return { models: await readModels(response) }
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.code === 'engine-unreachable') throw thrown
    await discard(response)
    return { models: [], problem: thrown }
  }
}

function said(listing: ExternalListing | undefined): string {
  return JSON.stringify([
    listing?.models,
    listing?.problem === undefined ? null : asError(listing.problem).message,
    listing === undefined,
  ])
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
