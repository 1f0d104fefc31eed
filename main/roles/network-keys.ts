import type { NetAddress } from '../../contracts/net-address.ts'
import { type Dial, openDialer } from '../core/dialer.ts'
import { openViaDialer } from '../core/via-dialer.ts'
import type { KeyHolder } from '../keys/key-messages.ts'
import { KeySource } from '../keys/key-source.ts'
import type { RouterAddress } from '../protocol/wire/dial-via.ts'
import { type AttestingOptions, type PolicyName, policyNamedOf } from './attesting.ts'
import { type RoleOptions, standingOptions } from './role-options.ts'

/** How a proxy or worker comes to the private keys of its network (protocol 95 §4). */
export interface KeyManagerAccess {
  /** Where the key manager is; where the network contract says, unless given. */
  readonly address?: NetAddress
  /** What it must prove. */
  readonly policy: PolicyName
  /** A router on this computer by which it is reached. */
  readonly via?: RouterAddress
  /** How it is reached in place of proof of work and TLS. */
  readonly dial?: Dial
}

/** The keys of the role's network, not started yet. They come only from the image that the network contract names, unless the policy is `any`. */
export function openKeySource(
  holder: KeyHolder,
  { address, policy, via, dial }: KeyManagerAccess,
  role: Pick<RoleOptions, 'network' | 'entries' | 'dataDir' | 'pccs' | 'roots' | 'hardware' | 'logger'> &
    Pick<AttestingOptions, 'quotes'>,
): KeySource {
  const { network, entries, hardware, logger } = role
  const options = standingOptions(policyNamedOf(policy, role), network.root, 'key manager', { hardware })
  return new KeySource({
    holder,
    root: network.root,
    ...(address === undefined ? {} : { address }),
    dial: dial ?? (via === undefined ? openDialer(entries.powThread, options) : openViaDialer(via, options)),
    dialChecksImageHash: policy !== 'any',
    logger: logger.room('keys'),
  })
}
