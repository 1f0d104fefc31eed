import type { TlObject } from '../protocol/tl/types.ts'
import { noTokens, type TokensUsed } from './usage-check.ts'

/** The messages by which a worker answers a query, in both protocol shapes (20 §4.5). */
export const workerAnswerNames = [
  'proxy.queryAnswer',
  'proxy.queryAnswerPart',
  'proxy.queryAnswerError',
  'proxy.queryAnswerPartError',
  'proxy.queryAnswerEx',
  'proxy.queryAnswerPartEx',
  'proxy.queryAnswerErrorEx',
] as const

/** Last message of a query: usage and what the worker says about its own time. */
export interface WorkerFinal {
  readonly usage: TokensUsed
  readonly debug: string
  /** Unix seconds; 0 when the worker did not say. */
  readonly startSeconds: number
  readonly endSeconds: number
}

export type WorkerAnswer =
  | {
      readonly kind: 'answer' | 'part'
      readonly id: Uint8Array
      readonly bytes: Uint8Array
      readonly final: WorkerFinal | undefined
    }
  | { readonly kind: 'error'; readonly id: Uint8Array; readonly code: number; readonly text: string; readonly final: WorkerFinal }

const plainFinal = (usage: TokensUsed): WorkerFinal => ({ usage, debug: '', startSeconds: 0, endSeconds: 0 })

function fullFinal(info: TlObject<'proxy.queryFinalInfo'>): WorkerFinal {
  return {
    usage: info.tokens_used,
    debug: info.worker_debug ?? '',
    startSeconds: info.worker_start_time ?? 0,
    endSeconds: info.worker_end_time ?? 0,
  }
}

/** One shape for both protocol versions. Errors are always final, with or without `final_info`. */
export function readWorkerAnswer(message: TlObject<(typeof workerAnswerNames)[number]>): WorkerAnswer {
  const id = message.request_id
  switch (message['@type']) {
    case 'proxy.queryAnswer':
    case 'proxy.queryAnswerPart': {
      const kind = message['@type'] === 'proxy.queryAnswer' ? 'answer' : 'part'
      return { kind, id, bytes: message.answer, final: message.is_completed ? plainFinal(message.tokens_used) : undefined }
    }
    case 'proxy.queryAnswerEx':
    case 'proxy.queryAnswerPartEx': {
      const kind = message['@type'] === 'proxy.queryAnswerEx' ? 'answer' : 'part'
      return { kind, id, bytes: message.answer, final: message.final_info && fullFinal(message.final_info) }
    }
    case 'proxy.queryAnswerErrorEx': {
      const final = message.final_info === undefined ? plainFinal(noTokens) : fullFinal(message.final_info)
      return { kind: 'error', id, code: message.error_code, text: message.error, final }
    }
    default:
      return { kind: 'error', id, code: message.error_code, text: message.error, final: plainFinal(message.tokens_used) }
  }
}
