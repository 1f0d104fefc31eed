import { Failure } from '../base/failure.ts'
import type { AdjustedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import { decodeHttpResponse, type HeaderList, type HttpResponseHead } from '../protocol/http/http-message.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { BodyQueue } from './body-queue.ts'
import type { Opening } from './opening-answer.ts'
import { localFailure, paidNothing, type QueryFailureCode, type Reservation, remoteFailure } from './query-failure.ts'

export interface QueryTimes {
  /** Unix ms */
  readonly proxyStartMs: number
  readonly proxyEndMs: number
  readonly workerStartMs: number
  readonly workerEndMs: number
}

/** How a query ended that did not fail. */
export interface QueryEnd {
  /**
   * Set when the caller stopped it: `ended` = the generation itself was ended, the usage is final; `hidden` = only this side stopped
   * reading, generation and cost go on, so usage and cost are unknown.
   */
  readonly stopped?: 'ended' | 'hidden'
  readonly tokens?: AdjustedTokens
  /** nanoton = adjusted tokens × price */
  readonly cost?: bigint
  readonly times?: QueryTimes
}

/** What the hops of a query said for whoever looks for a fault: JSON text of their own, unchecked (protocol 30 §7.3). */
export interface HopDebug {
  readonly proxy: string
  readonly worker: string
}

/** A query under way. The three parts may be read in any order; a failure shows in all of them. */
export interface QueryHandle {
  /** hex, 64 characters */
  readonly requestId: string
  readonly head: Promise<HttpResponseHead>
  /** Bytes as they arrive; cut anywhere. Ends early, without an error, when the query is stopped. */
  readonly body: AsyncIterable<Uint8Array>
  readonly end: Promise<QueryEnd>
  /** Known when the query has ended, also with a failure; undefined where it was not asked for. */
  readonly debug: HopDebug | undefined
  /** What became of the seal; final when the query has ended, also with a failure. */
  readonly seal: SealOutcome
}

type FinalInfo = TlObject<'client.queryFinalInfo'>

export interface RunningQueryOptions {
  readonly requestId: string
  readonly timeoutMs: number
  /** nanoton per adjusted token */
  readonly pricePerToken: bigint
  /** Judges the usage that ends the answer, with the bytes of its body that came. */
  readonly judge: (tokens: AdjustedTokens, answerBytes: number) => 'believable' | 'impossible'
  /** Read when the proxy refuses: what it had to reserve, and what there was. */
  readonly reservation: () => Reservation
  /** Sends a cancel to the proxy; undefined when it does not know it. */
  readonly cancel: (() => void) | undefined
  readonly signal: AbortSignal
  /** How long a cancelled query may take to end before it counts as hidden. */
  readonly cancelWaitMs: number
  readonly mostWaitingBytes: number
  /** What is known of the seal before anything is sent. */
  readonly seal: SealOutcome
  /** Called once, when nothing more is expected for this id. */
  readonly onDone: () => void
}

/** Beyond the timeout that the proxy keeps, this side waits so long for the proxy's word (protocol 30 §7.3). */
const timeoutMarginMs = 5_000

/** One query of a client: takes what the proxy sends for its id and gives it to one reader. */
export class RunningQuery implements QueryHandle {
  readonly requestId: string
  readonly head: Promise<HttpResponseHead>
  readonly end: Promise<QueryEnd>
  readonly #options: RunningQueryOptions
  readonly #head = Promise.withResolvers<HttpResponseHead>()
  readonly #end = Promise.withResolvers<QueryEnd>()
  readonly #body: BodyQueue
  readonly #timers: NodeJS.Timeout[] = []
  readonly #onAbort = (): void => this.#stop()
  #state: 'waiting' | 'answering' | 'done' = 'waiting'
  #stopped = false
  #hidden = false
  #bodyBytes = 0
  /** HTTP status of the answer that has begun. */
  #status: number | undefined
  /** Tokens that the final info stated; 0 for a failure. Undefined until then. */
  #tokens: bigint | undefined
  #debug: HopDebug | undefined
  /** Opens what comes; undefined where the question was not sealed. */
  #opening: Opening | undefined
  #seal: SealOutcome
  /** Headers around a sealed answer: of the hops, not of the worker. */
  #outerHeaders: HeaderList = []

  constructor(options: RunningQueryOptions) {
    this.#options = options
    this.#seal = options.seal
    this.requestId = options.requestId
    this.head = this.#head.promise
    this.end = this.#end.promise
    // A reader may look at one part only.
    this.head.catch(() => undefined)
    this.end.catch(() => undefined)
    this.#body = new BodyQueue(options.mostWaitingBytes)
    options.signal.addEventListener('abort', this.#onAbort)
    this.#later(options.timeoutMs + timeoutMarginMs, () => {
      if (this.#hasLeft) options.cancel?.()
      this.fail(localFailure('timeout', 'The answer took too long and was given up.'))
    })
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#body
  }

  /** Adjusted tokens by the final info; undefined while unknown. */
  get tokens(): bigint | undefined {
    return this.#tokens
  }

  get debug(): HopDebug | undefined {
    return this.#debug
  }

  get seal(): SealOutcome {
    return this.#opening?.outcome ?? this.#seal
  }

  get #hasLeft(): boolean {
    return this.#opening !== undefined || this.#seal.scheme !== 'none' || this.#seal.reason !== 'not-sent'
  }

  /** The question leaves unsealed after all. */
  leavesUnsealed(reason: Extract<SealOutcome, { scheme: 'none' }>['reason']): void {
    this.#seal = { scheme: 'none', reason }
  }

  /** The question leaves sealed: from now on only what opens is believed. */
  leavesSealed(opening: Opening): void {
    this.#opening = opening
  }

  /** It was stopped before anything was sent. */
  neverLeft(): void {
    if (this.#state === 'done') return
    this.#tokens = 0n
    this.#close(() => this.#end.resolve({ stopped: 'ended', cost: 0n }))
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** First message of an answer. */
  onAnswer(bytes: Uint8Array, final: FinalInfo | undefined): void {
    if (this.#state !== 'waiting') return this.#malformed('The answer began twice.')
    let response: HttpResponseHead & { payload: Uint8Array }
    try {
      response = decodeHttpResponse(bytes)
    } catch (thrown) {
      if (thrown instanceof TlError) return this.#malformed('The answer is no HTTP response.')
      throw thrown
    }
    this.#state = 'answering'
    if (this.#opening === undefined) {
      this.#status = response.status
      this.#head.resolve({ status: response.status, reason: response.reason, headers: response.headers })
    } else this.#outerHeaders = response.headers
    this.onPart(response.payload, final)
  }

  /** A reader that is too slow ends its own query; the others of the connection never wait for it. */
  onPart(bytes: Uint8Array, final: FinalInfo | undefined): void {
    if (this.#state === 'done') return
    if (this.#state === 'waiting' && !(this.#stopped && final !== undefined))
      return this.#malformed('A part came before its answer.')
    let body = bytes
    if (this.#opening !== undefined && this.#state === 'answering') {
      const opened = this.#opening.push(bytes, final !== undefined)
      if (opened instanceof Failure) return this.fail(opened, { cancel: final === undefined })
      if (opened.head !== undefined) {
        const { status, reason, headers } = opened.head
        this.#status = status
        this.#head.resolve({ status, reason, headers: [...headers, ...this.#outerHeaders.filter(isTimeOfProxy)] })
      }
      body = opened.body
    }
    this.#bodyBytes += body.length
    if (!this.#hidden && !this.#body.push(body))
      return this.fail(localFailure('answer-too-large', 'The answer came faster than it was read.'), { cancel: true })
    if (final !== undefined) this.#finish(final)
  }

  onError(code: number, text: string, final?: FinalInfo): void {
    if (this.#state === 'done') return
    this.#note(final)
    this.#tokens = 0n
    const told = this.#opening?.error(code, text)
    // An error answer costs nothing, whoever wanted the end.
    if (this.#stopped)
      return this.#close(() => this.#end.resolve(this.#hidden ? { stopped: 'hidden' } : { stopped: 'ended', cost: 0n }))
    if (told instanceof Failure) return this.fail(told)
    const [saidCode, said] = [told?.code ?? code, told?.text ?? text]
    if (this.#isEngineRefusal(saidCode, said)) return this.#close(() => this.#end.resolve({ cost: 0n }))
    this.fail(remoteFailure(saidCode, said, this.#options.reservation()))
  }

  /** Newer workers pass an engine's refusal on as the answer, and end it with an error of their own: all of it has come (protocol 95 §5). */
  #isEngineRefusal(code: number, text: string): boolean {
    // A sealed one ends with its marker: without it somebody on the way may have cut it.
    if (this.#opening !== undefined) return false
    const isRefusal = this.#status !== undefined && (this.#status < 200 || this.#status > 299)
    return isRefusal && code === peerErrorCodes.notReady && /backend HTTP status \d{3}/.test(text)
  }

  /** Ends the query with a failure; only the first end counts. */
  fail(failure: Failure<QueryFailureCode>, options: { cancel?: boolean } = {}): void {
    if (this.#state === 'done') return
    if (options.cancel) this.#options.cancel?.()
    this.#close(() => this.#end.reject(failure), failure)
  }

  #malformed(message: string): void {
    this.fail(localFailure('answer-malformed', message), { cancel: true })
  }

  #note(final: FinalInfo | undefined): void {
    if (final?.proxy_debug === undefined && final?.worker_debug === undefined) return
    this.#debug = { proxy: final.proxy_debug ?? '', worker: final.worker_debug ?? '' }
  }

  #finish(final: FinalInfo): void {
    this.#note(final)
    const used = final.tokens_used
    const tokens: AdjustedTokens = {
      prompt: used.prompt_tokens_used,
      cached: used.cached_tokens_used,
      completion: used.completion_tokens_used,
      reasoning: used.reasoning_tokens_used,
      total: used.total_tokens_used,
    }
    const stopped = this.#stopped ? { stopped: 'ended' as const } : {}
    // What it really costs then is what the account of the request says, if that is believable.
    if (this.#options.judge(tokens, this.#bodyBytes) === 'impossible') return this.#close(() => this.#end.resolve(stopped))
    this.#tokens = tokens.total
    this.#opening?.judge(tokens)
    const { proxy_start_time, proxy_end_time, worker_start_time, worker_end_time } = final
    const times =
      proxy_start_time === undefined ||
      proxy_end_time === undefined ||
      worker_start_time === undefined ||
      worker_end_time === undefined ||
      ![proxy_start_time, proxy_end_time, worker_start_time, worker_end_time].every(Number.isFinite)
        ? {}
        : {
            times: {
              proxyStartMs: proxy_start_time * 1000,
              proxyEndMs: proxy_end_time * 1000,
              workerStartMs: worker_start_time * 1000,
              workerEndMs: worker_end_time * 1000,
            },
          }
    this.#close(() => this.#end.resolve({ ...stopped, tokens, cost: tokens.total * this.#options.pricePerToken, ...times }))
  }

  #stop(): void {
    if (this.#state === 'done' || this.#stopped) return
    if (!this.#hasLeft) return this.neverLeft()
    this.#stopped = true
    if (this.#options.cancel === undefined) return this.#hide()
    this.#body.release()
    this.#options.cancel()
    this.#later(this.#options.cancelWaitMs, () => this.#hide())
  }

  /** This side stops reading; what still comes is only noted for the account. */
  #hide(): void {
    if (this.#state === 'done' || this.#hidden) return
    this.#hidden = true
    this.#body.end()
    this.#head.reject(stoppedFailure())
    this.#end.resolve({ stopped: 'hidden' })
  }

  #close(settle: () => void, failure?: Failure): void {
    // A failure costs a stack trace, which an answer that has begun does not need.
    if (this.#status === undefined) this.#head.reject(failure ?? stoppedFailure())
    this.#state = 'done'
    this.#opening?.closed()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#body.end(failure)
    settle()
    this.#options.onDone()
  }

  #later(ms: number, action: () => void): void {
    this.#timers.push(setTimeout(action, Math.min(ms, 2 ** 31 - 1)))
  }
}

/** What the proxy says of its own times stands outside the seal. */
const isTimeOfProxy = ([name]: HeaderList[number]): boolean => name.toLowerCase().startsWith('x-cocoon-proxy-')

export const stoppedFailure = (): Failure<'stopped'> =>
  new Failure('stopped', 'The answer was stopped before it began.', { money: paidNothing })
