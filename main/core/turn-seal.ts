import type { TurnSeal } from '../../preload/api/seal.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import { paidTokensOf } from '../protocol/sealed/recount.ts'

/** How a question left, as it is shown beside its answer. */
export function turnSealOf(outcome: SealOutcome): TurnSeal {
  if (outcome.scheme === 'none') return outcome
  const { usage } = outcome
  const deviations = [...(usage?.deviations ?? [])]
  if (outcome.scheme === 'v1') return { scheme: 'v1', receiverKey: outcome.receiverKey, deviations }
  const { keyId, owner, attestation } = outcome.worker
  return {
    scheme: 'direct',
    ...{ keyId, owner, attestation: attestation.kind, deviations },
    ...(usage?.worker && {
      bill: {
        statedTokens: usage.statedTokens,
        workerTokens: usage.worker.adjustedTokens,
        answerTokens: paidTokensOf(usage.worker).answer,
        expectedTokens: usage.recount.expectedTokens,
        toleratedTokens: usage.recount.toleratedTokens,
      },
    }),
  }
}
