import { z } from 'zod'
import { privacyLevel } from '../../../preload/api/chat.ts'
import { checkReport, type SealState } from '../../../preload/api/privacy.ts'
import { Failure } from '../../base/failure.ts'

/**
 * What "Save as JSON" writes: rows and evidence of one check as they were shown, and its inputs, from which a third party can verify again what can be
 * verified without this computer. Who wrote the file is not proven by it.
 */
export const evidenceFile = z.strictObject({
  kind: z.literal('cocoon-evidence'),
  version: z.literal(1),
  level: privacyLevel,
  verdict: z.enum(['earned', 'not-verified']),
  report: checkReport,
  /** By kind; `main/protocol/attestation/quote-evidence.ts` has that of a TDX quote. */
  inputs: z.unknown().optional(),
})
export type EvidenceFile = z.infer<typeof evidenceFile>

/** @throws Failure `not-ready` while there is no check to tell of */
export function writeEvidence(
  level: EvidenceFile['level'],
  state: SealState | undefined,
  inputs: unknown,
): { fileName: string; json: string } {
  if (state === undefined || state.phase === 'idle' || state.phase === 'checking' || state.report === undefined)
    throw new Failure('not-ready', 'There is no finished check to save.', { retryable: true, words: { code: 'evidence-none' } })
  const { report, phase } = state
  const file: EvidenceFile = {
    kind: 'cocoon-evidence',
    version: 1,
    level,
    verdict: phase === 'failed' ? 'not-verified' : 'earned',
    report,
    ...(inputs !== undefined && { inputs }),
  }
  const day = new Date(report.checkedAtMs).toISOString().replaceAll(/[:.]/g, '-')
  return { fileName: `cocoon-evidence-${level}-${day}.json`, json: `${JSON.stringify(file, null, 2)}\n` }
}
