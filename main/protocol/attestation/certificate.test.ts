import { createHash, createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import attestation from '../vectors/ratls/attestation.json' with { type: 'json' }
import reference from '../vectors/ratls/certificates.json' with { type: 'json' }
import sample from '../vectors/ratls/tdx_quote_sample.json' with { type: 'json' }
import runs from '../vectors/ratls/verification.json' with { type: 'json' }
import { AttestationError, type AttestationErrorCode } from './attestation-error.ts'
import { createIdentity } from './certificate.ts'
import { fakeQuote } from './fake-tdx.ts'
import { imageHash, noImageHash } from './image-hash.ts'
import type { Policy } from './policy.ts'
import { type VerifyOptions, verifyPeerCertificate } from './verify.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const fakeImageHash = hex(attestation.tdx_all_zero.image_hash_hex)
/** When the vectors were captured. */
const captureMs = Date.parse('2026-11-22T02:00:00Z')
const certificates: Record<string, { der_hex: string; public_key_hex?: string }> = reference.certificates

function derOf(name: string): Uint8Array {
  const certificate = certificates[name]
  if (!certificate) throw new Error(`no certificate ${name}`)
  return hex(certificate.der_hex)
}

async function errorCode(
  der: Uint8Array | undefined,
  options: Partial<VerifyOptions>,
): Promise<AttestationErrorCode | undefined> {
  try {
    await verifyPeerCertificate(der, { peer: 'client', policy: { kind: 'any' }, nowMs: captureMs, ...options })
    return undefined
  } catch (error) {
    if (error instanceof AttestationError) return error.code
    throw error
  }
}

describe('verification decides as the reference router did', () => {
  const policies: Record<string, Policy> = { any: { kind: 'any' }, fake_tdx: { kind: 'fake_tdx' } }
  const plain = runs.cases.filter(
    (run) => policies[run.server_policy] && policies[run.client_policy] && !run.case.startsWith('PoW'),
  )

  it('covers the runs under policies any and fake_tdx', async () => {
    expect(plain.length).toBe(49)
    expect(plain.filter((run) => run.accepted).length).toBeGreaterThan(25)
  })

  it.each(plain)('$case: server $server_cert/$server_policy, client $client_cert/$client_policy', async (run) => {
    const byClient = await errorCode(derOf(run.server_cert), {
      peer: 'server',
      policy: policies[run.client_policy] ?? { kind: 'any' },
    })
    const byServer = await errorCode(derOf(run.client_cert), {
      peer: 'client',
      policy: policies[run.server_policy] ?? { kind: 'any' },
    })
    expect([byClient, byServer].every((code) => code === undefined)).toBe(run.accepted)
  })

  it('names the reason', async () => {
    const fake: Policy = { kind: 'fake_tdx' }
    const table: [string, Partial<VerifyOptions>, AttestationErrorCode][] = [
      ['chained', {}, 'certificate-not-self-signed'],
      ['critext', {}, 'certificate-unknown-critical-extension'],
      ['ekuclientonly', { peer: 'server' }, 'certificate-wrong-purpose'],
      ['ekuserveronly', { peer: 'client' }, 'certificate-wrong-purpose'],
      ['expired', {}, 'certificate-expired'],
      ['noSAN', { peer: 'server' }, 'certificate-wrong-name'],
      ['sanIP', { peer: 'server' }, 'certificate-wrong-name'],
      ['p256', {}, 'certificate-not-ed25519'],
      ['none', { policy: fake }, 'quote-missing'],
      ['quote63', { policy: fake }, 'quote-malformed'],
      ['badrd', { policy: fake }, 'quote-not-for-this-key'],
      ['fake', { nowMs: captureMs - 3_600_000 }, 'certificate-not-yet-valid'],
    ]
    for (const [name, options, code] of table) expect([name, await errorCode(derOf(name), options)]).toEqual([name, code])
  })

  it('reads key and image hash', async () => {
    const verified = await verifyPeerCertificate(derOf('fake'), {
      peer: 'server',
      policy: { kind: 'fake_tdx' },
      nowMs: captureMs,
    })
    expect(verified.publicKey).toEqual(hex(certificates.fake?.public_key_hex ?? ''))
    expect(verified.imageHash).toEqual(fakeImageHash)
    expect(verified.attestation).toBe('fake_tdx')
    const any = await verifyPeerCertificate(derOf('fake'), { peer: 'server', policy: { kind: 'any' }, nowMs: captureMs })
    expect(any.imageHash).toEqual(noImageHash)
    expect(any.attestation).toBe('none')
  })
})

describe('policies with lists', () => {
  const other = new Uint8Array(32).fill(1)
  const zero = new Uint8Array(48)
  const one = new Uint8Array(48).fill(1)
  it('accepts what is listed and refuses the rest', async () => {
    const code = (policy: Policy): Promise<AttestationErrorCode | undefined> => errorCode(derOf('fake'), { policy })
    expect(await code({ kind: 'fake_tdx', imageHashes: [other, fakeImageHash] })).toBeUndefined()
    expect(
      await code({ kind: 'fake_tdx', mrTds: [zero], rtmrSets: [[zero, zero, zero, zero]], collateralRootHashes: [zero] }),
    ).toBeUndefined()
    expect(await code({ kind: 'fake_tdx', imageHashes: [other] })).toBe('measurement-not-allowed')
    expect(await code({ kind: 'fake_tdx', imageHashes: [] })).toBe('measurement-not-allowed')
    expect(await code({ kind: 'fake_tdx', mrTds: [one] })).toBe('measurement-not-allowed')
    expect(await code({ kind: 'fake_tdx', rtmrSets: [[zero, zero, zero, one]] })).toBe('measurement-not-allowed')
    expect(await code({ kind: 'fake_tdx', collateralRootHashes: [one] })).toBe('measurement-not-allowed')
    expect(await code({ kind: 'any', imageHashes: [fakeImageHash] })).toBe('measurement-not-allowed')
  })
})

describe('hostile certificates', () => {
  it('a missing certificate always fails', async () => {
    expect(await errorCode(undefined, {})).toBe('certificate-missing')
    expect(await errorCode(new Uint8Array(), {})).toBe('certificate-missing')
  })

  it('refuses every prefix, trailing bytes and giants', async () => {
    const der = derOf('fake')
    for (let length = 1; length < der.length; length += 7)
      expect(await errorCode(der.subarray(0, length), {})).toBe('certificate-malformed')
    expect(await errorCode(new Uint8Array([...der, 0]), {})).toBe('certificate-malformed')
    expect(await errorCode(new Uint8Array(70_000).fill(0x30), {})).toBe('certificate-malformed')
  })

  it('refuses a certificate in which any byte was changed', async () => {
    const der = derOf('v3fake')
    for (let at = 0; at < der.length; at++) {
      const changed = der.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x01
      expect([at, await errorCode(changed, { policy: { kind: 'fake_tdx' } })]).not.toEqual([at, undefined])
    }
  })
})

describe('own identity', () => {
  it('passes the own strict check on both sides, with and without quote', async () => {
    for (const [options, policy] of [
      [{}, { kind: 'any' }],
      [{ quote: fakeQuote }, { kind: 'fake_tdx' }],
    ] as const) {
      const identity = await createIdentity(options)
      const der = new X509Certificate(identity.certificatePem).raw
      for (const peer of ['client', 'server'] as const)
        expect((await verifyPeerCertificate(der, { peer, policy })).publicKey).toEqual(identity.publicKey)
      expect(await errorCode(der, { nowMs: identity.notAfter.getTime() + 1_000 })).toBe('certificate-expired')
      expect(await errorCode(der, { nowMs: Date.now() - 120_000 })).toBe('certificate-not-yet-valid')
    }
  })

  it('has the layout of the reference’s certificate', async () => {
    const identity = await createIdentity({ quote: fakeQuote })
    const ours = new X509Certificate(identity.certificatePem)
    const theirs = new X509Certificate(derOf('fake'))
    expect(ours.subject).toBe(theirs.subject)
    expect(ours.issuer).toBe(theirs.issuer)
    expect(ours.subjectAltName).toBe(theirs.subjectAltName)
    expect(ours.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
    // From the extensions on, both are the same but for key, key id and quote, which have fixed lengths.
    const extensions = (der: Uint8Array): string => {
      const text = Buffer.from(der).toString('hex')
      return text.slice(text.indexOf('a382'), text.length - 2 * 64)
    }
    const masked = (der: Uint8Array, publicKey: Uint8Array): string => {
      const keyId = createHash('sha1').update(publicKey).digest('hex')
      return [Buffer.from(fakeQuote(publicKey)).toString('hex'), Buffer.from(publicKey).toString('hex'), keyId].reduce(
        (text, part) => {
          expect(text).toContain(part)
          return text.replace(part, '*')
        },
        extensions(der),
      )
    }
    expect(masked(ours.raw, identity.publicKey)).toBe(masked(theirs.raw, hex(certificates.fake?.public_key_hex ?? '')))
    const key = createPrivateKey(identity.privateKeyPem)
    expect(ours.checkPrivateKey(key)).toBe(true)
    expect(sign(null, Buffer.from('x'), key)).toHaveLength(64)
  })
})

describe('image hash', () => {
  it('is the reference’s', async () => {
    for (const vector of [
      attestation.tdx_all_zero,
      attestation.tdx_pattern,
      attestation.tdx_pattern_other_reportdata_same_hash,
    ]) {
      const measured = {
        mrTd: hex(vector.mr_td),
        mrConfigId: hex(vector.mr_config_id),
        mrOwner: hex(vector.mr_owner),
        mrOwnerConfig: hex(vector.mr_owner_config),
        rtmrs: [hex(vector.rtmr[0] ?? ''), hex(vector.rtmr[1] ?? ''), hex(vector.rtmr[2] ?? ''), hex(vector.rtmr[3] ?? '')],
        reportData: hex(vector.reportdata),
      } as const
      expect(Buffer.from(imageHash(measured)).toString('hex')).toBe(vector.image_hash_hex)
      expect(() => imageHash({ ...measured, mrTd: new Uint8Array(47) })).toThrow(TypeError)
    }
  })

  it('of a real quote', async () => {
    const f = sample.fields
    const measured = {
      mrTd: hex(f.mr_td.hex),
      mrConfigId: hex(f.mr_config_id.hex),
      mrOwner: hex(f.mr_owner.hex),
      mrOwnerConfig: hex(f.mr_owner_config.hex),
      rtmrs: [hex(f.rtmr0.hex), hex(f.rtmr1.hex), hex(f.rtmr2.hex), hex(f.rtmr3.hex)],
      reportData: hex(f.report_data.hex),
    } as const
    expect(Buffer.from(imageHash(measured)).toString('hex')).toBe(sample.image_hash_hex)
  })
})
