import { createHash } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { readFakeQuote } from './fake-tdx.ts'
import { imageHash, measurementBytes, noImageHash, reportDataBytes, type TdxMeasurements } from './image-hash.ts'
import type { QuoteJudge } from './quote-verifier.ts'
import type { VerifiedQuote } from './verify-quote.ts'

/** What a peer must prove about itself (10 §8). A list that is left out allows everything; an empty one nothing. */
export type Policy =
  /** Any Ed25519 key. A quote is ignored, so a list of image hashes can never be met. */
  | { readonly kind: 'any'; readonly imageHashes?: readonly Uint8Array[] }
  /**
   * A fake quote for this key: shows that the layers work, and nothing about the machine. With `quotes` a real one will do too, which is verified
   * as for `tdx` (95 §6).
   */
  | ({ readonly kind: 'fake_tdx'; readonly quotes?: QuoteJudge } & MeasurementLists)
  /** A real TDX quote for this key, verified in full up to the roots that `quotes` trusts. */
  | ({ readonly kind: 'tdx'; readonly quotes: QuoteJudge } & MeasurementLists)

export interface MeasurementLists {
  readonly mrTds?: readonly Uint8Array[]
  readonly rtmrSets?: readonly (readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array])[]
  readonly imageHashes?: readonly Uint8Array[]
  readonly collateralRootHashes?: readonly Uint8Array[]
}

/** What a peer's certificate holds to prove something with. */
export interface Evidence {
  /** Of the extension of 10 §7.1. */
  readonly quote: Uint8Array | undefined
  /** Whether there is evidence of AMD SEV-SNP (95 §6). */
  readonly hasSevSnp: boolean
}

export type Attested =
  /** The image hash has 32 bytes; zeros without attestation. */
  | { readonly attestation: 'none' | 'fake_tdx'; readonly imageHash: Uint8Array }
  | { readonly attestation: 'tdx'; readonly imageHash: Uint8Array; readonly quote: VerifiedQuote }

/**
 * Judges what the certificate of `publicKey` holds, in the order of 10 §8.
 * @throws AttestationError
 */
export async function checkPolicy(policy: Policy, publicKey: Uint8Array, { quote, hasSevSnp }: Evidence): Promise<Attested> {
  if (policy.kind === 'any') {
    if (policy.imageHashes !== undefined)
      throw new AttestationError('measurement-not-allowed', 'The policy lists image hashes but asks for no attestation')
    return { imageHash: noImageHash, attestation: 'none' }
  }
  if (hasSevSnp)
    throw new AttestationError('sev-snp-not-verifiable', 'The peer attests with AMD SEV-SNP, which cannot be verified here')
  if (quote === undefined) throw new AttestationError('quote-missing', 'The peer shows no attestation')
  const { quotes } = policy
  if (quotes === undefined || (policy.kind === 'fake_tdx' && quote.length === reportDataBytes)) {
    // A fake quote has no collateral.
    const none = new Uint8Array(measurementBytes)
    return { imageHash: checkMeasurements(policy, publicKey, readFakeQuote(quote), none), attestation: 'fake_tdx' }
  }
  const verified = await quotes.verify(quote)
  const hash = checkMeasurements(policy, publicKey, verified.body.measured, verified.rootKeyHash)
  return { imageHash: hash, attestation: 'tdx', quote: verified }
}

function checkMeasurements(
  lists: MeasurementLists,
  publicKey: Uint8Array,
  measured: TdxMeasurements,
  collateralRootHash: Uint8Array,
): Uint8Array {
  if (!sameBytes(measured.reportData, createHash('sha512').update(publicKey).digest()))
    throw new AttestationError('quote-not-for-this-key', 'The attestation of the peer belongs to another key')
  requireListed('MRTD', measured.mrTd, lists.mrTds)
  if (lists.rtmrSets && !lists.rtmrSets.some((set) => set.every((rtmr, i) => sameBytes(rtmr, measured.rtmrs[i]))))
    throw new AttestationError('measurement-not-allowed', 'The RTMRs of the peer are not among the allowed sets')
  const hash = imageHash(measured)
  requireListed('image hash', hash, lists.imageHashes)
  requireListed('collateral root hash', collateralRootHash, lists.collateralRootHashes)
  return hash
}

function requireListed(what: string, value: Uint8Array, list: readonly Uint8Array[] | undefined): void {
  if (list && !list.some((allowed) => sameBytes(allowed, value)))
    throw new AttestationError(
      'measurement-not-allowed',
      `The ${what} ${Buffer.from(value).toString('hex')} of the peer is not allowed`,
    )
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0
}
