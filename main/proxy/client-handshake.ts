import { createHash, timingSafeEqual } from 'node:crypto'
import type { Address } from '@ton/core'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'
import { negotiateVersion } from './versions.ts'

/** Fields of wire type `client.params` that the handshake reads. */
export interface ClientParams {
  readonly flags: number
  readonly client_owner_address: string
  readonly is_test?: boolean | undefined
  readonly min_proto_version?: number | undefined
  readonly max_proto_version?: number | undefined
}

export interface ClientRules {
  readonly isTest: boolean
  /** Version of the root contract's state that the proxy works with. */
  readonly rootVersion: number
  readonly parseAddress: (text: string) => Address
  readonly versions: VersionRange
}

export interface ClientProfile {
  readonly owner: Address
  readonly version: number
  readonly flags: number
}

export type ClientStage = 'connect' | 'auth' | 'ready'
export type ClientQuery = 'client.connectToProxy' | 'client.authorizeWithProxyShort' | 'client.authorizeWithProxyLong'

/**
 * The stage that `query` leads to when it succeeds, or a `Refusal` that closes the connection (50 §2.2). Checks the order
 * only; the caller decides if the authorization itself holds.
 */
export function nextClientStage(stage: ClientStage, query: ClientQuery): ClientStage {
  if (stage === 'ready') throw new Refusal(peerErrorCodes.none, 'already authorized', true)
  if (stage === 'connect') {
    if (query === 'client.connectToProxy') return 'auth'
    throw new Refusal(peerErrorCodes.none, 'Wrong constructor found at 4', true)
  }
  if (query === 'client.connectToProxy') throw new Refusal(peerErrorCodes.none, 'expected auth message', true)
  return 'ready'
}

/** Checks of `client.connectToProxy`, in the order and with the codes of 50 §2.2. The caller still has to ask if the client is closing. */
export function acceptClient(params: ClientParams, minConfigVersion: number, rules: ClientRules): ClientProfile {
  if ((params.flags & 1) === 0) throw new Refusal(peerErrorCodes.error, 'too old client', true)
  if (params.is_test !== rules.isTest) throw new Refusal(peerErrorCodes.error, 'test mode mismatch', true)
  const owner = rules.parseAddress(params.client_owner_address)
  if (minConfigVersion > rules.rootVersion) throw new Refusal(peerErrorCodes.error, 'active config version is too low', true)
  return { owner, version: negotiateVersion(params, rules.versions), flags: params.flags }
}

/** True when SHA-256 of the secret is the hash stored in the client contract; compared in constant time. */
export function secretMatches(secret: Uint8Array, hash: Uint8Array): boolean {
  const digest = createHash('sha256').update(secret).digest()
  return hash.length === digest.length && timingSafeEqual(digest, hash)
}
