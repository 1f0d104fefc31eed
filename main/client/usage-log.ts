import type { Logger } from '../base/logger.ts'
import type { UsageEvidence } from '../protocol/sealed/outcome.ts'
import { paidTokensOf } from '../protocol/sealed/recount.ts'

/** A bill that does not fit to what came, by its numbers: nothing of question or answer. The request is named as its receipt is. */
export function logUsage(logger: Logger, requestId: string, { deviations, statedTokens, worker, recount }: UsageEvidence): void {
  logger.warn('an answer is billed otherwise than it came', {
    request: requestId.slice(0, 12),
    deviations: deviations.join(' '),
    stated: statedTokens,
    ...(worker && { worker: worker.adjustedTokens, ...paidTokensOf(worker) }),
    expected: recount.expectedTokens,
    tolerated: recount.toleratedTokens,
  })
}
