import type { Address } from '@ton/core'
import type { RootState } from '../../contracts/root.ts'
import type { Logger } from '../base/logger.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Account, AccountKind } from './account.ts'
import { type ProxyIdentity, peerContract, wireAddress } from './addresses.ts'
import type { Exchange } from './exchange.ts'
import type { Ledger } from './ledger.ts'
import type { Nonces } from './nonces.ts'
import type { PaymentDesk } from './payment-desk.ts'

/** What inbound connections need of one instance of the proxy (one proxy contract). */
export interface Office {
  readonly identity: ProxyIdentity
  /** The proxy contract. */
  readonly contract: Address
  readonly ledger: Ledger
  readonly desk: PaymentDesk
  readonly exchange: Exchange
  readonly nonces: Nonces
  readonly root: () => RootState
  readonly versions: VersionRange
  /** Whether sealed queries are passed on. */
  readonly sealedQueries: boolean
  readonly checkHashes: boolean
  readonly listedModelsOnly: boolean
  /** No blockchain (60 §10): every client is known and rich, long authorization always succeeds. */
  readonly pseudo: boolean
  readonly testnet: boolean
  readonly logger: Logger
  readonly now: () => number
}

/** The wire form of an address on this proxy's network. */
export function textOf(office: Office, address: Address): string {
  return wireAddress(address, office.testnet)
}

export function contractOf(office: Office, kind: AccountKind, owner: Address): Address {
  return peerContract(office.identity, office.contract, kind, owner).address
}

/** Whether a peer and this proxy have agreed on sealed queries; version 0 has no messages for their answers. */
export function agreeOnSealing(office: Pick<Office, 'sealedQueries'>, peer: { version: number; flags: number }): boolean {
  return office.sealedQueries && peer.version >= 1 && (peer.flags & sealedExtensionFlag) !== 0
}

/** `proxy.params` for a peer: bit 1 with a version above 0 (50 §2.1), the bits of extensions for peers that announced them. */
export function proxyParams(office: Office, peer: { version: number; flags: number }): TlObject<'proxy.params'> {
  const shared = {
    '@type': 'proxy.params' as const,
    proxy_public_key: office.identity.publicKey,
    proxy_owner_address: textOf(office, office.identity.owner),
    proxy_sc_address: textOf(office, office.contract),
    is_test: office.identity.params.isTest,
  }
  const extensions = (peer.flags & cancelExtensionFlag) | (agreeOnSealing(office, peer) ? sealedExtensionFlag : 0)
  if (peer.version === 0) return { ...shared, flags: 1 | extensions }
  return { ...shared, flags: 3 | extensions, proto_version: peer.version }
}

/**
 * Signed payment and totals of an account, all of it on disk when this returns. While the disk refuses, what it holds is told, which is
 * what was told before: peers keep their connections and learn the rest when there is room again.
 */
export function standing(office: Office, account: Account) {
  let { max } = account
  try {
    // Also when nothing is new: what waits to be told is lower, and has to be told before.
    office.desk.commitNow()
  } catch {
    // The desk has reported it. A count that could be lost is no word to give.
    max = account.db
  }
  return { signed_payment: office.desk.signed(account), db: account.db, max }
}
