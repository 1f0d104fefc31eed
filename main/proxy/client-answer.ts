import type { TlObject } from '../protocol/tl/types.ts'
import { noTokens, type TokensUsed } from './usage-check.ts'
import type { WorkerFinal } from './worker-answer.ts'

/** What the answers to one client query depend on. */
export interface AnswerStyle {
  /** Protocol version of the client's connection. */
  readonly version: number
  readonly requestId: Uint8Array
  readonly enableDebug: boolean
  /** Errors of the proxy itself come with final info. */
  readonly extendedErrors: boolean
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
  if (style.version === 0) return proxyErrorMessage(style, error, answered, final.times)
  return extendedError(style, error, { ...final, usage: noTokens })
}

function extendedError(style: AnswerStyle, error: { code: number; text: string }, final: Final): ClientAnswer {
  return {
    '@type': 'client.queryAnswerErrorEx',
    request_id: style.requestId,
    error_code: error.code,
    error: error.text,
    flags: 1,
    final_info: finalInfo(style, final),
  }
}

const noWorker: WorkerFinal = { usage: noTokens, debug: '', startSeconds: 0, endSeconds: 0 }

/**
 * An error of the proxy itself. With final info for clients that are told so (95 §2); else in the old shape for every protocol version, as the
 * recorded proxies send it (50 §3, §4).
 */
export function proxyErrorMessage(
  style: AnswerStyle,
  error: { code: number; text: string },
  answered: boolean,
  times: ProxyTimes,
): ClientAnswer {
  if (style.extendedErrors) return extendedError(style, error, { usage: noTokens, worker: noWorker, times })
  return {
    '@type': answered ? 'client.queryAnswerPartError' : 'client.queryAnswerError',
    error_code: error.code,
    error: error.text,
    request_id: style.requestId,
    request_tokens_used: noTokens,
  }
}
