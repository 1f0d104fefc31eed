import { createHash } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { readFakeQuote } from './fake-tdx.ts'
import { imageHash, measurementBytes, noImageHash, type TdxMeasurements } from './image-hash.ts'

/** What a peer must prove about itself (10 §8). A list that is left out allows everything; an empty one nothing. */
export type Policy =
  /** Any Ed25519 key. A quote is ignored, so a list of image hashes can never be met. */
  | { readonly kind: 'any'; readonly imageHashes?: readonly Uint8Array[] }
  /** A fake quote for this key: shows that the layers work, and nothing about the machine. */
  | ({ readonly kind: 'fake_tdx' } & MeasurementLists)

export interface MeasurementLists {
  readonly mrTds?: readonly Uint8Array[]
  readonly rtmrSets?: readonly (readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array])[]
  readonly imageHashes?: readonly Uint8Array[]
  readonly collateralRootHashes?: readonly Uint8Array[]
}

export interface Attested {
  /** 32 bytes; zeros without attestation. */
  readonly imageHash: Uint8Array
  readonly attestation: 'none' | 'fake_tdx'
}

/**
 * Judges the quote of the certificate of `publicKey`, in the order of 10 §8.
 * @throws AttestationError
 */
export function checkPolicy(policy: Policy, publicKey: Uint8Array, quote: Uint8Array | undefined): Attested {
  switch (policy.kind) {
    case 'any':
      if (policy.imageHashes !== undefined)
        throw new AttestationError('measurement-not-allowed', 'The policy lists image hashes but asks for no attestation')
      return { imageHash: noImageHash, attestation: 'none' }
    case 'fake_tdx': {
      if (quote === undefined) throw new AttestationError('quote-missing', 'The peer shows no attestation')
      const measured = readFakeQuote(quote)
      // A fake quote has no collateral.
      return {
        imageHash: checkMeasurements(policy, publicKey, measured, new Uint8Array(measurementBytes)),
        attestation: 'fake_tdx',
      }
    }
  }
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
