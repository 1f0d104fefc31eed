import type { Address } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { parseSigned, refuseSigned } from '../../contracts/signed.ts'
import type { Logger } from '../base/logger.ts'
import type { AccountKind } from './account.ts'
import { type ProxyIdentity, peerContract } from './addresses.ts'
import type { Ledger } from './ledger.ts'

/** What a client's or worker's book holds of the word of this proxy. */
export interface KeptWord {
  readonly kind: AccountKind
  readonly owner: Address
  /** The client or worker contract that it was given for. */
  readonly contract: Address
  /** Body of the newest payment that this proxy signed for it; null when there is none. */
  readonly signedBoc: Uint8Array | null
  /** Adjusted tokens in total that the proxy told. Believed as it is: such books are those of the proxy's own computer. */
  readonly toldTokens: bigint
}

const mostTokens = (1n << 63n) - 1n

/**
 * Brings the ledger of one proxy contract up to what this proxy has signed and told, when its own book was lost or is an older copy. A
 * signature of our own proves that so much was final once; it is no new promise to stand by it. Words for other contracts, or signed by
 * somebody else, are left alone. Durable when it returns. Throws `Failure` of the storage.
 * @returns how many accounts were raised
 */
export function recover(
  words: readonly KeptWord[],
  to: { readonly ledger: Ledger; readonly identity: ProxyIdentity; readonly contract: Address; readonly logger: Logger },
): number {
  const { ledger, identity, contract, logger } = to
  let raised = 0
  for (const { kind, owner, contract: named, signedBoc, toldTokens } of words) {
    const { address } = peerContract(identity, contract, kind, owner)
    if (!address.equals(named)) continue
    const final = signedBoc === null ? 0n : signedTokens(signedBoc, kind, address, identity.publicKey)
    if (final === undefined) logger.warn('a payment in a book of this computer is not signed by this proxy', { kind })
    const proven = final ?? 0n
    const total = proven > toldTokens ? proven : toldTokens
    const known = ledger.find(kind, owner)
    if (total > mostTokens || (total <= (known?.max ?? 0n) && proven <= (known?.chain ?? 0n))) continue
    ledger.restore(ledger.open(kind, owner, address), { total, final: proven })
    logger.warn('an account was brought up to what this proxy had signed and told', { kind, total, final: proven })
    raised += 1
  }
  return raised
}

function signedTokens(boc: Uint8Array, kind: AccountKind, contract: Address, publicKey: Uint8Array): bigint | undefined {
  try {
    const message = parseSigned(boc)
    const kinds = [kind === 'client' ? ('client-charge' as const) : ('worker-payout' as const)]
    return refuseSigned(message, { kinds, contract, publicKey }) === null ? message.payload.tokens : undefined
  } catch (thrown) {
    if (thrown instanceof LayoutError) return undefined
    throw thrown
  }
}
