import { AttestationError } from './attestation-error.ts'
import type { Attested } from './policy.ts'

/** The lists of a network contract as they were read, and from where. */
export interface RootListing {
  /** Image hashes in lower-case hex. */
  readonly proxyHashes: ReadonlySet<string>
  readonly workerHashes: ReadonlySet<string>
  /** Of newer networks: the one image of the key manager (95 §3); zeros stand for none. */
  readonly keyManagerHash?: string
  /** Text of the contract's address. */
  readonly address: string
  /** When this computer read it, Unix ms. */
  readonly readAtMs: number
  /** The block that it was read at, when the endpoint told. */
  readonly block: { readonly seqno: number; readonly timeMs: number } | undefined
  /** The HTTP endpoints that were asked, each of which gave this answer. */
  readonly endpoints: readonly string[]
  /** Two endpoints that tell different things of the contract since then: nothing is listed for sure. */
  readonly disputed?: { readonly first: string; readonly other: string }
}

/** That the network contract lists an image. What the endpoints say was believed: no block proof was checked. */
export interface RootMembership {
  readonly list: (typeof lists)[MembershipRules['part']]
  /** In hex. */
  readonly imageHash: string
  readonly root: string
  readonly block: RootListing['block']
  readonly readAtMs: number
  /** Since the block, or since the reading when the endpoint told no block. */
  readonly ageMs: number
  readonly endpoints: readonly string[]
  readonly blockProof: 'not-checked'
}

export interface MembershipRules {
  readonly part: 'proxy' | 'worker' | 'key manager'
  readonly nowMs: number
  /** Older readings are refused; ten minutes. */
  readonly mostAgeMs?: number
  /** How far the clock of blocks may be ahead of this computer's; a minute. */
  readonly mostAheadMs?: number
}

const lists = { proxy: 'proxy_hashes', worker: 'worker_hashes', 'key manager': 'key_manager_image_hash' } as const

/**
 * Compares an image hash with the lists of the network contract (10 §8: the policy of TLS alone does not decide whether a peer is genuine).
 * @throws AttestationError `image-not-attested` (no hash at all), `root-disputed`, `root-too-old`, `root-from-the-future`, `image-not-listed`
 */
export function checkRootMembership(
  { imageHash }: Pick<Attested, 'imageHash'>,
  listing: RootListing | null,
  { part, nowMs, mostAgeMs = 600_000, mostAheadMs = 60_000 }: MembershipRules,
): RootMembership {
  const hash = Buffer.from(imageHash).toString('hex')
  if (listing === null) throw notListed(part, hash)
  if (/^0*$/.test(hash)) throw new AttestationError('image-not-attested', `This ${part} does not say what software it runs.`)
  if (listing.disputed !== undefined) {
    const { first, other } = listing.disputed
    throw new AttestationError(
      'root-disputed',
      `The endpoints ${first} and ${other} tell different things about the network contract.`,
      { values: { first, other }, retryable: true },
    )
  }
  const ageMs = nowMs - (listing.block?.timeMs ?? listing.readAtMs)
  if (ageMs > mostAgeMs)
    throw new AttestationError('root-too-old', `The network contract was read ${Math.round(ageMs / 60_000)} minutes ago`, {
      advice: 'Check the connection to the blockchain.',
      retryable: true,
    })
  if (ageMs < -mostAheadMs)
    throw new AttestationError('root-from-the-future', 'The network contract is from the future; is this computer’s clock right?')
  if (!isListed(listing, part, hash)) throw notListed(part, hash)
  const { block, readAtMs, endpoints, address: root } = listing
  return { list: lists[part], imageHash: hash, root, block, readAtMs, ageMs, endpoints, blockProof: 'not-checked' }
}

function isListed(
  { proxyHashes, workerHashes, keyManagerHash }: RootListing,
  part: MembershipRules['part'],
  hash: string,
): boolean {
  if (part === 'key manager') return hash === keyManagerHash
  return (part === 'proxy' ? proxyHashes : workerHashes).has(hash)
}

function notListed(part: MembershipRules['part'], hash: string): AttestationError {
  return new AttestationError('image-not-listed', `The network contract does not list the software of this ${part} (${hash}).`)
}
