import { AttestationError } from './attestation-error.ts'
import type { Collateral } from './collateral.ts'
import { type IntelCertificate, isSignedRaw } from './intel-certificate.ts'
import { chainNames, readPemChain, type TrustedRoots, verifyChain } from './intel-chain.ts'
import { type RevocationList, readRevocationList, requireNotRevoked, verifyRevocationList } from './revocation-list.ts'
import { type QeIdentity, readQeIdentity, readTcbInfo, type TcbInfo } from './signed-collateral.ts'

/** Collateral that Intel signed, that is valid now, and that goes with one chain of a platform. */
export interface VerifiedCollateral {
  readonly tcbInfo: TcbInfo
  readonly qeIdentity: QeIdentity
  /** When the last of its parts began to be valid, Unix ms. */
  readonly validFromMs: number
  /** When the first of its parts, or of the certificates behind it, ends to be valid, Unix ms. */
  readonly expiresAtMs: number
}

/**
 * Checks a platform's chain of certificates and the collateral for it, up to a trusted root: signatures, purposes, revocation, dates.
 * @param pckChain the platform's certificate, its issuer, and the root, as read
 * @throws AttestationError
 */
export function verifyCollateral(
  collateral: Collateral,
  pckChain: readonly IntelCertificate[],
  roots: TrustedRoots,
  nowMs: number,
): VerifiedCollateral {
  verifyChain(pckChain, chainNames.pck, roots, nowMs)
  const tcbChain = readPemChain(collateral.tcbInfoChain)
  verifyChain(tcbChain, chainNames.signing, roots, nowMs)
  const qeChain = readPemChain(collateral.qeIdentityChain)
  verifyChain(qeChain, chainNames.signing, roots, nowMs)

  const [pck, authority, root] = pckChain
  if (pck === undefined || authority === undefined || root === undefined) throw new TypeError('a chain without certificates')
  const rootCrl = readRevocationList(collateral.rootCrl)
  verifyRevocationList(rootCrl, root, nowMs)
  for (const certificate of [authority, root, ...tcbChain, ...qeChain]) requireNotRevoked(rootCrl, certificate)
  const pckCrl = readRevocationList(collateral.pckCrl)
  verifyRevocationList(pckCrl, authority, nowMs)
  requireNotRevoked(pckCrl, pck)

  checkSignature('information about the platform', collateral.tcbInfo, collateral.tcbInfoSignature, tcbChain)
  const tcbInfo = readTcbInfo(collateral.tcbInfo)
  checkDates('information about the platform', tcbInfo, nowMs)
  checkSignature('identity of the quoting enclave', collateral.qeIdentity, collateral.qeIdentitySignature, qeChain)
  const qeIdentity = readQeIdentity(collateral.qeIdentity)
  checkDates('identity of the quoting enclave', qeIdentity, nowMs)
  return { tcbInfo, qeIdentity, ...validity([rootCrl, pckCrl], [tcbInfo, qeIdentity], [...pckChain, ...tcbChain, ...qeChain]) }
}

/** When each part was issued, Unix ms; undefined for one that cannot be read. Nothing is verified. */
export function issueDatesOf({ tcbInfo, qeIdentity, rootCrl, pckCrl }: Collateral): readonly (number | undefined)[] {
  return [
    readable(() => readTcbInfo(tcbInfo).issueDate),
    readable(() => readQeIdentity(qeIdentity).issueDate),
    readable(() => readRevocationList(rootCrl).issuedAtMs),
    readable(() => readRevocationList(pckCrl).issuedAtMs),
  ]
}

function readable(read: () => number): number | undefined {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof AttestationError) return undefined
    throw thrown
  }
}

function checkSignature(what: string, signed: string, signatureHex: string, [signer]: readonly IntelCertificate[]): void {
  const signature = Buffer.from(signatureHex, 'hex')
  if (signer === undefined || signature.length !== 64 || !isSignedRaw(signer.key, Buffer.from(signed), signature))
    throw new AttestationError('collateral-signature-wrong', `The ${what} is not signed by Intel`)
}

interface Dated {
  readonly issueDate: number
  readonly nextUpdate: number
}

function checkDates(what: string, { issueDate, nextUpdate }: Dated, nowMs: number): void {
  if (nowMs < issueDate)
    throw new AttestationError('collateral-not-yet-valid', `Intel’s ${what} is from the future; is this computer’s clock right?`)
  if (nowMs > nextUpdate) throw new AttestationError('collateral-expired', `Intel’s ${what} has expired`)
}

function validity(
  lists: readonly RevocationList[],
  signed: readonly Dated[],
  certificates: readonly IntelCertificate[],
): { validFromMs: number; expiresAtMs: number } {
  return {
    validFromMs: Math.max(
      ...lists.map((list) => list.issuedAtMs),
      ...signed.map((one) => one.issueDate),
      ...certificates.map((one) => one.notBeforeMs),
    ),
    expiresAtMs: Math.min(
      ...lists.map((list) => list.nextUpdateMs),
      ...signed.map((one) => one.nextUpdate),
      ...certificates.map((one) => one.notAfterMs),
    ),
  }
}
