import { createHash, X509Certificate } from 'node:crypto'
import { rmSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { fakeTsm } from '../hardware/testing/fake-tsm.ts'
import { createIdentity } from '../protocol/attestation/certificate.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { syntheticImageHash, syntheticPolicy } from '../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith } from '../protocol/attestation/testing/synthetic-intel.ts'
import { verifyPeerCertificate } from '../protocol/attestation/verify.ts'
import { machineQuote, ownQuote, policyNamedOf, quoteJudge } from './attesting.ts'

const inTdx = { kind: 'tdx-guest', sentence: '' } as const
const quoteFor = (reportData: Uint8Array): Uint8Array =>
  evidenceWith(({ quote }) => {
    quote.reportData = reportData
  }).quote

function machine(provider: string, report: (reportData: Uint8Array) => Uint8Array) {
  const tsm = fakeTsm(provider, report)
  onTestFinished(() => rmSync(tsm.folder, { recursive: true }))
  return tsm
}

describe('the quote of the own certificate', () => {
  it('is the machine’s where there is one, and peers take it', async () => {
    const quote = ownQuote('tdx', inTdx, machine('tdx_guest', quoteFor))
    if (quote === undefined) throw new Error('no quote')
    const identity = await createIdentity({ quote })
    const der = new Uint8Array(new X509Certificate(identity.certificatePem).raw)
    const policy = syntheticPolicy({ imageHashes: [syntheticImageHash] })
    expect(await verifyPeerCertificate(der, { peer: 'client', policy })).toMatchObject({ attestation: 'tdx' })
  })

  it('is left out where there is none, and fake only for test networks', () => {
    expect(ownQuote('any', inTdx)).toBeUndefined()
    expect(ownQuote('tdx', { kind: 'none', sentence: '' })).toBeUndefined()
    expect(ownQuote('tdx', { kind: 'sev-snp-guest', sentence: '' })).toBeUndefined()
    expect(ownQuote('fake_tdx', inTdx)).toBe(fakeQuote)
  })

  it('is not taken from a machine that attests something else', () => {
    const key = new Uint8Array(32).fill(1)
    const other = createHash('sha512').update('other').digest()
    expect(() => machineQuote(key, machine('sev_guest', quoteFor))).toThrow(expect.objectContaining({ code: 'tsm-failed' }))
    expect(() =>
      machineQuote(
        key,
        machine('tdx_guest', () => quoteFor(new Uint8Array(other))),
      ),
    ).toThrow(expect.objectContaining({ code: 'quote-not-for-this-key' }))
    expect(() =>
      machineQuote(
        key,
        machine('tdx_guest', () => new Uint8Array(100)),
      ),
    ).toThrow(expect.objectContaining({ name: 'AttestationError' }))
  })
})

describe('policies of a role', () => {
  it('share one verifier, which trusts Intel alone', async () => {
    const options = { dataDir: '/nowhere', pccs: 'http://127.0.0.1:9', logger: silentLogger }
    expect(policyNamedOf('any', options)).toEqual({ kind: 'any' })
    expect(policyNamedOf('tdx', options)).toEqual({ kind: 'tdx', quotes: quoteJudge(options) })
    await expect(quoteJudge(options).verify(evidenceWith().quote)).rejects.toMatchObject({ code: 'root-not-trusted' })
  })
})
