import { describe, expect, it } from 'vitest'
import type { AttestationErrorCode } from './attestation-error.ts'
import { flipped, manipulatedBytes, regionCodes } from './testing/manipulated-bytes.ts'
import { judgeGoodPeer, listGoodImage, manipulatedPeers, syntheticImageHash } from './testing/manipulated-peers.ts'
import { manipulatedWorlds } from './testing/manipulated-worlds.ts'
import { type Evidence, evidenceWith } from './testing/synthetic-intel.ts'
import { verifyQuote } from './verify-quote.ts'

const judge = ({ quote, collateral, nowMs, roots }: Evidence) => verifyQuote(quote, collateral, nowMs, roots)
const refused = (code: AttestationErrorCode) => expect.objectContaining({ name: 'AttestationError', code })
/** A quote of version 5 with the longer body has every region. */
const newest = evidenceWith(({ quote }) => Object.assign(quote, { version: 5, bodyType: 'tdx-1.5' }))
const areas: Readonly<Record<string, number>> = {
  header: 12,
  body: 6,
  signatures: 5,
  'quoting enclave': 8,
  'TDX module': 7,
  platform: 15,
  chain: 27,
  'revocation lists': 12,
  'TCB info': 13,
  'QE identity': 7,
  'quote bytes': 38,
  'collateral bytes': 18,
  certificate: 17,
  policy: 9,
  'root list': 9,
}
/** Every code of quotes, chains, collateral, states and lists that can come from evidence; the compiler knows if one is missing. */
const elsewhere = {
  'certificate-not-ed25519': 'certificate.test.ts',
  'certificate-wrong-purpose': 'certificate.test.ts',
  'certificate-wrong-name': 'certificate.test.ts',
  'collateral-unavailable': 'collateral.test.ts',
} satisfies Partial<Record<AttestationErrorCode, string>>
const here = {
  'certificate-missing': true,
  'certificate-malformed': true,
  'certificate-not-self-signed': true,
  'certificate-expired': true,
  'certificate-not-yet-valid': true,
  'certificate-unknown-critical-extension': true,
  'quote-missing': true,
  'quote-malformed': true,
  'quote-version-unsupported': true,
  'quote-not-tdx': true,
  'quote-key-type-unsupported': true,
  'quote-vendor-unknown': true,
  'quote-certification-unsupported': true,
  'quote-signature-wrong': true,
  'quote-key-not-bound': true,
  'quote-debug': true,
  'quote-attributes-not-allowed': true,
  'quote-not-for-this-key': true,
  'measurement-not-allowed': true,
  'sev-snp-not-verifiable': true,
  'chain-malformed': true,
  'chain-broken': true,
  'chain-expired': true,
  'chain-not-yet-valid': true,
  'chain-wrong-purpose': true,
  'root-not-trusted': true,
  'chain-revoked': true,
  'crl-malformed': true,
  'crl-wrong-issuer': true,
  'crl-signature-wrong': true,
  'collateral-malformed': true,
  'collateral-signature-wrong': true,
  'collateral-expired': true,
  'collateral-not-yet-valid': true,
  'collateral-not-for-this-platform': true,
  'qe-signature-wrong': true,
  'qe-not-recognized': true,
  'qe-debug': true,
  'tdx-module-not-recognized': true,
  'tcb-not-listed': true,
  'tcb-hardening-needed': true,
  'tcb-configuration-needed': true,
  'tcb-configuration-and-hardening-needed': true,
  'tcb-out-of-date': true,
  'tcb-out-of-date-and-configuration-needed': true,
  'tcb-revoked': true,
  'tcb-status-unknown': true,
  'image-not-listed': true,
  'image-not-attested': true,
  'root-too-old': true,
  'root-from-the-future': true,
  'root-disputed': true,
} satisfies Record<Exclude<AttestationErrorCode, keyof typeof elsewhere>, true>

describe('what nobody manipulated', () => {
  it('passes', async () => {
    expect(judge(evidenceWith()).tcbStatus).toBe('UpToDate')
    expect(judge(newest).body.type).toBe('tdx-1.5')
    const lists = { imageHashes: [syntheticImageHash], mrTds: [new Uint8Array(48).fill(1)] }
    expect(await judgeGoodPeer(lists)).toMatchObject({ attestation: 'tdx', imageHash: syntheticImageHash })
    expect(listGoodImage()).toMatchObject({ list: 'proxy_hashes', ageMs: 5_000, blockProof: 'not-checked' })
  })
})

describe('what somebody signed', () => {
  it.each(manipulatedWorlds)('$area: $name is refused: $code', ({ change, code }) => {
    expect(() => judge(evidenceWith(change))).toThrow(refused(code))
  })
})

describe('bytes that were changed on the way', () => {
  it.each(manipulatedBytes)('$area: $name is refused: $code', ({ change, code }) => {
    expect(() => judge({ ...newest, ...change(newest) })).toThrow(refused(code))
  })

  it('a change of the last byte of every region of a quote is refused', () => {
    for (const [from, to] of Object.values(newest.regions))
      expect(() => judge({ ...newest, quote: flipped(newest.quote, to - 1) }), `bytes ${from} to ${to}`).toThrow(
        expect.objectContaining({ name: 'AttestationError' }),
      )
  })

  it('a change of any byte of a quote is refused', () => {
    for (let at = 0; at < newest.quote.length; at += 11)
      expect(() => judge({ ...newest, quote: flipped(newest.quote, at) }), `byte ${at}`).toThrow(
        expect.objectContaining({ name: 'AttestationError' }),
      )
  })

  it('every beginning of a quote is refused', () => {
    const [end = 0] = newest.regions.padding ?? []
    for (let length = 0; length < end; length += 13)
      expect(() => judge({ ...newest, quote: newest.quote.slice(0, length) }), `${length} bytes`).toThrow(
        expect.objectContaining({ name: 'AttestationError' }),
      )
  })
})

describe('peers, policies and lists', () => {
  it.each(manipulatedPeers)('$area: $name is refused: $code', async ({ run, code }) => {
    await expect(run()).rejects.toThrow(refused(code))
  })
})

describe('the suite itself', () => {
  const all = [...manipulatedWorlds, ...manipulatedBytes, ...manipulatedPeers]

  it('has every manipulation that it had, each under a name of its own', () => {
    const names = all.map(({ area, name }) => `${area}: ${name}`)
    expect(new Set(names).size).toBe(names.length)
    for (const [area, count] of Object.entries(areas))
      expect([area, all.filter((one) => one.area === area).length]).toEqual([area, count])
    expect(all.length).toBe(Object.values(areas).reduce((sum, count) => sum + count, 0))
    expect(all.length).toBeGreaterThanOrEqual(60)
  })

  it('covers every region of a quote, and every reason to refuse', () => {
    expect(Object.keys(newest.regions).sort()).toEqual(Object.keys(regionCodes).sort())
    expect([...new Set(all.map(({ code }) => code))].sort()).toEqual(Object.keys(here).sort())
  })
})
