import { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { ChildEntries } from '../child-entries.ts'
import { type Dial, type DialerOptions, openDialer } from '../core/dialer.ts'
import { openViaDialer } from '../core/via-dialer.ts'
import { fakeQuote } from '../protocol/attestation/fake-tdx.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { RouterAddress } from '../protocol/wire/dial-via.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { RoleNetwork } from './open-network.ts'

/** What every role is started with. */
export interface RoleOptions {
  readonly network: RoleNetwork
  readonly dataDir: string
  /** Another place for the key file. */
  readonly keyFile?: string
  /** May take everything out of the role's wallet; receives a worker's payouts and a proxy's commission. */
  readonly owner?: Address
  readonly entries: ChildEntries
  readonly logger: Logger
  /** Gives up the start. */
  readonly signal: AbortSignal
}

export type PolicyName = Policy['kind']
export const policyNames: readonly PolicyName[] = ['any', 'fake_tdx']

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
  entries,
  network,
}: Pick<RoleOptions, 'entries' | 'network'> & { readonly policy: PolicyName; readonly proxyVia?: RouterAddress }): Dial {
  const options = dialerOptions(policy, () => network.root.value)
  return proxyVia === undefined ? openDialer(entries.powThread, options) : openViaDialer(proxyVia, options)
}

/** How a client or worker looks at the proxies that it dials, and what it shows of itself (protocol 10 §8). */
export function dialerOptions(policy: PolicyName, root: () => RootConfig | null): DialerOptions {
  if (policy === 'any') return {}
  return {
    policy: { kind: policy },
    // A fake quote is what a peer of a test network expects in return (protocol 10 §10).
    quote: fakeQuote,
    check: ({ imageHash }) => {
      const hex = Buffer.from(imageHash).toString('hex')
      if (root()?.proxyHashes.has(hex)) return
      throw new Failure('image-not-listed', `The network contract does not list the software of this proxy (${hex}).`, {
        advice: 'Do not trust this proxy with your words, or allow every proxy with --policy any.',
      })
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
