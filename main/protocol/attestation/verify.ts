import 'reflect-metadata'
import { X509Certificate as NodeCertificate } from 'node:crypto'
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509'
import { AttestationError } from './attestation-error.ts'
import { quoteOid, sevSnpOids, userClaimsOid } from './certificate.ts'
import { type Attested, checkPolicy, type Evidence, type Policy } from './policy.ts'

export type VerifiedPeer = Attested & {
  /** The peer's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** A certificate that is in order; what it holds to prove something with is not judged. */
export interface PeerCertificate extends Evidence {
  /** The peer's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
}

export interface CertificateOptions {
  /** Which end of TLS the peer is. */
  readonly peer: 'client' | 'server'
  readonly nowMs?: number
  /** The same certificate as TLS itself holds it, which saves reading the bytes once more. */
  readonly inTls?: NodeCertificate | undefined
}

export interface VerifyOptions extends CertificateOptions {
  readonly policy: Policy
}

const mostCertificateBytes = 64 * 1024
const mostQuoteBytes = 32 * 1024
const oids = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  keyId: '2.5.29.14',
  altName: '2.5.29.17',
}
const knownOids: ReadonlySet<string> = new Set([...Object.values(oids), quoteOid, userClaimsOid, ...sevSnpOids])
/** DER of a subject public key of Ed25519 up to the key itself (RFC 8410 §4). */
const keyPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * Judges the raw certificate that a peer showed in TLS, which has proved that the peer holds its key (10 §7.2, §7.3).
 * @param der the certificate as received; undefined when there was none, which always fails
 * @throws AttestationError
 */
export async function verifyPeerCertificate(der: Uint8Array | undefined, options: VerifyOptions): Promise<VerifiedPeer> {
  const certificate = readPeerCertificate(der, options)
  return { publicKey: certificate.publicKey, ...(await checkPolicy(options.policy, certificate.publicKey, certificate)) }
}

/**
 * Judges the certificate itself, without its attestation.
 * @throws AttestationError `certificate-…`, `quote-malformed`
 */
export function readPeerCertificate(der: Uint8Array | undefined, options: CertificateOptions): PeerCertificate {
  if (der === undefined || der.length === 0) throw new AttestationError('certificate-missing', 'The peer shows no certificate')
  if (der.length > mostCertificateBytes)
    throw new AttestationError('certificate-malformed', `A certificate of ${der.length} bytes`)
  try {
    return read(der, options)
  } catch (error) {
    if (error instanceof AttestationError) throw error
    // The parsers read parts of it late and throw errors of their own.
    throw new AttestationError('certificate-malformed', 'The certificate of the peer cannot be read', { cause: error })
  }
}

function read(der: Uint8Array, { peer, nowMs = Date.now(), inTls }: CertificateOptions): PeerCertificate {
  const parsed = parse(der, inTls)
  const { certificate } = parsed
  const publicKey = ed25519Key(parsed)
  checkSelfSigned(parsed)
  checkTimes(certificate, nowMs)
  checkExtensions(certificate.extensions)
  checkPurpose(certificate, peer)
  if (peer === 'server') checkName(certificate)
  const quote = certificate.extensions.find((extension) => extension.type === quoteOid)
  return {
    publicKey,
    quote: quote && new Uint8Array(quote.value),
    hasSevSnp: certificate.extensions.some((extension) => sevSnpOids.includes(extension.type)),
  }
}

interface Parsed {
  readonly certificate: X509Certificate
  /** The same bytes as OpenSSL reads them, which is what TLS has proved possession of. */
  readonly inTls: NodeCertificate
}

function parse(der: Uint8Array, inTls: NodeCertificate = nodeCertificate(der)): Parsed {
  if (der[0] !== 0x30 || derLength(der) !== der.length) throw new TypeError('no certificate, or bytes behind it')
  if (Buffer.compare(inTls.raw, der) !== 0) throw new TypeError('two certificates')
  return { certificate: new X509Certificate(new Uint8Array(der)), inTls }
}

/** Given bytes, OpenSSL looks for a certificate in PEM anywhere inside first, and a real quote holds three of them. */
function nodeCertificate(der: Uint8Array): NodeCertificate {
  const base64 = Buffer.from(der).toString('base64')
  return new NodeCertificate(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`)
}

/** Length of the outermost DER element, header included. */
function derLength(der: Uint8Array): number {
  const first = der[1] ?? 0
  if (first < 0x80) return 2 + first
  const size = first & 0x7f
  return der.subarray(2, 2 + size).reduce((length, byte) => length * 256 + byte, 0) + 2 + size
}

function ed25519Key({ inTls }: Parsed): Uint8Array {
  const spki = inTls.publicKey.export({ format: 'der', type: 'spki' })
  if (spki.length !== keyPrefix.length + 32 || !spki.subarray(0, keyPrefix.length).equals(keyPrefix))
    throw new AttestationError('certificate-not-ed25519', 'The key of the peer is not Ed25519')
  return new Uint8Array(spki.subarray(keyPrefix.length))
}

function checkSelfSigned({ certificate, inTls }: Parsed): void {
  const subject = new Uint8Array(certificate.subjectName.toArrayBuffer())
  const issuer = new Uint8Array(certificate.issuerName.toArrayBuffer())
  if (Buffer.compare(subject, issuer) !== 0 || !inTls.verify(inTls.publicKey))
    throw new AttestationError('certificate-not-self-signed', 'The certificate of the peer is not signed by its own key')
}

function checkTimes(certificate: X509Certificate, nowMs: number): void {
  // Written so that a date that is none fails too.
  if (!(certificate.notBefore.getTime() <= nowMs))
    throw new AttestationError(
      'certificate-not-yet-valid',
      'The certificate of the peer is not valid yet; is this computer’s clock right?',
    )
  if (!(nowMs <= certificate.notAfter.getTime()))
    throw new AttestationError('certificate-expired', 'The certificate of the peer has expired; is this computer’s clock right?')
}

function checkExtensions(extensions: readonly Extension[]): void {
  const unknown = extensions.find((extension) => extension.critical && !knownOids.has(extension.type))
  if (unknown) throw new AttestationError('certificate-unknown-critical-extension', `Unknown critical extension ${unknown.type}`)
  if (new Set(extensions.map((extension) => extension.type)).size !== extensions.length)
    throw new AttestationError('certificate-malformed', 'The certificate of the peer has an extension twice')
  const quote = extensions.find((extension) => extension.type === quoteOid)
  if (quote && quote.value.byteLength > mostQuoteBytes)
    throw new AttestationError('quote-malformed', `An attestation of ${quote.value.byteLength} bytes`)
}

function checkPurpose(certificate: X509Certificate, peer: 'client' | 'server'): void {
  const usages = certificate.getExtension(KeyUsagesExtension)
  if (usages && (usages.usages & KeyUsageFlags.digitalSignature) === 0)
    throw new AttestationError('certificate-wrong-purpose', 'The certificate of the peer is not for signatures')
  const extended = certificate.getExtension(ExtendedKeyUsageExtension)
  const wanted = peer === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth
  if (extended && !extended.usages.includes(wanted))
    throw new AttestationError('certificate-wrong-purpose', `The certificate of the peer is not for a TLS ${peer}`)
}

/** The reference compares the DNS names with this text, whatever host it dialled (10 §7). */
function checkName(certificate: X509Certificate): void {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  if (!names.some((name) => name.type === 'dns' && name.value === '127.0.0.1'))
    throw new AttestationError('certificate-wrong-name', 'The certificate of the peer has no DNS name 127.0.0.1')
}
