import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { GatewayRequest } from '../../preload/api/gateway.ts'
import { type Asked, readBody } from '../base/http-listener.ts'
import type { Logger } from '../base/logger.ts'
import type { ApiKey, ApiKeys } from './api-keys.ts'
import { type Endpoint, readApiRequest } from './api-request.ts'
import type { GatewayBackend } from './backend.ts'
import { checkOrigin } from './cors.ts'
import { checkFields } from './fields.ts'
import type { Metrics } from './metrics.ts'
import { type Choice, chooseModel, levelHeader } from './model-choice.ts'
import { type Passed, passAnswer } from './pass-answer.ts'
import { ApiRefusal, aborted, asRefusal, callerLeft, unknownKey } from './refusal.ts'
import type { RunningRequests } from './running-requests.ts'
import type { Reservation, Spending } from './spending.ts'

export interface DeskOptions {
  /** Narrowest first. */
  readonly backends: readonly GatewayBackend[]
  readonly keys: Pick<ApiKeys, 'byId'>
  readonly spending: Spending
  readonly running: RunningRequests
  readonly metrics: Metrics
  /** Told about each request when it ended. */
  readonly onEnded: (request: GatewayRequest, key: ApiKey) => void
  readonly now: () => number
  readonly logger: Logger
}

const mostBodyBytes = 16 << 20
/** More at once are refused: the engine's line has its own places, and each holds memory. */
const mostRunning = 64

/** Answers the requests for models: reads, judges, puts money aside, asks, passes the answer on, and counts. */
export class Desk {
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** @throws what ended the request, unless its answer had begun: nothing has been written then */
  async answer(endpoint: Endpoint, asked: Asked, shown: ApiKey): Promise<void> {
    const { running, onEnded, metrics, now, logger } = this.#options
    const { request, response } = asked
    const id = `req_${randomUUID()}`
    response.setHeader('X-Request-Id', id)
    if (running.size >= mostRunning)
      throw new ApiRefusal('Too many requests at once.', {
        status: 429,
        type: 'rate_limit_error',
        code: 'too_many_requests',
        retry: true,
      })
    const { control, done } = running.begin(shown.id)
    const notes: Passed = { counts: undefined, isWhole: false, end: undefined, firstWordAtMs: undefined }
    let key = shown
    let choice: Choice | undefined
    let status = 200
    let startedAt = performance.now()
    response.once('close', () => {
      if (!response.writableFinished) control.abort(new Error('The caller left.'))
    })
    try {
      checkContent(asked)
      const body = await readBody(request, mostBodyBytes)
      startedAt = performance.now()
      // The user may have changed the key while the body came.
      key = this.#currentKey(shown)
      checkOrigin(request, key)
      const read = readApiRequest(endpoint, body)
      choice = chooseModel(read.model, header(asked), key, this.#options.backends)
      choice = await this.#ready(choice, read, asked, shown, control.signal)
      // The user may have changed the key while a model was loaded.
      key = this.#currentKey(shown)
      const prepared = choice.backend.prepare(read, choice.offer, key.id)
      const reservation = prepared.worstCaseNano > 0n ? this.#options.spending.reserve(key, prepared.worstCaseNano) : undefined
      await this.#pass(choice, prepared, reservation, control, response, read, notes)
    } catch (thrown) {
      status = asRefusal(thrown).status
      if (!response.headersSent) throw thrown
      logger.debug('an answer broke off', { code: asRefusal(thrown).code ?? undefined })
    } finally {
      if (response.destroyed && !response.writableFinished) status = callerLeft
      const level = choice?.backend.level ?? null
      const counts = notes.counts ?? notes.end?.usage
      const durationMs = performance.now() - startedAt
      const cost = notes.end?.costNano
      metrics.ended({
        endpoint,
        level: level ?? 'none',
        status,
        durationMs,
        firstWordMs: notes.firstWordAtMs === undefined ? undefined : notes.firstWordAtMs - startedAt,
        promptTokens: counts?.promptTokens ?? 0,
        completionTokens: counts?.completionTokens ?? 0,
        costNano: cost ?? 0n,
      })
      onEnded(
        {
          id,
          atMs: now(),
          keyName: key.name,
          endpoint,
          model: choice?.id ?? null,
          level,
          status,
          durationMs,
          promptTokens: counts?.promptTokens ?? null,
          completionTokens: counts?.completionTokens ?? null,
          cost: cost === undefined || cost === 0n ? null : cost,
        },
        key,
      )
      done()
    }
  }

  /** Judges the request by what its model can do, and loads that before where it was not loaded: nothing is generated for a request that is refused. */
  async #ready(
    choice: Choice,
    read: ReturnType<typeof readApiRequest>,
    asked: Asked,
    shown: ApiKey,
    signal: AbortSignal,
  ): Promise<Choice> {
    const { backend, offer } = choice
    checkFields(read, offer.capabilities)
    if (backend.bring === undefined || offer.isLoaded !== false) return choice
    await backend.bring(offer, signal)
    if (signal.aborted) throw aborted(signal)
    // Key and models may have changed meanwhile.
    const now = chooseModel(read.model, header(asked), this.#currentKey(shown), this.#options.backends)
    if (now.offer.capabilities === null)
      throw new ApiRefusal('The model gave its memory to another one.', {
        status: 503,
        type: 'server_error',
        code: 'not_ready',
        retry: true,
      })
    if (offer.capabilities === null) checkFields(read, now.offer.capabilities)
    return now
  }

  #currentKey({ id }: ApiKey): ApiKey {
    const key = this.#options.keys.byId(id)
    if (key === undefined) throw unknownKey('This key was revoked.')
    return key
  }

  async #pass(
    { backend, id }: Choice,
    prepared: ReturnType<GatewayBackend['prepare']>,
    reservation: Reservation | undefined,
    control: AbortController,
    response: ServerResponse,
    read: ReturnType<typeof readApiRequest>,
    notes: Passed,
  ): Promise<void> {
    const { signal } = control
    // Nothing was sent yet: a caller that left meanwhile, or a defect right here, costs nothing.
    if (signal.aborted) {
      reservation?.settle(0n)
      throw aborted(signal)
    }
    let answer: ReturnType<typeof prepared.run>
    try {
      answer = prepared.run(signal)
    } catch (thrown) {
      reservation?.settle(0n)
      throw thrown
    }
    void answer.end.then((end) => {
      notes.end = end
      reservation?.settle(end.costNano)
    })
    response.setHeader('X-Cocoon-Level', backend.level)
    try {
      const { endpoint, stream, includeUsage } = read
      const isForeign = backend.level !== 'computer'
      const { worstCaseNano } = prepared
      await passAnswer(answer, response, { model: id, endpoint, stream, includeUsage, signal, isForeign, worstCaseNano }, notes)
    } catch (thrown) {
      const told = signal.aborted ? aborted(signal) : thrown
      // Nobody reads the rest.
      control.abort(told)
      throw told
    } finally {
      await answer.end
    }
  }
}

/** What cannot be read here is refused before its body is. */
function checkContent({ request }: Asked): void {
  const type = request.headers['content-type'] ?? ''
  const coding = request.headers['content-encoding'] ?? 'identity'
  if (!/^application\/json *(;|$)/i.test(type) || coding !== 'identity')
    throw new ApiRefusal('The body must be JSON, with the content type application/json, and not compressed.', {
      status: 415,
      code: 'unsupported_media_type',
    })
  if (Number(request.headers['content-length'] ?? 0) > mostBodyBytes) throw tooLarge()
}

const tooLarge = (): ApiRefusal =>
  new ApiRefusal(`A request has at most ${mostBodyBytes} bytes.`, { status: 413, code: 'request_too_large' })

function header({ request }: Asked): string | undefined {
  const value = request.headers[levelHeader]
  return typeof value === 'string' ? value.trim().toLowerCase() : undefined
}
