import 'reflect-metadata'
import { createHash, createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto'
import { cryptoProvider, Extension, X509CertificateGenerator } from '@peculiar/x509'
import type { AttestationErrorCode } from '../attestation-error.ts'
import { createIdentity, quoteOid, sevSnpOids } from '../certificate.ts'
import { fakeQuote } from '../fake-tdx.ts'
import { imageHash, noImageHash } from '../image-hash.ts'
import type { MeasurementLists, Policy } from '../policy.ts'
import { QuoteVerifier } from '../quote-verifier.ts'
import { checkRootMembership, type MembershipRules, type RootListing } from '../root-membership.ts'
import { verifyPeerCertificate } from '../verify.ts'
import { evidenceWith, goodWorld, makeEvidence, syntheticNowMs } from './synthetic-intel.ts'

/** Something about a peer's certificate, the policy or the network's lists that must be refused. */
export interface ManipulatedPeer {
  readonly area: string
  readonly name: string
  readonly code: AttestationErrorCode
  /** Rejects with that code. */
  readonly run: () => Promise<unknown>
}

const nowMs = syntheticNowMs
const good = evidenceWith()
const otherHash = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0x77)
const reportDataOf = (publicKey: Uint8Array): Uint8Array => new Uint8Array(createHash('sha512').update(publicKey).digest())

/** A verifier whose collateral is the synthetic world's. */
export function syntheticVerifier(options: { readonly now?: () => number; readonly rememberMs?: number } = {}): QuoteVerifier {
  const { collateral, roots } = evidenceWith()
  return new QuoteVerifier({ collateral: { with: async (_model, use) => use(collateral) }, roots, now: () => nowMs, ...options })
}

/** A quote of the synthetic world for a key. */
export function syntheticQuote(publicKey: Uint8Array): Uint8Array {
  const world = goodWorld()
  world.quote.reportData = reportDataOf(publicKey)
  return makeEvidence(world).quote
}

/** What the machine of the synthetic world runs. */
export const syntheticImageHash: Uint8Array = imageHash({
  ...goodWorld().quote,
  reportData: new Uint8Array(64),
})

export function syntheticPolicy(lists: MeasurementLists = {}): Policy {
  return { kind: 'tdx', quotes: syntheticVerifier(), ...lists }
}

/** Judges a fresh certificate with that quote. */
async function judge(
  quote: ((publicKey: Uint8Array) => Uint8Array) | undefined,
  { policy = syntheticPolicy(), peer = 'client' as 'client' | 'server', atMs = nowMs } = {},
) {
  const identity = await createIdentity({ nowMs, ...(quote && { quote }) })
  return verifyPeerCertificate(derOf(identity.certificatePem), { peer, policy, nowMs: atMs })
}

/** The control: nothing is manipulated. */
export const judgeGoodPeer = (lists?: MeasurementLists) => judge(syntheticQuote, { policy: syntheticPolicy(lists) })

/** A certificate with extensions of its own, signed by its own key or another. */
async function certificateWith(extensions: readonly Extension[], isSelfSigned = true): Promise<Uint8Array> {
  cryptoProvider.set(webcrypto)
  const [own, other] = await Promise.all([createIdentity({ nowMs }), createIdentity({ nowMs })])
  const publicKey = await webcrypto.subtle.importKey('raw', own.publicKey.slice(), 'Ed25519', true, ['verify'])
  const signer = createPrivateKey(isSelfSigned ? own.privateKeyPem : other.privateKeyPem)
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: 'CN=localhost',
    notBefore: new Date(nowMs - 60_000),
    notAfter: new Date(nowMs + 60_000),
    signingAlgorithm: { name: 'Ed25519' },
    publicKey,
    signingKey: signer.toCryptoKey('Ed25519', false, ['sign']),
    extensions: [...extensions],
  })
  return new Uint8Array(certificate.rawData)
}

const judgeDer = async (der: Promise<Uint8Array> | undefined) =>
  verifyPeerCertificate(await der, { peer: 'client', policy: syntheticPolicy(), nowMs })
const sevExtension = new Extension(sevSnpOids[1] ?? '', true, new Uint8Array(1184))

const certificates: readonly (readonly [string, AttestationErrorCode, () => Promise<unknown>])[] = [
  ['none, as in a resumed session', 'certificate-missing', () => judgeDer(undefined)],
  ['empty', 'certificate-missing', () => judgeDer(Promise.resolve(new Uint8Array()))],
  ['without a quote', 'quote-missing', () => judge(undefined)],
  ['a fake quote', 'quote-version-unsupported', () => judge(() => new Uint8Array(64).fill(1))],
  ['the fake quote of its key cut', 'quote-version-unsupported', () => judge((key) => Uint8Array.of(1, 1, ...fakeQuote(key)))],
  ['the quote of another key', 'quote-not-for-this-key', () => judge(() => syntheticQuote(otherHash(32)))],
  ['a quote for nobody', 'quote-not-for-this-key', () => judge(() => good.quote)],
  ['a quote with a report of SHA-256', 'quote-not-for-this-key', () => judge((key) => quoteOfShortHash(key))],
  ['half a quote', 'quote-malformed', () => judge((key) => syntheticQuote(key).slice(0, 2_000))],
  ['a giant quote', 'quote-malformed', () => judge((key) => Buffer.concat([syntheticQuote(key), new Uint8Array(33_000)]))],
  ['tomorrow', 'certificate-not-yet-valid', () => judge(syntheticQuote, { atMs: nowMs - 86_400_000 })],
  ['yesterday', 'certificate-expired', () => judge(syntheticQuote, { atMs: nowMs + 86_500_000 })],
  ['signed by another key', 'certificate-not-self-signed', () => judgeDer(certificateWith([], false))],
  [
    'an unknown critical extension',
    'certificate-unknown-critical-extension',
    () => judgeDer(certificateWith([new Extension('1.2.3.4', true, new Uint8Array(2))])),
  ],
  [
    'two quotes',
    'certificate-malformed',
    () =>
      judgeDer(
        certificateWith([new Extension(quoteOid, true, good.quote.slice()), new Extension(quoteOid, true, good.quote.slice())]),
      ),
  ],
  ['evidence of SEV-SNP', 'sev-snp-not-verifiable', () => judgeDer(certificateWith([sevExtension]))],
  [
    'evidence of SEV-SNP beside a quote',
    'sev-snp-not-verifiable',
    () => judgeDer(certificateWith([sevExtension, new Extension(quoteOid, true, good.quote.slice())])),
  ],
]

const one = new Uint8Array(48).fill(1)
const policies: readonly (readonly [string, MeasurementLists])[] = [
  ['another MRTD', { mrTds: [otherHash(48)] }],
  ['no MRTD allowed', { mrTds: [] }],
  ['RTMRs of which one differs', { rtmrSets: [[rtmr(0x10), rtmr(0x11), rtmr(0x12), one]] }],
  ['RTMRs in another order', { rtmrSets: [[rtmr(0x11), rtmr(0x10), rtmr(0x12), rtmr(0x13)]] }],
  ['another image', { imageHashes: [otherHash(32)] }],
  ['the image hash of a fake', { imageHashes: [noImageHash] }],
  ['half the image hash', { imageHashes: [syntheticImageHash.slice(0, 16)] }],
  ['another root', { collateralRootHashes: [otherHash(48)] }],
  ['no root allowed', { collateralRootHashes: [] }],
]

const listed = Buffer.from(syntheticImageHash).toString('hex')
const listing: RootListing = {
  proxyHashes: new Set([listed]),
  workerHashes: new Set(['ab'.repeat(32)]),
  address: 'EQ',
  readAtMs: nowMs,
  block: { seqno: 7, timeMs: nowMs - 5_000 },
  endpoints: ['http://127.0.0.1:1'],
}
const inList = (change: Partial<RootListing> | null, rules: Partial<MembershipRules> = {}, hash = syntheticImageHash) =>
  checkRootMembership({ imageHash: hash }, change && { ...listing, ...change }, { part: 'proxy', nowMs, ...rules })
/** The control. */
export const listGoodImage = () => inList({})

const rootLists: readonly (readonly [string, AttestationErrorCode, () => unknown])[] = [
  ['an image that is not listed', 'image-not-listed', () => inList({ proxyHashes: new Set() })],
  [
    'a proxy among the workers',
    'image-not-listed',
    () => inList({ proxyHashes: listing.workerHashes, workerHashes: listing.proxyHashes }),
  ],
  ['a worker among the proxies', 'image-not-listed', () => inList({}, { part: 'worker' })],
  ['a contract that was not read', 'image-not-listed', () => inList(null)],
  [
    'no attestation, zeros listed',
    'image-not-attested',
    () => inList({ proxyHashes: new Set(['00'.repeat(32)]) }, {}, noImageHash),
  ],
  [
    'endpoints that disagree',
    'root-disputed',
    () => inList({ disputed: { first: 'http://127.0.0.1:1/', other: 'http://127.0.0.1:2/' } }),
  ],
  ['a block of half an hour ago', 'root-too-old', () => inList({ block: { seqno: 7, timeMs: nowMs - 1_800_000 } })],
  ['a reading of half an hour ago', 'root-too-old', () => inList({ block: undefined, readAtMs: nowMs - 1_800_000 })],
  ['a block of tomorrow', 'root-from-the-future', () => inList({ block: { seqno: 7, timeMs: nowMs + 86_400_000 } })],
]

export const manipulatedPeers: readonly ManipulatedPeer[] = [
  ...certificates.map(([name, code, run]) => ({ area: 'certificate', name, code, run })),
  ...policies.map(([name, lists]) => ({
    area: 'policy',
    name,
    code: 'measurement-not-allowed' as const,
    run: () => judgeGoodPeer(lists),
  })),
  ...rootLists.map(([name, code, run]) => ({ area: 'root list', name, code, run: async () => run() })),
]

function quoteOfShortHash(publicKey: Uint8Array): Uint8Array {
  const short = createHash('sha256').update(publicKey).digest()
  return evidenceWith(({ quote }) => {
    quote.reportData = new Uint8Array(Buffer.concat([short, new Uint8Array(32)]))
  }).quote
}

function rtmr(byte: number): Uint8Array {
  return new Uint8Array(48).fill(byte)
}

function derOf(pem: string): Uint8Array {
  return new Uint8Array(new NodeCertificate(pem).raw)
}
