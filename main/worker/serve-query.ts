import { asError, Failure } from '../base/failure.ts'
import type { BackendResponse, OpenAiBackend } from '../inference/openai-backend.ts'
import type { TokenCounts } from '../protocol/accounting/adjusted-tokens.ts'
import { JsonStreamCounter } from '../protocol/accounting/json-stream-counter.ts'
import { SseCounter } from '../protocol/accounting/sse-counter.ts'
import { type Tariff, UsageMeter } from '../protocol/accounting/usage-meter.ts'
import {
  decodeHttpRequest,
  encodeHttpResponse,
  type HttpRequest,
  headerOf,
  timingHeader,
  withoutHopHeaders,
} from '../protocol/http/http-message.ts'
import type { JsonObject } from '../protocol/requests/json-text.ts'
import { requestLimits } from '../protocol/requests/request-limits.ts'
import type { Revision } from '../protocol/requests/request-tables.ts'
import { transcriptionPath } from '../protocol/requests/transcription.ts'
import { cacheScopeIn } from '../protocol/sealed/direct/cache-scope.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import { type EngineRequest, engineRequest } from './engine-request.ts'
import { type FinalInfo, noCounts, type Reply, unpaid } from './query-reply.ts'

export interface QueryToServe {
  /** Boxed `http.request`, unchecked. */
  readonly query: Uint8Array
  /** As told by the proxy, unchecked. */
  readonly timeoutMs: number
  /** Rules by which the request is judged. */
  readonly revision: Revision
  /** What the head of a sealed request allows; the body may not ask for more (docs/protocol-extensions.md). */
  readonly sealedLimits?: { readonly bodyLimit: number | undefined; readonly choices: number }
}

export interface ServeContext {
  readonly backend: OpenAiBackend
  readonly tariff: Tariff
  /** Aborts when the proxy cancels this query: it ends as a success with the usage so far. */
  readonly cancelled: AbortSignal
  /** Aborts when the connection is lost: nothing more can be said, nobody is charged. */
  readonly lost: AbortSignal
  /** Unix time in ms. */
  readonly now: () => number
}

export interface QueryOutcome {
  readonly result: 'answered' | 'cancelled' | 'failed'
  readonly counts: TokenCounts
  readonly adjustedTokens: bigint
  /** For the log: why it failed. Never part of a prompt or an answer. */
  readonly reason?: string
}

/** Of a query that failed: nobody pays for it. */
export const failedBy = (reason: string): QueryOutcome => ({ result: 'failed', counts: noCounts, adjustedTokens: 0n, reason })

/** Header by which an engine may tell the exact prompt tokens before it generates; it does not travel on (docs/protocol-extensions.md). */
const promptTokensHeader = 'x-cocoon-prompt-tokens'
/** How long a cancelled engine may take to end its stream, so that its own usage event still counts. */
const cancelGraceMs = 500
const longestTimeoutMs = 3_600_000

class Refused extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

function readRequest(
  { query, revision, sealedLimits }: QueryToServe,
  backend: OpenAiBackend,
): { http: HttpRequest; valid: EngineRequest; cacheScope: string | undefined } {
  const refuse = (code: number, message: string): Refused => new Refused(code, `invalid http request: ${message}`)
  try {
    const http = decodeHttpRequest(query)
    const valid = engineRequest(http, revision)
    if (valid.model !== backend.model) throw refuse(621, 'model name mismatch')
    if (sealedLimits !== undefined && !staysWithin(valid.value, sealedLimits))
      throw refuse(621, 'the sealed request asks for more than its head says')
    // Of readable requests nothing is kept: who sent them may be anybody, and whoever carried them knows what they say.
    return { http, valid, cacheScope: sealedLimits && cacheScopeIn(http.headers) }
  } catch (thrown) {
    // The text that the network's workers send for it.
    if (thrown instanceof TlError)
      throw refuse(0, thrown.code === 'tl-unexpected-constructor' ? 'Wrong constructor found at 4' : thrown.message)
    if (thrown instanceof Failure) throw refuse(621, thrown.message)
    if (thrown instanceof TypeError) throw refuse(621, 'expected json object')
    throw thrown
  }
}

/** Whether a body asks for no more than the head of its seal told the proxy, which judges the bill by it. */
function staysWithin(value: JsonObject, limits: NonNullable<QueryToServe['sealedLimits']>): boolean {
  const { bodyLimit, choices } = requestLimits(value)
  const isLimited = limits.bodyLimit === undefined || (bodyLimit !== undefined && bodyLimit <= limits.bodyLimit)
  return isLimited && choices <= limits.choices
}

/** Counts a body in the form that its Content-Type names. */
interface BodyCounter {
  push(chunk: Uint8Array): Uint8Array[]
  finish(): Uint8Array
  textEvents(): number
}

/** Text that is not meant for a program: nothing in it is counted or changed. */
const untouched: BodyCounter = { push: (chunk) => [chunk], finish: () => new Uint8Array(0), textEvents: () => 0 }

function bodyCounter(meter: UsageMeter, path: string, contentType: string | undefined): BodyCounter {
  if (contentType?.toLowerCase().includes('text/event-stream')) {
    const sse = new SseCounter(meter)
    return { push: (chunk) => sse.push(chunk), finish: () => sse.finish(), textEvents: () => sse.textEvents }
  }
  // A transcript may be words or subtitles, numbers among them.
  if (path === transcriptionPath && contentType?.toLowerCase().includes('json') !== true) return untouched
  const json = new JsonStreamCounter(meter)
  return { push: (chunk) => [json.push(chunk)], finish: () => json.finish(), textEvents: () => 0 }
}

/** A document up to this size is passed on in one piece. */
const mostGatheredBytes = 256 * 1024

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
}

function isDocument(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().startsWith('application/json') ?? false
}

type Stop = 'deadline' | 'cancelled' | 'lost'

/** The wire's code for what went wrong in the engine (protocol 10 §2). */
function engineError(thrown: unknown): { code: number; text: string } {
  const error = asError(thrown)
  if (thrown instanceof Refused) return { code: thrown.code, text: thrown.message }
  const code =
    error instanceof Failure ? (error.code === 'context-too-small' ? 621 : error.code === 'engine-not-ready' ? 651 : 601) : 601
  return { code, text: error instanceof Failure ? error.message : 'the engine failed' }
}

/**
 * Serves one query with the engine and answers it (protocol 40 §4 to §6): validation, deadline of 0.95 × timeout, the first answer as soon
 * as the engine answers, every part as soon as it is complete and counted, usage and times at the end. Never throws for what the proxy or
 * the engine does. When the engine's stream ends before it has stated its usage, the worker counts itself (docs/protocol-extensions.md).
 */
export async function serveQuery(query: QueryToServe, reply: Reply, context: ServeContext): Promise<QueryOutcome> {
  const startedAtMs = context.now()
  const meter = new UsageMeter(context.tariff, { hidesCached: context.backend.keepsPromptsApart !== true })
  let answeredAtMs = 0
  const final = (): FinalInfo => ({
    tokens: meter.adjusted,
    counts: meter.counts,
    startedAtMs,
    answeredAtMs,
    endedAtMs: context.now(),
  })
  const failed = async (code: number, text: string, reason = text): Promise<QueryOutcome> => {
    await reply.error(code, text, { ...final(), ...unpaid })
    return failedBy(`${code}: ${reason}`)
  }
  const lost = failedBy('connection lost')

  const timeoutMs = Math.min(query.timeoutMs, longestTimeoutMs)
  if (!(timeoutMs > 0)) return failed(652, 'timeout')

  const engine = new AbortController()
  const watch = watchStops(context, 0.95 * timeoutMs, engine)
  let counter: BodyCounter | undefined
  let complete = false
  const head = (status: number, reason: string, headers: BackendResponse['headers']): Uint8Array =>
    encodeHttpResponse({
      status,
      reason,
      headers: [
        ...withoutHopHeaders(headers).filter(([name]) => name.toLowerCase() !== promptTokensHeader),
        ['X-Cocoon-Worker-Start', timingHeader(startedAtMs)],
        ['X-Cocoon-Worker-End', timingHeader(context.now())],
        ['Transfer-Encoding', 'chunked'],
      ],
    })
  const settle = (): void => {
    if (counter !== undefined && !meter.reported) meter.raise({ completionTokens: counter.textEvents() })
  }
  const ended = (result: QueryOutcome['result']): QueryOutcome => ({
    result,
    counts: meter.counts,
    adjustedTokens: meter.adjusted.total,
  })

  try {
    const { http, valid, cacheScope } = readRequest(query, context.backend)
    const request = {
      method: http.method,
      path: http.path,
      headers: valid.headers,
      body: valid.body,
      ...(cacheScope !== undefined && { cacheScope: `conversation ${cacheScope}` }),
    }
    const answer = await watch.orStop(context.backend.handle(request, engine.signal))
    if (typeof answer !== 'string') answeredAtMs = context.now()
    // An engine that answers only because it was told to end at the deadline is still too late.
    const response = typeof answer !== 'string' && watch.stopped() === 'deadline' ? 'deadline' : answer
    if (response === 'lost') return lost
    if (response === 'deadline') {
      // What the network's workers answer when their engine stays silent: a success that carries a 504.
      await reply.answer(head(504, 'Gateway Timeout', []))
      await reply.part(new Uint8Array(0), final())
      return failedBy('the engine did not answer in time')
    }
    if (response === 'cancelled') {
      await reply.answer(head(200, 'OK', [['Content-Type', valid.stream ? 'text/event-stream' : 'application/json']]), final())
      return ended('cancelled')
    }

    const told = Number(headerOf(response.headers, promptTokensHeader))
    if (Number.isSafeInteger(told) && told > 0) meter.raise({ promptTokens: told })
    const contentType = headerOf(response.headers, 'content-type')
    counter = bodyCounter(meter, http.path, contentType)
    // One document is of use only when it is complete: unless it is long, it travels in one part right behind its head, with the end.
    let gathered: Uint8Array[] | undefined = isDocument(contentType) ? [] : undefined
    let gatheredBytes = 0
    const begin = (): Promise<void> => reply.answer(head(response.status, response.reason, response.headers))
    const pass = async (bytes: Uint8Array): Promise<void> => {
      if (gathered === undefined) return reply.part(bytes)
      gathered.push(bytes)
      gatheredBytes += bytes.length
      if (gatheredBytes <= mostGatheredBytes) return
      const parts = gathered
      gathered = undefined
      await begin()
      for (const part of parts) await reply.part(part)
    }
    const finish = async (rest: Uint8Array, info: FinalInfo): Promise<void> => {
      if (gathered === undefined) return reply.part(rest, info)
      // Both are queued at once and leave together.
      await Promise.all([begin(), reply.part(Buffer.concat([...gathered, rest]), info)])
    }
    if (gathered === undefined) await begin()
    const body = response.body[Symbol.asyncIterator]()
    let stop: Stop | undefined
    try {
      for (;;) {
        const step = await watch.orStop(body.next())
        if (typeof step === 'string') {
          stop = step
          break
        }
        if (step.done) {
          complete = true
          break
        }
        // Events that came together travel together; none waits for another.
        await pass(joined(counter.push(step.value)))
      }
    } catch (thrown) {
      // An engine may end its stream by throwing when it is aborted; anything else is a failure of its own.
      stop = watch.stopped()
      if (stop === undefined) throw thrown
    }
    if (stop !== undefined) void Promise.resolve(body.return?.()).catch(() => undefined)
    stop ??= watch.stopped()
    if (stop === 'lost') return lost
    if (stop === 'deadline') return await failed(652, 'timeout')
    const rest = counter.finish()
    settle()
    // An engine's refusal is passed on as its answer, and is no work that anybody pays for, whatever usage it states.
    if (response.status >= 400) {
      await finish(rest, { ...final(), ...unpaid })
      return failedBy(`the engine answered ${response.status}`)
    }
    await finish(rest, final())
    return ended(stop === 'cancelled' ? 'cancelled' : 'answered')
  } catch (thrown) {
    if (context.lost.aborted) return lost
    const { code, text } = engineError(thrown)
    // What is wrong with a request names parts of it: that is for its sender alone.
    return failed(code, text, thrown instanceof Refused ? 'the request was refused' : text)
  } finally {
    // An engine that has said everything has nothing left to give up; an abort costs a stack trace.
    if (!complete) engine.abort()
    watch.close()
  }
}

/** Ends the wait for the engine at the deadline, on cancel (after a short grace) and on loss; aborts the engine at once in each case. */
function watchStops(context: ServeContext, deadlineMs: number, engine: AbortController) {
  let reason: Stop | undefined
  let release: (stop: Stop) => void = () => undefined
  const released = new Promise<Stop>((resolve) => {
    release = resolve
  })
  const timers: NodeJS.Timeout[] = []
  const stop = (why: Stop, graceMs: number): void => {
    if (reason !== undefined && why !== 'lost') return
    reason = why
    engine.abort()
    timers.push(setTimeout(() => release(why), graceMs))
  }
  const onCancel = (): void => stop('cancelled', cancelGraceMs)
  const onLost = (): void => stop('lost', 0)
  context.cancelled.addEventListener('abort', onCancel)
  context.lost.addEventListener('abort', onLost)
  timers.push(setTimeout(() => stop('deadline', 0), deadlineMs))
  if (context.lost.aborted) onLost()
  else if (context.cancelled.aborted) onCancel()
  return {
    stopped: (): Stop | undefined => reason,
    /** The value, or why it is no longer waited for. A rejection after that is of no interest. */
    orStop: async <T>(value: Promise<T>): Promise<T | Stop> => {
      value.catch(() => undefined)
      try {
        return await Promise.race([value, released])
      } catch (thrown) {
        if (reason !== undefined) return reason
        throw thrown
      }
    },
    close: (): void => {
      for (const timer of timers) clearTimeout(timer)
      context.cancelled.removeEventListener('abort', onCancel)
      context.lost.removeEventListener('abort', onLost)
    },
  }
}
