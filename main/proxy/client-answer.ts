import type { TlObject } from '../protocol/tl/types.ts'
import { noTokens, type TokensUsed } from './usage-check.ts'
import type { WorkerFinal } from './worker-answer.ts'

/** What the answers to one client query depend on. */
export interface AnswerStyle {
  /** Protocol version of the client's connection. */
  readonly version: number
  readonly requestId: Uint8Array
  readonly enableDebug: boolean
}

/** Times of the proxy for one request, unix seconds. */
export interface ProxyTimes {
  readonly startSeconds: number
  /** First answer of the worker. */
  readonly answerStartSeconds: number
  readonly endSeconds: number
}

export type ClientAnswer = TlObject<
  | 'client.queryAnswer'
  | 'client.queryAnswerPart'
  | 'client.queryAnswerError'
  | 'client.queryAnswerPartError'
  | 'client.queryAnswerEx'
  | 'client.queryAnswerPartEx'
  | 'client.queryAnswerErrorEx'
>

interface Final {
  readonly usage: TokensUsed
  readonly worker: WorkerFinal
  readonly times: ProxyTimes
}

function finalInfo(style: AnswerStyle, final: Final): TlObject<'client.queryFinalInfo'> {
  const timed = style.version >= 2
  return {
    '@type': 'client.queryFinalInfo',
    flags: (style.enableDebug ? 1 : 0) | (timed ? 2 : 0),
    tokens_used: final.usage,
    ...(style.enableDebug
      ? {
          worker_debug: final.worker.debug,
          proxy_debug: JSON.stringify({
            answer_receive_end_at: final.times.endSeconds,
            answer_receive_start_at: final.times.answerStartSeconds,
            start_time: final.times.startSeconds,
            type: 'proxy_stats',
          }),
        }
      : {}),
    ...(timed
      ? {
          proxy_start_time: final.times.startSeconds,
          proxy_end_time: final.times.endSeconds,
          worker_start_time: final.worker.startSeconds,
          worker_end_time: final.worker.endSeconds,
        }
      : {}),
  }
}

/** The first answer or a part of it; `final` on the last message (50 §4). */
export function answerMessage(
  style: AnswerStyle,
  kind: 'answer' | 'part',
  answer: Uint8Array,
  final: Final | undefined,
): ClientAnswer {
  const request_id = style.requestId
  if (style.version === 0) {
    return {
      '@type': kind === 'answer' ? 'client.queryAnswer' : 'client.queryAnswerPart',
      answer,
      is_completed: final !== undefined,
      request_id,
      request_tokens_used: final?.usage ?? noTokens,
    }
  }
  const name = kind === 'answer' ? 'client.queryAnswerEx' : 'client.queryAnswerPartEx'
  return final === undefined
    ? { '@type': name, request_id, answer, flags: 0 }
    : { '@type': name, request_id, answer, flags: 1, final_info: finalInfo(style, final) }
}

/** An error that the worker reported: the worker's code and text, no tokens (50 §4). */
export function workerErrorMessage(
  style: AnswerStyle,
  error: { code: number; text: string },
  answered: boolean,
  final: Final,
): ClientAnswer {
  if (style.version === 0) return proxyErrorMessage(style, error, answered)
  return {
    '@type': 'client.queryAnswerErrorEx',
    request_id: style.requestId,
    error_code: error.code,
    error: error.text,
    flags: 1,
    final_info: finalInfo(style, { ...final, usage: noTokens }),
  }
}

/**
 * An error of the proxy itself: the old shape for every protocol version, as the reference sends it (50 §3, §4), so that clients
 * which know the reference understand it.
 */
export function proxyErrorMessage(style: AnswerStyle, error: { code: number; text: string }, answered: boolean): ClientAnswer {
  return {
    '@type': answered ? 'client.queryAnswerPartError' : 'client.queryAnswerError',
    error_code: error.code,
    error: error.text,
    request_id: style.requestId,
    request_tokens_used: noTokens,
  }
}
