import type { AdjustedTokens, TokenCounts } from '../protocol/accounting/adjusted-tokens.ts'
import type { TlObject } from '../protocol/tl/types.ts'

type Outgoing = TlObject<
  | 'proxy.queryAnswer'
  | 'proxy.queryAnswerPart'
  | 'proxy.queryAnswerError'
  | 'proxy.queryAnswerPartError'
  | 'proxy.queryAnswerEx'
  | 'proxy.queryAnswerPartEx'
  | 'proxy.queryAnswerErrorEx'
>

/** Usage and times that end a query (protocol 40 §4). */
export interface FinalInfo {
  readonly tokens: AdjustedTokens
  /** Real tokens that these follow from. */
  readonly counts: TokenCounts
  readonly startedAtMs: number
  /** When the engine began to answer; 0 where it did not. */
  readonly answeredAtMs: number
  readonly endedAtMs: number
}

export const noTokens: AdjustedTokens = { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n }
export const noCounts: TokenCounts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
/** Of a query that costs nothing, whatever the engine did. */
export const unpaid = { tokens: noTokens, counts: noCounts }
/** What ends a query that the engine is not asked. */
export const unasked = (startedAtMs: number, endedAtMs: number): FinalInfo => ({
  ...unpaid,
  startedAtMs,
  answeredAtMs: 0,
  endedAtMs,
})

/** Takes the answer to one query, in order: `answer`, parts, the last one with `final`; or an error, which ends it. */
export interface Reply {
  /** The first message: a boxed `http.response`. */
  answer(response: Uint8Array, final?: FinalInfo): Promise<void>
  /** Bytes of the body; without bytes and without `final` nothing is sent. */
  part(bytes: Uint8Array, final?: FinalInfo): Promise<void>
  error(code: number, text: string, final: FinalInfo): Promise<void>
}

/** Parts stay far below the frame limit of 16 MiB (protocol 10 §1). */
const mostPartBytes = 1 << 20

export function tokensUsed(tokens: AdjustedTokens): TlObject<'tokensUsed'> {
  return {
    '@type': 'tokensUsed',
    prompt_tokens_used: tokens.prompt,
    cached_tokens_used: tokens.cached,
    completion_tokens_used: tokens.completion,
    reasoning_tokens_used: tokens.reasoning,
    total_tokens_used: tokens.total,
  }
}

/** Writes the answer to one query in the form that its protocol version wants: 0 has no `Ex` messages, 2 adds times (protocol 00 §6). */
export class QueryReply implements Reply {
  readonly #send: (object: Outgoing) => Promise<void>
  readonly #requestId: Uint8Array
  readonly #protocol: number
  readonly #debug: boolean
  #answered = false
  #bytes = 0

  constructor(options: {
    readonly send: (object: Outgoing) => Promise<void>
    readonly requestId: Uint8Array
    /** 0 to 4 */
    readonly protocol: number
    readonly debug: boolean
  }) {
    this.#send = options.send
    this.#requestId = options.requestId
    this.#protocol = options.protocol
    this.#debug = options.debug
  }

  /** Bytes of answers that were handed over so far. */
  get bytes(): number {
    return this.#bytes
  }

  get answered(): boolean {
    return this.#answered
  }

  /** The first message: a boxed `http.response`. */
  async answer(response: Uint8Array, final?: FinalInfo): Promise<void> {
    this.#answered = true
    this.#bytes += response.length
    if (this.#protocol === 0) {
      await this.#send({
        '@type': 'proxy.queryAnswer',
        answer: response,
        is_completed: final !== undefined,
        request_id: this.#requestId,
        tokens_used: tokensUsed(final?.tokens ?? noTokens),
      })
    } else
      await this.#send({ '@type': 'proxy.queryAnswerEx', request_id: this.#requestId, answer: response, ...this.#end(final) })
  }

  /** Bytes of the body; without bytes and without `final` nothing is sent. */
  async part(bytes: Uint8Array, final?: FinalInfo): Promise<void> {
    if (bytes.length === 0 && final === undefined) return
    let rest = bytes
    while (rest.length > mostPartBytes) {
      await this.#part(rest.subarray(0, mostPartBytes), undefined)
      rest = rest.subarray(mostPartBytes)
    }
    await this.#part(rest, final)
  }

  async error(code: number, text: string, final: FinalInfo): Promise<void> {
    const error = `worker: ${text}`
    if (this.#protocol === 0) {
      await this.#send({
        '@type': this.#answered ? 'proxy.queryAnswerPartError' : 'proxy.queryAnswerError',
        error_code: code,
        error,
        request_id: this.#requestId,
        tokens_used: tokensUsed(final.tokens),
      })
    } else
      await this.#send({
        '@type': 'proxy.queryAnswerErrorEx',
        request_id: this.#requestId,
        error_code: code,
        error,
        ...this.#end(final),
      })
  }

  async #part(bytes: Uint8Array, final: FinalInfo | undefined): Promise<void> {
    this.#bytes += bytes.length
    if (this.#protocol === 0) {
      await this.#send({
        '@type': 'proxy.queryAnswerPart',
        answer: bytes,
        is_completed: final !== undefined,
        request_id: this.#requestId,
        tokens_used: tokensUsed(final?.tokens ?? noTokens),
      })
    } else
      await this.#send({ '@type': 'proxy.queryAnswerPartEx', request_id: this.#requestId, answer: bytes, ...this.#end(final) })
  }

  #end(final: FinalInfo | undefined): { flags: number; final_info?: TlObject<'proxy.queryFinalInfo'> } {
    if (final === undefined) return { flags: 0 }
    const [start, end] = [final.startedAtMs / 1000, final.endedAtMs / 1000]
    const times = this.#protocol >= 2 ? { worker_start_time: start, worker_end_time: end } : {}
    const debug = this.#debug
      ? {
          worker_debug: JSON.stringify({
            answer_receive_end_at: end,
            answer_receive_start_at: final.answeredAtMs / 1000,
            start_time: start,
            type: 'worker_stats',
          }),
        }
      : {}
    const flags = (this.#debug ? 1 : 0) | (this.#protocol >= 2 ? 2 : 0)
    return {
      flags: 1,
      final_info: { '@type': 'proxy.queryFinalInfo', flags, tokens_used: tokensUsed(final.tokens), ...debug, ...times },
    }
  }
}
