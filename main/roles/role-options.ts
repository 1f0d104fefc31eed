import { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { ChildEntries } from '../child-entries.ts'
import { type Dial, type DialerOptions, openDialer } from '../core/dialer.ts'
import { openViaDialer } from '../core/via-dialer.ts'
import type { TrustedRoots } from '../protocol/attestation/intel-chain.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { checkRootMembership, type MembershipRules } from '../protocol/attestation/root-membership.ts'
import type { RouterAddress } from '../protocol/wire/dial-via.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { type AttestingOptions, type Machine, ownQuote, type PolicyName, policyNamedOf } from './attesting.ts'
import type { RoleNetwork } from './open-network.ts'
import { listingOf, mostAgeOf } from './root-listing.ts'
import { StandingPeers } from './standing-peers.ts'

/** What every role is started with. */
export interface RoleOptions {
  readonly network: RoleNetwork
  readonly dataDir: string
  /** Another place for the key file. */
  readonly keyFile?: string
  /** May take everything out of the role's wallet; receives a worker's payouts and a proxy's commission. */
  readonly owner?: Address
  readonly entries: ChildEntries
  /** Base address of a collateral service, for the policy `tdx`; Intel's, unless given. */
  readonly pccs?: string
  /** Root keys that quotes have to hold up to: `intelRoots` in all that ships. */
  readonly roots: TrustedRoots
  /** Where the role runs; as the kernel says, unless given. */
  readonly hardware?: Machine
  readonly logger: Logger
  /** Gives up the start. */
  readonly signal: AbortSignal
}

/**
 * The owner given, else the network's where there is no money.
 * @throws Failure `owner-missing`, `network-unknown`
 */
export function ownerOf({ owner, network }: RoleOptions): Address {
  if (owner !== undefined) return owner
  if (network.chain !== undefined)
    throw new Failure('owner-missing', 'Whose the money is has to be said with --owner <address>.', {
      advice: 'Give the address of a wallet of yours: it can take back what the role holds, and receives what it earns.',
    })
  const root = network.root.value
  if (root === null) throw new Failure('network-unknown', 'The network has not been read.')
  return root.owner
}

/** @throws Failure `root-not-read` when `signal` aborts before the network contract was read */
export async function firstRoot({ network, signal }: RoleOptions): Promise<RootConfig> {
  for await (const root of network.root.values(signal)) if (root !== null) return root
  throw new Failure('root-not-read', 'The role was stopped before the network contract was read.', { retryable: true })
}

/** How a role reaches proxies: with its own proof of work and TLS, or through a router that does both. */
export function proxyDialer({
  policy,
  proxyVia,
  see,
  entries,
  network,
  hardware,
  ...attesting
}: Pick<RoleOptions, 'entries' | 'network' | 'hardware'> &
  AttestingOptions & {
    readonly policy: PolicyName
    readonly proxyVia?: RouterAddress
    /** Looks at every proxy that passed, a throw refuses it, and leaves it when it passes no more; by `StandingPeers`, unless given. */
    readonly see?: NonNullable<DialerOptions['check']>
  }): Dial {
  const options = standingOptions(policyNamedOf(policy, attesting), network.root, 'proxy', { hardware, see })
  return proxyVia === undefined ? openDialer(entries.powThread, options) : openViaDialer(proxyVia, options)
}

/** As `dialerOptions`, and peers are left when they pass no more: by `see`, or by `StandingPeers`. */
export function standingOptions(
  policy: Policy,
  root: RoleNetwork['root'],
  part: MembershipRules['part'],
  { hardware, see }: { readonly hardware?: Machine | undefined; readonly see?: DialerOptions['check'] } = {},
): DialerOptions {
  const { check, ...rest } = dialerOptions(policy, () => root.value, part, hardware)
  const look = see ?? (policy.kind === 'any' ? undefined : new StandingPeers(root, policy.quotes, part).see)
  return {
    ...rest,
    check: (peer, connection) => {
      check?.(peer)
      look?.(peer, connection)
    },
  }
}

/** How a role looks at the peers of that part that it dials, and what it shows of itself (protocol 10 §8). */
export function dialerOptions(
  policy: Policy,
  root: () => RootConfig | null,
  part: MembershipRules['part'] = 'proxy',
  hardware?: Machine,
): DialerOptions & { readonly check?: (peer: Peer) => void } {
  if (policy.kind === 'any') return {}
  const quote = ownQuote(policy.kind, hardware)
  return {
    policy,
    ...(quote && { quote }),
    check: (peer) => {
      const config = root()
      checkRootMembership(peer, config && listingOf(config), { part, nowMs: Date.now(), ...mostAgeOf(config) })
    },
  }
}

/** @throws Failure `address-invalid` */
export function parseOwner(text: string): Address {
  try {
    return Address.parse(text)
  } catch (cause) {
    throw new Failure('address-invalid', `${text} is no TON address.`, { cause })
  }
}
