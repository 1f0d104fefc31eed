import { createHash } from 'node:crypto'

/** What Intel publishes for the verification of a quote, as it was received: signed by Intel, so it does not matter by whom it came. */
export interface Collateral {
  /** The signed JSON itself. */
  readonly tcbInfo: string
  /** r and s in hex. */
  readonly tcbInfoSignature: string
  /** PEM. */
  readonly tcbInfoChain: string
  readonly qeIdentity: string
  readonly qeIdentitySignature: string
  readonly qeIdentityChain: string
  /** DER, from the root authority. */
  readonly rootCrl: Uint8Array
  /** DER, from the authority that signed the platform's certificate. */
  readonly pckCrl: Uint8Array
}

/** Tells one collateral from another, in hex. */
export function collateralDigest(collateral: Collateral): string {
  const hash = createHash('sha256')
  for (const part of [
    collateral.tcbInfo,
    collateral.tcbInfoSignature,
    collateral.tcbInfoChain,
    collateral.qeIdentity,
    collateral.qeIdentitySignature,
    collateral.qeIdentityChain,
    collateral.rootCrl,
    collateral.pckCrl,
  ]) {
    const bytes = Buffer.from(part)
    hash.update(`${bytes.length}:`).update(bytes)
  }
  return hash.digest('hex')
}
