import { createHash } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { type Collateral, collateralDigest } from './collateral.ts'
import { type IntelCertificate, isSignedRaw, p256Key, rootKeyHash } from './intel-certificate.ts'
import { readPemChain, type TrustedRoots } from './intel-chain.ts'
import { type Platform, readPlatform } from './pck-extension.ts'
import { checkPlatform, checkQuotingEnclave, checkTdxModule, type FoundLevel } from './platform-tcb.ts'
import { readQeReport } from './qe-report.ts'
import { readQuote, type TdxQuote } from './quote.ts'
import type { TdxBody } from './tdx-body.ts'
import { verifyCollateral } from './verify-collateral.ts'

/** A quote that was verified in full, and what was established. */
export interface VerifiedQuote {
  readonly quoteVersion: 4 | 5
  /** SHA-256 of the quote as received, in hex. */
  readonly quoteDigest: string
  readonly body: TdxBody
  /** Platform, TDX module and quoting enclave: anything else is refused. */
  readonly tcbStatus: 'UpToDate'
  readonly platform: Platform & FoundLevel & { readonly evaluationNumber: number }
  /** Undefined for modules of the first generation, which the level of the platform covers. */
  readonly tdxModule: FoundLevel | undefined
  readonly quotingEnclave: FoundLevel & { readonly isvSvn: number; readonly evaluationNumber: number }
  readonly collateral: { readonly digest: string; readonly validFromMs: number; readonly expiresAtMs: number }
  /** 48 bytes: SHA-384 of the root's key as an uncompressed point (10 §8). */
  readonly rootKeyHash: Uint8Array
  readonly verifiedAtMs: number
  /** What it was verified with, for others to do the same (`quote-evidence.ts`). */
  readonly evidence: { readonly quote: Uint8Array; readonly collateral: Collateral }
}

/** A quote and its platform as it names itself, which says what collateral to get. Nothing is verified. */
export interface OpenedQuote {
  readonly quote: TdxQuote
  readonly pckChain: readonly IntelCertificate[]
  readonly platform: Platform
}

/** @throws AttestationError */
export function openQuote(bytes: Uint8Array): OpenedQuote {
  const quote = readQuote(bytes)
  const pckChain = readPemChain(quote.pckChain)
  const [pck, issuer] = pckChain
  if (pck === undefined || issuer === undefined)
    throw new AttestationError('chain-malformed', 'The attestation has no chain of certificates')
  return { quote, pckChain, platform: readPlatform(pck, issuer) }
}

/**
 * Verifies a TDX quote in full (10 §9.1): everything that Intel's library checks, and nothing but "up to date" passes.
 * @param nowMs Unix ms
 * @param roots trusted root keys
 * @throws AttestationError
 */
export function verifyQuote(bytes: Uint8Array, collateral: Collateral, nowMs: number, roots: TrustedRoots): VerifiedQuote {
  const { quote, pckChain, platform } = openQuote(bytes)
  const verified = verifyCollateral(collateral, pckChain, roots, nowMs)
  checkSignatures(quote, pckChain)
  const qeReport = readQeReport(quote.qeReport)
  const quotingEnclave = checkQuotingEnclave(verified.qeIdentity, qeReport)
  checkAttributes(quote.body)
  const tdxModule = checkTdxModule(verified.tcbInfo, quote.body)
  const level = checkPlatform(verified.tcbInfo, platform, quote.body)
  const root = pckChain.at(-1)
  if (root === undefined) throw new TypeError('a chain without root')
  return {
    quoteVersion: quote.version,
    quoteDigest: createHash('sha256').update(bytes).digest('hex'),
    body: quote.body,
    tcbStatus: 'UpToDate',
    platform: { ...platform, ...level, evaluationNumber: verified.tcbInfo.tcbEvaluationDataNumber },
    tdxModule,
    quotingEnclave: {
      ...quotingEnclave,
      isvSvn: qeReport.isvSvn,
      evaluationNumber: verified.qeIdentity.tcbEvaluationDataNumber,
    },
    collateral: {
      digest: collateralDigest(collateral),
      validFromMs: verified.validFromMs,
      expiresAtMs: verified.expiresAtMs,
    },
    rootKeyHash: rootKeyHash(root),
    verifiedAtMs: nowMs,
    evidence: { quote: bytes, collateral },
  }
}

/** Platform → report of the quoting enclave → attestation key → quote. */
function checkSignatures(quote: TdxQuote, [pck]: readonly IntelCertificate[]): void {
  if (pck === undefined || !isSignedRaw(pck.key, quote.qeReport, quote.qeReportSignature))
    throw new AttestationError('qe-signature-wrong', 'The report of the quoting enclave is not signed by its platform')
  const binding = createHash('sha256').update(quote.attestationKey).update(quote.qeAuthData).digest()
  const { reportData } = readQeReport(quote.qeReport)
  if (Buffer.compare(Buffer.concat([binding, new Uint8Array(32)]), reportData) !== 0)
    throw new AttestationError('quote-key-not-bound', 'The key of the attestation is not that of the quoting enclave')
  if (!isSignedRaw(attestationKey(quote), quote.signed, quote.signature))
    throw new AttestationError('quote-signature-wrong', 'The attestation of the peer is not signed by its key')
}

function attestationKey(quote: TdxQuote) {
  try {
    return p256Key(quote.attestationKey)
  } catch (cause) {
    throw new AttestationError('quote-signature-wrong', 'The key of the attestation is none', { cause })
  }
}

const septVeDisable = 0x10
/** By byte: bits that may be set. SEPT_VE_DISABLE, PKS and KL in the fourth byte, PERFMON in the last. */
const allowedAttributes = [0, 0, 0, 0xd0, 0, 0, 0, 0x80]

/**
 * Attributes are no part of the image hash, so a debug machine of an allowed image would pass without this (Intel TDX module, TD_ATTRIBUTES).
 * The migration service could move the machine elsewhere: there must be none.
 */
function checkAttributes({ tdAttributes, mrServiceTd }: TdxBody): void {
  if (tdAttributes[0] !== 0) throw new AttestationError('quote-debug', 'The machine of the peer can be looked into by its host')
  const areKnown = tdAttributes.every((byte, i) => (byte & ~(allowedAttributes[i] ?? 0)) === 0)
  if (!areKnown || ((tdAttributes[3] ?? 0) & septVeDisable) === 0)
    throw new AttestationError('quote-attributes-not-allowed', 'The machine of the peer runs with attributes that weaken it')
  if (mrServiceTd?.some((byte) => byte !== 0))
    throw new AttestationError('quote-attributes-not-allowed', 'The machine of the peer can be moved by a service')
}
