import { AttestationError, type AttestationErrorCode } from './attestation-error.ts'
import { type IntelCertificate, isSignedBy, readIntelCertificate, rootKeyHash } from './intel-certificate.ts'

/** Names of the certificates of a chain, leaf first. A certificate of Intel's for another task has another name. */
export const chainNames = {
  pck: [/^Intel SGX PCK Certificate$/, /^Intel SGX PCK (Platform|Processor) CA$/, /^Intel SGX Root CA$/],
  signing: [/^Intel SGX TCB Signing$/, /^Intel SGX Root CA$/],
} as const

/** Who may stand behind everything, as `rootKeyHash`. */
export type TrustedRoots = readonly Uint8Array[]

/** The Intel SGX root key (10 §8): SHA-384 of its point, computed from Intel's root certificate. */
export const intelRootKeyHash: Uint8Array = new Uint8Array(
  Buffer.from('46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993', 'hex'),
)
/** Who stands behind everything in all that ships. */
export const intelRoots: TrustedRoots = [intelRootKeyHash]

const mostCertificates = 4
const pemBlock = /-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----/y

/**
 * Reads certificates in PEM, one behind the other with nothing but white space between and zero bytes at the end.
 * @throws AttestationError `chain-malformed`
 */
export function readPemChain(pem: string): readonly IntelCertificate[] {
  const text = pem.replace(/\0+$/, '')
  const chain: IntelCertificate[] = []
  let at = 0
  try {
    for (at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
      pemBlock.lastIndex = at
      const block = pemBlock.exec(text)
      if (block === null || chain.length === mostCertificates) throw new TypeError('no chain of certificates')
      chain.push(readIntelCertificate(fromBase64(block[1] ?? '')))
      at = pemBlock.lastIndex
    }
  } catch (cause) {
    throw new AttestationError('chain-malformed', 'A chain of Intel’s certificates cannot be read', { cause })
  }
  return chain
}

/**
 * Checks a chain, leaf first, up to a trusted root: names and purposes, signatures, dates. Revocation is another matter.
 * @throws AttestationError `chain-malformed`, `chain-wrong-purpose`, `root-not-trusted`, `chain-broken`, `chain-expired`, `chain-not-yet-valid`
 */
export function verifyChain(
  chain: readonly IntelCertificate[],
  names: readonly RegExp[],
  roots: TrustedRoots,
  nowMs: number,
): void {
  if (chain.length !== names.length) throw refused('chain-malformed', `A chain of ${chain.length} certificates`)
  for (const [at, certificate] of chain.entries()) {
    checkPurpose(certificate, at, names[at])
    const issuer = chain[at + 1] ?? certificate
    if (Buffer.compare(certificate.issuer, issuer.subject) !== 0)
      throw refused('chain-broken', `${certificate.commonName} names another issuer`)
    if (!isSignedBy(issuer.key, certificate.signed, certificate.signature))
      throw refused('chain-broken', `${certificate.commonName} is not signed by its issuer`)
    if (nowMs < certificate.notBeforeMs)
      throw refused('chain-not-yet-valid', `${certificate.commonName} is not valid yet; is this computer’s clock right?`)
    if (nowMs > certificate.notAfterMs)
      throw refused('chain-expired', `${certificate.commonName} has expired; is this computer’s clock right?`)
  }
  const root = chain.at(-1)
  const hash = root && rootKeyHash(root)
  if (!roots.some((trusted) => hash !== undefined && Buffer.compare(trusted, hash) === 0))
    throw refused('root-not-trusted', 'The attestation does not lead to Intel’s root key')
}

/** @param at place in the chain, 0 for the leaf, which is the only one that is no authority */
function checkPurpose(certificate: IntelCertificate, at: number, name: RegExp | undefined): void {
  const fits =
    at === 0
      ? !certificate.isAuthority && certificate.maySign
      : certificate.isAuthority && certificate.mayCertify && (certificate.pathLength ?? at) >= at - 1
  if (!fits || name?.test(certificate.commonName) !== true)
    throw refused('chain-wrong-purpose', `A certificate ${certificate.commonName} is for another purpose`)
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/.test(text[at] ?? '')) at++
  return at
}

function fromBase64(text: string): Uint8Array {
  const compact = text.replace(/\s/g, '')
  const bytes = Buffer.from(compact, 'base64')
  if (bytes.toString('base64') !== compact) throw new TypeError('no base64')
  return new Uint8Array(bytes)
}

function refused(code: AttestationErrorCode, message: string): AttestationError {
  return new AttestationError(code, message)
}
