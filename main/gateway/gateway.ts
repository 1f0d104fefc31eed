import {
  type GatewayKey,
  type GatewayKeyTerms,
  type GatewayRequest,
  type GatewayState,
  usualGatewayPort,
} from '../../preload/api/gateway.ts'
import { placesOf } from '../base/error-places.ts'
import { asError, Failure, toldOf } from '../base/failure.ts'
import { type Listener, listenHttp } from '../base/http-listener.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import type { Database } from '../storage/database.ts'
import { type ApiKey, ApiKeys } from './api-keys.ts'
import type { GatewayBackend } from './backend.ts'
import { Desk } from './desk.ts'
import { Metrics } from './metrics.ts'
import { hasAgreed, idOf } from './model-choice.ts'
import { ApiRefusal, errorBody } from './refusal.ts'
import { gatewayRoutes } from './routes.ts'
import { RunningRequests } from './running-requests.ts'
import { Spending } from './spending.ts'

export interface GatewayOptions {
  /** Opened with `gatewayMigrations`. */
  readonly database: Database
  /** Narrowest level first. */
  readonly backends: readonly GatewayBackend[]
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now?: () => number
  /** How long head and whole of a request may take to come; see `ListenerOptions`. */
  readonly limits?: { readonly headMs: number; readonly requestMs: number }
}

export interface GatewayWish {
  readonly enabled: boolean
  /** 0 = any free one. */
  readonly port: number
}

type Condition = Pick<GatewayState, 'status' | 'error' | 'errorWords'>

const host = '127.0.0.1'
const mostConnections = 256
const mostRecent = 50
const stopGraceMs = 3_000
/** Of what is refused before it is a request of this API, by status. */
const codes: Readonly<Record<number, string>> = {
  403: 'host_not_allowed',
  408: 'request_timeout',
  431: 'headers_too_large',
  500: 'internal_error',
}

/**
 * The OpenAI-compatible API of this computer for programs (docs/local-api.md). `apply` opens and closes it; the keys are kept whether it is open or not.
 */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #keys: ApiKeys
  readonly #spending: Spending
  readonly #running = new RunningRequests()
  readonly #route: ReturnType<typeof gatewayRoutes>
  #listener: Listener | undefined
  #condition: Condition = { status: 'off' }
  /** The newest first. */
  #recent: readonly GatewayRequest[] = []
  #wish: GatewayWish = { enabled: false, port: usualGatewayPort }
  /** Ends when the last asked-for change is done; never rejects. */
  #work: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: GatewayOptions) {
    const { database, backends, logger, now = Date.now } = options
    this.#options = options
    this.#keys = new ApiKeys(database, now)
    this.#spending = new Spending(database, now, logger)
    const metrics = new Metrics()
    const desk = new Desk({
      backends,
      keys: this.#keys,
      spending: this.#spending,
      running: this.#running,
      metrics,
      onEnded: (request, key) => this.#ended(request, key),
      now,
      logger,
    })
    this.#route = gatewayRoutes({
      keys: this.#keys,
      desk,
      metrics,
      backends,
      running: () => this.#running.size,
      startedS: Math.floor(now() / 1000),
      onDefect: (thrown) =>
        logger.error('a request failed by a defect', { kind: asError(thrown).name, at: placesOf(asError(thrown)) }),
    })
  }

  /** Opens the API if it was open when the app ended last. */
  start(): Promise<void> {
    return this.apply(this.#kept())
  }

  /** Switches or moves it, now and for every later start. Resolves when it is so, or the view says why it is not. */
  set(change: { enabled?: boolean | undefined; port?: number | undefined }): Promise<void> {
    const { database } = this.#options
    const kept = this.#kept()
    const [enabled, port] = [change.enabled ?? kept.enabled, change.port ?? kept.port]
    database.transaction(() => {
      database.prepare('INSERT OR REPLACE INTO api_switch (only, enabled, port) VALUES (1, ?, ?)').run(enabled ? 1 : 0, port)
    })
    return this.apply({ enabled, port })
  }

  /** Where it listens; undefined while it does not. */
  get port(): number | undefined {
    return this.#listener?.port
  }

  /** Opens, closes or moves it until the app ends. */
  apply(wish: GatewayWish): Promise<void> {
    this.#work = this.#work.then(() => this.#bring(wish))
    return this.#work
  }

  /** @throws Failure `api-consent-missing`, `api-level-unknown` */
  createKey({ consent, ...terms }: GatewayKeyTerms & { consent: boolean }): { id: string; secret: string } {
    this.#checkConsent(terms, consent)
    const { key, secret } = this.#keys.create(terms, consent)
    return { id: key.id, secret }
  }

  /** @throws Failure `not-found`, `api-consent-missing`, `api-level-unknown` */
  changeKey({ id, consent, ...terms }: GatewayKeyTerms & { id: string; consent: boolean }): void {
    const old = this.#keys.byId(id)
    this.#checkConsent(terms, consent, old)
    this.#keys.change(id, terms, consent)
  }

  /** @throws Failure `not-found` */
  revokeKey({ id }: { id: string }): void {
    this.#keys.revoke(id)
    this.#running.end(
      id,
      new ApiRefusal('This key was revoked.', { status: 401, type: 'authentication_error', code: 'invalid_api_key' }),
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#work
    const ended = this.#running.idle()
    await this.#close()
    // What they cost is still written down; one that does not end counts as unsure at the next start.
    await Promise.race([ended, pause(stopGraceMs)])
  }

  #kept(): GatewayWish {
    const row = this.#options.database.prepare<{ enabled: number; port: number }>('SELECT enabled, port FROM api_switch').get()
    return { enabled: row?.enabled === 1, port: row?.port ?? usualGatewayPort }
  }

  async #bring(wish: GatewayWish): Promise<void> {
    if (this.#stopped) return
    if (this.#listener !== undefined && wish.enabled && wish.port === this.#wish.port) return
    await this.#close()
    this.#wish = wish
    this.#condition = { status: wish.enabled ? 'starting' : 'off' }
    if (!wish.enabled) return
    const { limits, logger } = this.#options
    try {
      this.#listener = await listenHttp(
        {
          host,
          port: wish.port,
          judgesOrigins: true,
          refusal: (status, text) =>
            errorBody(
              new ApiRefusal(text, {
                status,
                code: codes[status] ?? 'bad_request',
                ...(status >= 500 && { type: 'server_error' }),
              }),
            ),
          mostConnections,
          ...(limits && { limits }),
          logger,
        },
        this.#route,
      )
      this.#condition = { status: 'listening' }
      logger.info('the local API listens', { port: this.#listener.port })
    } catch (thrown) {
      const { text, words } = toldOf(this.#portFailure(thrown))
      this.#condition = { status: 'failed', error: text, ...(words && { errorWords: { ...words } }) }
      logger.warn('the local API could not be opened', { port: wish.port, reason: asError(thrown).message })
    }
  }

  #portFailure(thrown: unknown): unknown {
    if (!(thrown instanceof Failure && thrown.code === 'port-taken')) return thrown
    return new Failure('api-port-taken', `Port ${this.#wish.port} is used by another program.`, {
      advice: 'Choose another port.',
      values: { port: String(this.#wish.port) },
      cause: thrown,
    })
  }

  async #close(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    this.#running.endAll(
      new ApiRefusal('The local API was switched off.', { status: 503, type: 'server_error', code: 'not_ready' }),
    )
    await listener?.close()
  }

  #checkConsent({ level }: GatewayKeyTerms, consent: boolean, old?: ApiKey): void {
    const backend = this.#options.backends.find((one) => one.level === level)
    if (backend === undefined && level !== 'computer')
      throw new Failure('api-level-unknown', 'This level cannot be used here.', { advice: 'Choose another one.' })
    const before = backend !== undefined && old !== undefined && hasAgreed(old, backend, this.#options.backends)
    if (backend?.needsConsent && !consent && !before)
      throw new Failure('api-consent-missing', 'Requests leave for this network only when you have agreed to it for this key.')
  }

  #ended(request: GatewayRequest, { id }: ApiKey): void {
    const { promptTokens, completionTokens, atMs } = request
    this.#keys.used(id, atMs)
    this.#spending.count(id, { promptTokens: promptTokens ?? 0, completionTokens: completionTokens ?? 0 })
    this.#recent = [request, ...this.#recent].slice(0, mostRecent)
  }

  /** What the page shows; reads the books, so look at it only while somebody watches. */
  view(): GatewayState {
    const { backends } = this.#options
    const port = this.#listener?.port ?? this.#wish.port
    return {
      enabled: this.#wish.enabled,
      port,
      ...this.#condition,
      url: `http://${host}:${port}/v1`,
      levels: backends.map(levelOf),
      models: backends.flatMap((backend) => backend.offers().map((offer) => idOf(backend, offer))),
      keys: this.#keys.list().map((key): GatewayKey => withToday(key, this.#spending)),
      running: this.#running.size,
      recent: [...this.#recent],
    }
  }
}

function levelOf(backend: GatewayBackend): GatewayState['levels'][number] {
  const { level, needsConsent } = backend
  const leastAside = backend.leastAside?.()
  return { level, needsConsent, ...(leastAside !== undefined && { leastAside }) }
}

function withToday(key: ApiKey, spending: Spending): GatewayKey {
  return { ...key, models: key.models && [...key.models], origins: [...key.origins], today: spending.today(key.id) }
}
