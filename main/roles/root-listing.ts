import type { MembershipRules, RootListing } from '../protocol/attestation/root-membership.ts'
import { agreedEndpoints } from '../ton/root-agreement.ts'
import type { RootConfig } from '../ton/root-config.ts'

/** Without a chain the lists are a file's: they have no age. */
export const mostAgeOf = (root: RootConfig | null): Pick<MembershipRules, 'mostAgeMs'> =>
  root?.source === undefined ? { mostAgeMs: Number.POSITIVE_INFINITY } : {}

/** What a listing is made of. */
export type ListingSource = Pick<
  RootConfig,
  'proxyHashes' | 'workerHashes' | 'keyManager' | 'address' | 'readAtMs' | 'source' | 'disputed'
>

/** The lists of a network contract, as they were read. */
export function listingOf(root: ListingSource): RootListing {
  const { proxyHashes, workerHashes, keyManager, address, readAtMs, source, disputed } = root
  return {
    proxyHashes,
    workerHashes,
    ...(keyManager === null ? {} : { keyManagerHash: keyManager.imageHash }),
    address: address.toString(),
    readAtMs,
    block: source?.block,
    endpoints: agreedEndpoints(root),
    ...(disputed && { disputed }),
  }
}
