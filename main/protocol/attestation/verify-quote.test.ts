import { X509Certificate } from 'node:crypto'
import { QuoteVerifier as SecondOpinion } from '@phala/dcap-qvl'
import { describe, expect, it } from 'vitest'
import { readIntelCertificate } from './intel-certificate.ts'
import { intelRootKeyHash, intelRoots } from './intel-chain.ts'
import { quoteEvidence, verifyQuoteEvidence } from './quote-evidence.ts'
import { type Evidence, evidenceWith } from './testing/synthetic-intel.ts'
import { verifyQuote } from './verify-quote.ts'

const forms = [
  { version: 4, bodyType: 'tdx-1.0' },
  { version: 5, bodyType: 'tdx-1.0' },
  { version: 5, bodyType: 'tdx-1.5' },
] as const

/** What the other implementation says of the same evidence. */
function secondOpinion({ collateral, certificates, quote, nowMs }: Evidence): string {
  const verifier = SecondOpinion.newWithRootCa(Buffer.from(certificates.root))
  const given = {
    tcb_info: collateral.tcbInfo,
    tcb_info_signature: collateral.tcbInfoSignature,
    tcb_info_issuer_chain: collateral.tcbInfoChain,
    qe_identity: collateral.qeIdentity,
    qe_identity_signature: collateral.qeIdentitySignature,
    qe_identity_issuer_chain: collateral.qeIdentityChain,
    root_ca_crl: Buffer.from(collateral.rootCrl).toString('hex'),
    pck_crl: Buffer.from(collateral.pckCrl).toString('hex'),
    pck_crl_issuer_chain: '',
  }
  return verifier.verify(Buffer.from(quote), given, nowMs / 1000).status
}

describe('a good quote', () => {
  it.each(forms)('of version $version with a body of $bodyType passes, and a second implementation agrees', (form) => {
    const evidence = evidenceWith((world) => Object.assign(world.quote, form))
    const verified = verifyQuote(evidence.quote, evidence.collateral, evidence.nowMs, evidence.roots)
    expect(verified).toMatchObject({
      quoteVersion: form.version,
      tcbStatus: 'UpToDate',
      platform: {
        fmspc: 'b0c06f000000',
        pceId: '0000',
        pceSvn: 13,
        authority: 'platform',
        evaluationNumber: 20,
        advisoryIds: [],
      },
      tdxModule: { tcbDateMs: Date.parse('2026-08-13T00:00:00Z') },
      quotingEnclave: { isvSvn: 6, tcbDateMs: Date.parse('2026-08-13T00:00:00Z') },
      verifiedAtMs: evidence.nowMs,
    })
    expect(verified.body.type).toBe(form.bodyType)
    expect(verified.body.measured.rtmrs[3]).toEqual(new Uint8Array(48).fill(0x13))
    expect(verified.rootKeyHash).toEqual(evidence.roots[0])
    expect(verified.quoteDigest).toMatch(/^[0-9a-f]{64}$/)
    expect(secondOpinion(evidence)).toBe('UpToDate')
  })

  it('says from when to when the collateral holds', () => {
    const { quote, collateral, nowMs, roots } = evidenceWith((world) => {
      world.tcbInfo.nextUpdate = new Date(world.nowMs + 5_000_000).toISOString().replace(/\.\d+Z/, 'Z')
    })
    const verified = verifyQuote(quote, collateral, nowMs, roots)
    expect(verified.collateral.expiresAtMs).toBe(nowMs + 5_000_000)
    expect(verified.collateral.validFromMs).toBe(nowMs - 86_400_000)
    // At its last moment it still holds.
    expect(verifyQuote(quote, collateral, nowMs + 5_000_000, roots).collateral.digest).toBe(verified.collateral.digest)
  })

  it('passes without zero bytes behind it, and with platform certificates of the other authority', () => {
    const { quote, collateral, nowMs, roots } = evidenceWith((world) => {
      world.quote.padding = new Uint8Array()
      const name = 'Intel SGX PCK Processor CA'
      Object.assign(world.authority, { commonName: name })
      world.pck.issuerName = name
      world.pckCrl.issuerName = name
    })
    expect(verifyQuote(quote, collateral, nowMs, roots).platform.authority).toBe('processor')
  })

  it('passes with a TDX module of the first generation, which the platform’s level covers', () => {
    const { quote, collateral, nowMs, roots } = evidenceWith((world) => {
      world.quote.teeTcbSvn = Uint8Array.of(5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
      world.tcbInfo.tdxModuleIdentities = []
    })
    expect(verifyQuote(quote, collateral, nowMs, roots).tdxModule).toBeUndefined()
  })

  it('does not pass with Intel’s root, which is another one', () => {
    const { quote, collateral, nowMs } = evidenceWith()
    expect(() => verifyQuote(quote, collateral, nowMs, intelRoots)).toThrow(expect.objectContaining({ code: 'root-not-trusted' }))
    expect(Buffer.from(intelRootKeyHash).toString('hex')).toMatch(/^46e403bd.*200993$/)
  })
})

describe('the evidence of a quote', () => {
  const { quote, collateral, nowMs, roots } = evidenceWith()
  const json = JSON.stringify(quoteEvidence(verifyQuote(quote, collateral, nowMs, roots)))

  it('lets somebody else verify it, whenever that is', () => {
    const again = verifyQuoteEvidence(JSON.parse(json), roots)
    expect(again).toEqual(verifyQuote(quote, collateral, nowMs, roots))
    // Who trusts Intel alone does not take the synthetic root.
    expect(() => verifyQuoteEvidence(JSON.parse(json), intelRoots)).toThrow(expect.objectContaining({ code: 'root-not-trusted' }))
  })

  it.each<[string, (text: string) => string, string]>([
    ['another time', (text) => text.replace(`${nowMs}`, `${nowMs + 90 * 86_400_000}`), 'collateral-expired'],
    ['another collateral', (text) => text.replaceAll('OutOfDate', 'UpToDate'), 'collateral-signature-wrong'],
    ['another quote', (text) => text.replace('"quote":"BAAC', '"quote":"BQAC'), 'quote-not-tdx'],
    ['another form', (text) => text.replace('"version":1', '"version":2'), 'quote-malformed'],
    ['something more', (text) => text.replace('{"kind"', '{"more":1,"kind"'), 'quote-malformed'],
  ])('is refused with %s', (_name, change, code) => {
    const changed = change(json)
    expect(changed).not.toBe(json)
    expect(() => verifyQuoteEvidence(JSON.parse(changed), roots)).toThrow(expect.objectContaining({ code }))
  })
})

describe('certificates', () => {
  it('are read as OpenSSL reads them', () => {
    const { certificates } = evidenceWith()
    for (const der of Object.values(certificates)) {
      const ours = readIntelCertificate(new Uint8Array(der))
      const theirs = new X509Certificate(der)
      expect(ours.serial.toUpperCase()).toBe(theirs.serialNumber)
      expect(ours.notBeforeMs).toBe(theirs.validFromDate.getTime())
      expect(ours.notAfterMs).toBe(theirs.validToDate.getTime())
      expect(ours.isAuthority).toBe(theirs.ca)
      expect(theirs.subject.split('\n')).toContain(`CN=${ours.commonName}`)
      expect(ours.key.equals(theirs.publicKey)).toBe(true)
    }
  })

  it('with a key of another curve are not read', () => {
    const der = new Uint8Array(evidenceWith().certificates.pck)
    const p256 = Buffer.from('2a8648ce3d030107', 'hex')
    const p192 = Buffer.from('2a8648ce3d030101', 'hex')
    der.set(p192, Buffer.from(der).indexOf(p256))
    expect(() => readIntelCertificate(der)).toThrow('a key that is not of P-256')
  })
})
