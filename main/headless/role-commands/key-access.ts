import type { RouterAddress } from '../../protocol/wire/dial-via.ts'
import type { PolicyName } from '../../roles/attesting.ts'
import type { KeyManagerAccess } from '../../roles/network-keys.ts'
import { hostAndPort } from './arguments.ts'
import { policyOf } from './common.ts'

export interface KeyAccessValues {
  readonly 'key-manager'?: string | undefined
  readonly 'key-manager-policy'?: string | undefined
  readonly 'key-manager-via'?: string | undefined
}

/**
 * How the role comes to the private keys of its network.
 * @param like how it treats its other peers, where nothing else is said
 * @throws UsageError
 */
export function readKeyAccess(
  values: KeyAccessValues,
  like: { readonly policy: PolicyName; readonly via?: RouterAddress },
): KeyManagerAccess {
  const { 'key-manager': address, 'key-manager-policy': policy, 'key-manager-via': via } = values
  return {
    ...like,
    ...(address === undefined ? {} : { address: hostAndPort('key-manager', address) }),
    ...(policy === undefined ? {} : { policy: policyOf('key-manager-policy', policy) }),
    ...(via === undefined ? {} : { via: hostAndPort('key-manager-via', via) }),
  }
}
