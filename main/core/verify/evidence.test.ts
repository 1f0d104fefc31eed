import { describe, expect, it } from 'vitest'
import { writeEvidence } from '../../chat/privacy/evidence-file.ts'
import { goodFindings, row } from '../../chat/testing/controlled-checker.ts'
import { quoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import { evidenceWith } from '../../protocol/attestation/testing/synthetic-intel.ts'
import { verifyQuote } from '../../protocol/attestation/verify-quote.ts'
import { verifyEvidence } from './evidence.ts'

const { quote, collateral, nowMs, roots } = evidenceWith()
const inputs = { proxy: quoteEvidence(verifyQuote(quote, collateral, nowMs, roots)) }
const report = { connection: 'c #1', checkedAtMs: nowMs, rows: [...goodFindings('attested').rows], evidence: [] }
const saved = (): { inputs: { proxy: { quote: string; verifiedAtMs: number } }; verdict: string; report: typeof report } =>
  JSON.parse(writeEvidence('attested', { phase: 'earned', report }, inputs).json)

describe('saved evidence', () => {
  it('is verified again from the file alone, quote and all', () => {
    const lines = verifyEvidence(saved(), roots)
    expect(lines[0]).toBe(
      `PROVEN: a TDX quote that was good at ${new Date(nowMs).toISOString()}, up to the root key ${Buffer.from(roots[0] ?? []).toString('hex')}.`,
    )
    expect(lines.join('\n')).toContain('The verdict “earned” of level “attested” follows')
    expect(verifyEvidence(saved().inputs.proxy, roots)[0]).toMatch(/^PROVEN/)
  })

  it('is refused when the quote was changed, the roots are Intel’s, or its time is another', () => {
    const changed = saved()
    const bytes = Buffer.from(changed.inputs.proxy.quote, 'base64')
    bytes[200] = (bytes[200] ?? 0) ^ 1
    changed.inputs.proxy.quote = bytes.toString('base64')
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
    expect(() => verifyEvidence(saved())).toThrow(expect.objectContaining({ name: 'AttestationError' }))
    const later = saved()
    later.inputs.proxy.verifiedAtMs += 400 * 86_400_000
    expect(() => verifyEvidence(later, roots)).toThrow(expect.objectContaining({ name: 'AttestationError' }))
  })

  it('is refused when its verdict does not follow from its rows', () => {
    const changed = saved()
    changed.report.rows[0] = row('hardware', 'failed')
    expect(() => verifyEvidence(changed, roots)).toThrow(expect.objectContaining({ code: 'verdict-differs' }))
    expect(() => verifyEvidence({ ...saved(), verdict: 'not-verified' }, roots)).toThrow(
      expect.objectContaining({ code: 'verdict-differs' }),
    )
  })

  it('says so when there is no attestation in it, and what it is not', () => {
    const { json } = writeEvidence(
      'practice',
      { phase: 'earned', report: { ...report, rows: [...goodFindings('practice').rows] } },
      undefined,
    )
    expect(verifyEvidence(JSON.parse(json)).at(-1)).toMatch(/^NOT PROVEN: there is no attestation/)
    for (const wrong of [null, 7, {}, { kind: 'cocoon-evidence' }, { ...saved(), level: 'better' }])
      expect(() => verifyEvidence(wrong)).toThrow(expect.objectContaining({ code: 'evidence-malformed' }))
  })

  it('is not written while no check has ended', () => {
    for (const state of [undefined, { phase: 'idle' }, { phase: 'checking' }] as const)
      expect(() => writeEvidence('attested', state, inputs)).toThrow(expect.objectContaining({ code: 'not-ready' }))
  })
})
