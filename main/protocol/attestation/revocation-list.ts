import { AttestationError, type AttestationErrorCode } from './attestation-error.ts'
import { bitsOf, childrenOf, derTags, expectTag, readDer, smallIntegerOf, timeOf } from './der.ts'
import { type IntelCertificate, isSignedBy, readExtensions, requireEcdsa } from './intel-certificate.ts'

/** A certificate revocation list (RFC 5280 §5). Nothing in it is verified. */
export interface RevocationList {
  readonly issuer: Uint8Array
  readonly issuedAtMs: number
  readonly nextUpdateMs: number
  /** Serial numbers, as in certificates. */
  readonly revoked: ReadonlySet<string>
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** @throws AttestationError `crl-malformed` */
export function readRevocationList(der: Uint8Array): RevocationList {
  try {
    return read(der)
  } catch (cause) {
    throw refused('crl-malformed', 'A list of revoked certificates cannot be read', cause)
  }
}

/**
 * Checks who signed a list, and when.
 * @throws AttestationError `crl-wrong-issuer`, `crl-signature-wrong`, `collateral-not-yet-valid`, `collateral-expired`
 */
export function verifyRevocationList(list: RevocationList, issuer: IntelCertificate, nowMs: number): void {
  if (Buffer.compare(list.issuer, issuer.subject) !== 0 || !issuer.maySignLists)
    throw refused('crl-wrong-issuer', `A list of revoked certificates is not from ${issuer.commonName}`)
  if (!isSignedBy(issuer.key, list.signed, list.signature))
    throw refused('crl-signature-wrong', `A list of revoked certificates is not signed by ${issuer.commonName}`)
  if (nowMs < list.issuedAtMs) throw refused('collateral-not-yet-valid', 'A list of revoked certificates is from the future')
  if (nowMs > list.nextUpdateMs) throw refused('collateral-expired', 'A list of revoked certificates has expired')
}

/** @throws AttestationError `chain-revoked` */
export function requireNotRevoked(list: RevocationList, certificate: IntelCertificate): void {
  if (list.revoked.has(certificate.serial)) throw refused('chain-revoked', `${certificate.commonName} was revoked by Intel`)
}

function read(der: Uint8Array): RevocationList {
  const [body, algorithm, signature, ...more] = childrenOf(readDer(der), derTags.sequence)
  if (more.length > 0) throw new TypeError('too many parts')
  requireEcdsa(algorithm)
  const fields = childrenOf(body, derTags.sequence)
  const [version, innerAlgorithm, issuer, issuedAt, nextUpdate, ...rest] = fields
  if (smallIntegerOf(version) !== 1) throw new TypeError('a list of another version than 2')
  requireEcdsa(innerAlgorithm)
  const hasEntries = rest[0]?.tag === derTags.sequence
  readExtensions(rest.slice(hasEntries ? 1 : 0), derTags.explicit0)
  return {
    issuer: expectTag(issuer, derTags.sequence).whole,
    issuedAtMs: timeOf(issuedAt),
    nextUpdateMs: timeOf(nextUpdate),
    revoked: new Set(hasEntries ? childrenOf(rest[0], derTags.sequence).map((entry) => serialOf(entry.content)) : []),
    signed: expectTag(body, derTags.sequence).whole,
    signature: bitsOf(signature),
  }
}

/** Serial number of an entry, whose parts are serial, date and extensions. */
function serialOf(entry: Uint8Array): string {
  const length = entry[1] ?? 0
  if (entry[0] !== derTags.integer || length === 0 || length > 0x7f || entry.length < 2 + length) throw new TypeError('no entry')
  return Buffer.from(entry.subarray(2, 2 + length)).toString('hex')
}

function refused(code: AttestationErrorCode, message: string, cause?: unknown): AttestationError {
  return new AttestationError(code, message, { cause })
}
