import type { Address } from '@ton/core'
import { asError, Failure } from '../../base/failure.ts'
import {
  type Asked,
  type HttpPlace,
  isLoopback,
  type Listener,
  listenHttp,
  readBody,
  sendJson,
  sendText,
} from '../../base/http-listener.ts'
import type { Logger } from '../../base/logger.ts'
import type { ChatRequest, Client } from '../../client/client.ts'
import type { QueryHandle } from '../../client/running-query.ts'
import { transcriptionPath } from '../../protocol/requests/transcription.ts'
import { Rate } from '../../proxy/rates.ts'
import { hasAccess } from './access.ts'
import { clientActions } from './client-actions.ts'
import { clientError } from './client-error.ts'
import { readClientForm } from './client-form.ts'
import { readClientRequest } from './client-request.ts'
import { passAnswer } from './pass-answer.ts'
import { performanceText } from './performance-text.ts'
import { DebugLog, QueryDebug } from './query-debug.ts'
import { statsPage } from './stats-page.ts'

export interface ClientHttpOptions extends HttpPlace {
  readonly client: Client
  /** Guards the actions that move money, and the status where others can reach it. */
  readonly accessHash: string
  readonly allowOrigin?: string
  /** Data of `/jsonstats` beside the counters. */
  readonly stats: () => Promise<Record<string, unknown>>
  /** nanoton that `/request/topup` puts on a balance; undefined where the network's terms are not known yet. */
  readonly topUpNano: () => bigint | undefined
  /** Without a blockchain the actions that move money are refused. */
  readonly hasChain: boolean
  readonly network: () => Address | undefined
  /** Encrypts requests for a key of the network that their programs did not encrypt themselves; those that cannot be are refused. */
  readonly encrypts?: boolean
  /** What is asked of the seal of each request; see `ChatRequest`. */
  readonly seal?: ChatRequest['seal']
  readonly objectionTo?: ChatRequest['objectionTo']
  readonly mayGo?: ChatRequest['mayGo']
  /** Waited for before each question is handed to the client. */
  readonly beforeQuestion?: () => Promise<void>
  /** `recorded`: requests without a limit of their own are treated as recorded clients do (client-request.ts); as newer ones do by default. */
  readonly revision?: 'recorded' | 'newest'
  readonly logger: Logger
}

export interface ClientHttp extends Listener {
  /** Queries being answered. */
  readonly running: number
}

const mostBodyBytes = 15 << 20

/** What `/jsonstats` counts (protocol 30 §8.2). */
function counters() {
  const rate = (): Rate => new Rate(Date.now())
  return { queries: rate(), success: rate(), failed: rate(), bytes_received: rate(), bytes_sent: rate(), time: rate() }
}

/**
 * The local HTTP address of a client (protocol 30 §8): OpenAI-shaped requests become queries over the network. Every request is answered:
 * errors of either shape, timeouts and lost connections included.
 */
export async function openClientHttp(options: ClientHttpOptions): Promise<ClientHttp> {
  const { client, logger } = options
  const counted = counters()
  const debugLog = new DebugLog()
  const usualLimit = options.revision === 'recorded' ? undefined : usualLimitOf(client)
  let running = 0

  const { seal, objectionTo, mayGo } = options
  const wish = { ...(seal && { seal }), ...(objectionTo && { objectionTo }), ...(mayGo && { mayGo }) }
  const run = (asked: ChatRequest, signal: AbortSignal): QueryHandle => {
    const isEncrypted = asked.publicKey !== undefined
    if (isEncrypted && (options.seal === 'required' || options.seal === 'attested'))
      throw new Failure('seal-unavailable', 'What a program has encrypted itself cannot be sealed to a worker.')
    if (options.encrypts !== true || isEncrypted) return client.runChat({ ...asked, ...wish }, signal)
    const { body, ...rest } = asked
    if (typeof body === 'string' || body instanceof Map) return client.runEncrypted({ ...rest, body }, signal)
    throw new Failure('invalid-request', 'failed to parse request: a form cannot be encrypted here')
  }

  const query = async ({ request, response, path }: Asked): Promise<void> => {
    const startedAtMs = Date.now()
    const gone = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    let [debug, guid, handle]: [QueryDebug?, string?, QueryHandle?] = []
    running++
    counted.queries.add(1, startedAtMs)
    try {
      const body = await readBody(request, mostBodyBytes)
      counted.bytes_received.add(body.length, startedAtMs)
      const isForm = path === transcriptionPath
      const read = isForm
        ? readClientForm(request.headers['content-type'], body, usualLimit)
        : readClientRequest(body, usualLimit)
      const { enableDebug, guid: named, publicKey, ...asked } = read
      if (enableDebug) [debug, guid] = [new QueryDebug(startedAtMs), named]
      await options.beforeQuestion?.()
      handle = run({ ...asked, ...(publicKey && { publicKey }), path, debug: enableDebug }, gone.signal)
      const { bytes, broken } = await passAnswer(handle, response, startedAtMs, debug)
      counted.bytes_sent.add(bytes, Date.now())
      if (broken !== undefined) throw broken
      counted.success.add(1, Date.now())
    } catch (thrown) {
      counted.failed.add(1, Date.now())
      if (!(thrown instanceof Failure)) throw thrown
      logger.debug('a query failed', { code: thrown.code })
      if (response.headersSent || response.destroyed) return void response.destroy()
      const { status, body } = clientError(thrown, debug?.entry(handle?.debug, Date.now()))
      sendJson(response, status, body)
    } finally {
      running--
      if (debug !== undefined && guid !== undefined) debugLog.keep(guid, debug.entry(handle?.debug, Date.now()))
      counted.time.add((Date.now() - startedAtMs) / 1000, Date.now())
    }
  }

  const models = async ({ response }: Asked): Promise<void> => {
    try {
      const offers = await client.models()
      const data = offers.map(({ model, workers }) => ({
        id: model,
        object: 'model',
        created: 0,
        owned_by: '?',
        workers: workers.map((one) => ({
          coefficient: one.coefficient,
          running_requests: one.running,
          max_running_requests: one.mostRunning,
        })),
      }))
      sendJson(response, 200, { object: 'list', data })
    } catch (thrown) {
      const { status, body } = clientError(thrown instanceof Failure ? thrown : new Failure('failed', asError(thrown).message))
      sendJson(response, status, body)
    }
  }

  const mayLook = (asked: Asked): boolean => isLoopback(options.host) || hasAccess(asked, options.accessHash)
  const stats = async (asked: Asked, asPage: boolean): Promise<void> => {
    if (!mayLook(asked)) return sendJson(asked.response, 403, noAccess)
    const values = Object.fromEntries(Object.entries(counted).map(([name, rate]) => [name, rate.values(Date.now())]))
    const data = { ...(await options.stats()), stats: values }
    if (asPage) sendText(asked.response, 200, 'text/html; charset=utf-8', statsPage('Cocoon client', data))
    else sendJson(asked.response, 200, data)
  }

  const act = clientActions(options)
  const control = (asked: Asked): void => {
    if (asked.path !== '/request/debuglogentry') return act(asked)
    const entry = debugLog.find(asked.search.get('request_guid') ?? '')
    if (entry === undefined) return sendJson(asked.response, 404, { error: 'no entry of that request_guid' })
    sendText(asked.response, 200, 'application/json', entry)
  }
  const listener = await listenHttp(options, async (asked) => {
    const { method, path, response } = asked
    if (method === 'OPTIONS') return sendText(response, 200, 'text/html; charset=utf-8', '<http><body>OK</body></http>')
    if (path === '/v1/models' && method === 'GET') return models(asked)
    if (path === '/stats' || path === '/jsonstats') return stats(asked, path === '/stats')
    if (path === '/perf')
      return mayLook(asked) ? sendText(response, 200, 'text/plain', performanceText()) : sendJson(response, 403, noAccess)
    if (path.startsWith('/request/'))
      return hasAccess(asked, options.accessHash) ? control(asked) : sendJson(response, 403, noAccess)
    if (path === '/favicon.ico') return sendText(response, 404, 'text/plain', 'not found')
    return query(asked)
  })
  return {
    ...listener,
    get running() {
      return running
    },
  }
}

/** Limit of an answer whose request names none, as newer clients choose it (protocol 95 §5). */
const usualTokens = 10_000
/** Where the money allows less than that, so much is asked for at least: the proxy says what is missing. */
const leastTokens = 1_000

function usualLimitOf(client: Client): (maxCoefficient: number, bytes: number) => number {
  return (maxCoefficient, bytes) => {
    const affordable = client.largestAnswer(maxCoefficient, bytes) ?? usualTokens
    return Math.max(leastTokens, Math.min(usualTokens, affordable))
  }
}

const noAccess = { error: 'the access hash of the key file is needed: ?access_hash=' }
