import { createHash, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { quoteOid } from '../attestation/certificate.ts'
import { fakeQuote, readFakeQuote } from '../attestation/fake-tdx.ts'
import { imageHash, type TdxMeasurements } from '../attestation/image-hash.ts'
import { readQuote } from '../attestation/quote.ts'
import { evidenceWith } from '../attestation/testing/synthetic-intel.ts'
import { readPeerCertificate } from '../attestation/verify.ts'
import { readVectors } from '../testing/vector-cases.ts'
import { notRun, ran } from '../testing/vector-runs.ts'
import { type PeerInfo, readPeerInfo, readPeerInfoLength, remoteImageHash, writePeerInfo } from './peer-info.ts'
import { solve, verify } from './proof-of-work.ts'

const hex = (text = ''): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface TdxVector {
  readonly mr_td: string
  readonly mr_config_id: string
  readonly mr_owner: string
  readonly mr_owner_config: string
  readonly rtmr: readonly string[]
  readonly reportdata: string
  readonly serialized: string
  readonly image_hash_hex: string
  readonly image_hash_base64: string
}
interface Attestation {
  readonly tdx_all_zero: TdxVector
  readonly tdx_pattern: TdxVector
  readonly tdx_pattern_other_reportdata_same_hash: TdxVector
  readonly sgx_pattern: { mr_enclave: string; reportdata: string; serialized: string; image_hash_hex: string }
  readonly user_claims: { public_key: string; serialized: string; hash_sha512: string }
  readonly attested_peer_info: readonly {
    case: string
    source: string
    destination: string
    serialized: string
    framed: string
    image_hash: string
  }[]
}

function measuredOf(one: TdxVector): TdxMeasurements {
  const [a, b, c, d] = one.rtmr.map(hex)
  if (!a || !b || !c || !d) throw new Error('four RTMRs are needed')
  return {
    mrTd: hex(one.mr_td),
    mrConfigId: hex(one.mr_config_id),
    mrOwner: hex(one.mr_owner),
    mrOwnerConfig: hex(one.mr_owner_config),
    rtmrs: [a, b, c, d],
    reportData: hex(one.reportdata),
  }
}

/** A frame with these measurements, for what is serialized inside. */
const infoWith = (attestation: PeerInfo['attestation']): PeerInfo => ({
  attestation,
  collateralRootHash: new Uint8Array(48),
  publicKey: new Uint8Array(32),
  source: { ip: '', port: 0 },
  destination: { ip: '', port: 0 },
})

describe('attestation', () => {
  const file = 'ratls/attestation'
  const golden = readVectors<Attestation>(file)

  it.each(['tdx_all_zero', 'tdx_pattern', 'tdx_pattern_other_reportdata_same_hash'] as const)('%s', (name) => {
    const one = golden[name]
    const measured = measuredOf(one)
    expect(toHex(imageHash(measured))).toBe(one.image_hash_hex)
    expect(Buffer.from(imageHash(measured)).toString('base64')).toBe(one.image_hash_base64)
    // Length, presence and kind stand in front.
    expect(toHex(writePeerInfo(infoWith({ kind: 'tdx', measured }))).slice(24)).toMatch(new RegExp(`^${one.serialized}`))
    if (name === 'tdx_all_zero') expect(imageHash(readFakeQuote(fakeQuote(new Uint8Array(32))))).toEqual(imageHash(measured))
    ran(file, name)
  })

  it('sgx_pattern', () => {
    const one = golden.sgx_pattern
    const info = infoWith({ kind: 'sgx', mrEnclave: hex(one.mr_enclave), reportData: hex(one.reportdata) })
    expect(toHex(remoteImageHash(info))).toBe(one.image_hash_hex)
    expect(toHex(writePeerInfo(info)).slice(24)).toMatch(new RegExp(`^${one.serialized}`))
    ran(file, 'sgx_pattern')
  })

  it('user_claims', () => {
    const { public_key, serialized, hash_sha512 } = golden.user_claims
    expect(serialized).toBe(public_key)
    expect(toHex(fakeQuote(hex(public_key)))).toBe(hash_sha512)
    ran(file, 'user_claims')
  })

  it.each(golden.attested_peer_info.map((one, i) => ({ ...one, i })))('peer information: $case', (one) => {
    const frame = hex(one.framed)
    const info = readPeerInfo(frame.subarray(4, 4 + readPeerInfoLength(frame)))
    expect(toHex(frame.subarray(4))).toBe(one.serialized)
    expect(toHex(writePeerInfo(info))).toBe(one.framed)
    expect(toHex(remoteImageHash(info))).toBe(one.image_hash)
    expect(toHex(info.publicKey)).toBe(golden.user_claims.public_key)
    expect(`${info.source.ip}:${info.source.port}`).toBe(one.source)
    expect(`${info.destination.ip}:${info.destination.port}`).toBe(one.destination)
    ran(file, `attested_peer_info ${one.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})

interface GoldenCertificate {
  readonly cert_pem: string
  readonly der_hex: string
  readonly version_field: string
  readonly public_key_hex?: string
  readonly sha512_of_public_key?: string
  readonly quote_extension_present?: boolean
}

describe('certificates', () => {
  const file = 'ratls/certificates'
  const { certificates } = readVectors<{ certificates: Record<string, GoldenCertificate> }>(file)
  /** Inside the day for which they are valid; the one that has expired is judged in its own time. */
  const nowMs = (name: string): number => Date.parse(name === 'expired' ? '2026-11-21T12:00:00Z' : '2026-11-22T02:00:00Z')

  it.each(Object.entries(certificates))('%s is read as the reference reads it', (name, golden) => {
    const der = new Uint8Array(new X509Certificate(golden.cert_pem).raw)
    expect(toHex(der)).toBe(golden.der_hex)
    const judge = (): string => {
      // As a client's unless its purpose is the server's.
      const peer = name === 'ekuserveronly' ? 'server' : 'client'
      return toHex(readPeerCertificate(der, { peer, nowMs: nowMs(name) }).publicKey)
    }
    const refusals: Record<string, string> = {
      chained: 'certificate-not-self-signed',
      critext: 'certificate-unknown-critical-extension',
      p256: 'certificate-not-ed25519',
    }
    const refusal = refusals[name]
    if (refusal !== undefined) expect(judge).toThrow(expect.objectContaining({ code: refusal }))
    else expect(judge()).toBe(golden.public_key_hex)
    if (golden.public_key_hex !== undefined) {
      const quote = fakeQuote(hex(golden.public_key_hex))
      expect(toHex(quote)).toBe(golden.sha512_of_public_key)
      // Whether the extension is there: its OID stands in the DER in no other place.
      expect(toHex(der).includes(derOid(quoteOid))).toBe(golden.quote_extension_present)
    }
    ran(file, name)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})

/** DER of an object identifier, in hex. */
function derOid(text: string): string {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const base128 = (n: number): number[] => (n < 128 ? [n] : [...base128(Math.floor(n / 128)).map((b) => b | 0x80), n % 128])
  const content = [first * 40 + second, ...rest.flatMap(base128)]
  return toHex(Uint8Array.of(6, content.length, ...content))
}

describe('proof of work', () => {
  const file = 'ratls/pow'
  interface Work {
    readonly difficulty_bits: number
    readonly salt: string
    readonly challenge_bytes: string
    readonly smallest_nonce: number
    readonly response_bytes: string
    readonly sha256: string
    readonly verify: boolean
    readonly others: readonly { nonce: number; verify: boolean }[]
  }
  const golden = readVectors<Work[]>(file).map((one, i) => ({ ...one, i }))

  it.each(golden)('of difficulty $difficulty_bits', async (one) => {
    const challenge = hex(one.challenge_bytes)
    const response = await solve(challenge)
    expect(toHex(response)).toBe(one.response_bytes)
    expect(verify(challenge, response)).toBe(one.verify)
    const hash = createHash('sha256').update(hex(one.salt)).update(response.subarray(4)).digest('hex')
    expect(hash).toBe(one.sha256)
    const view = new DataView(response.buffer)
    expect(Number(view.getBigInt64(4, true))).toBe(one.smallest_nonce)
    for (const { nonce, verify: good } of one.others) {
      view.setBigInt64(4, BigInt(nonce), true)
      expect([nonce, verify(challenge, response)]).toEqual([nonce, good])
    }
    ran(file, `case ${one.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})

describe('a real quote', () => {
  const file = 'ratls/tdx_quote_sample'
  interface Sample {
    readonly header_and_body_hex: string
    readonly body_offset: number
    readonly image_hash_hex: string
    readonly fields: Readonly<Record<string, { offset_in_body: number; length: number; hex: string }>>
  }
  const sample = readVectors<Sample>(file)

  it('has the image hash that the capture found', () => {
    const body = hex(sample.header_and_body_hex).subarray(sample.body_offset)
    const field = (name: string): Uint8Array => {
      const place = sample.fields[name]
      if (place === undefined) throw new Error(`no field ${name}`)
      return body.slice(place.offset_in_body, place.offset_in_body + place.length)
    }
    const measured: TdxMeasurements = {
      mrTd: field('mr_td'),
      mrConfigId: field('mr_config_id'),
      mrOwner: field('mr_owner'),
      mrOwnerConfig: field('mr_owner_config'),
      rtmrs: [field('rtmr0'), field('rtmr1'), field('rtmr2'), field('rtmr3')],
      reportData: field('report_data'),
    }
    expect(toHex(imageHash(measured))).toBe(sample.image_hash_hex)
    ran(file, 'image hash')
  })

  it('has its fields where the capture found them', () => {
    // The sample is header and body; the reader wants a signature behind, which it only takes apart.
    const { quote, regions } = evidenceWith()
    const [signatureAt = 0] = regions['signature data length'] ?? []
    const { version, body } = readQuote(Buffer.concat([hex(sample.header_and_body_hex), quote.subarray(signatureAt)]))
    expect(version).toBe(4)
    const { measured } = body
    const found: Record<string, Uint8Array> = {
      tee_tcb_svn: body.teeTcbSvn,
      mr_seam: body.mrSeam,
      mr_signer_seam: body.mrSignerSeam,
      seam_attributes: body.seamAttributes,
      td_attributes: body.tdAttributes,
      xfam: body.xfam,
      mr_td: measured.mrTd,
      mr_config_id: measured.mrConfigId,
      mr_owner: measured.mrOwner,
      mr_owner_config: measured.mrOwnerConfig,
      rtmr0: measured.rtmrs[0],
      rtmr1: measured.rtmrs[1],
      rtmr2: measured.rtmrs[2],
      rtmr3: measured.rtmrs[3],
      report_data: measured.reportData,
    }
    for (const [name, { hex: wanted }] of Object.entries(sample.fields)) {
      expect([name, found[name] && toHex(found[name])]).toEqual([name, wanted])
      ran(file, `field ${name}`)
    }
    expect(toHex(imageHash(measured))).toBe(sample.image_hash_hex)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})
