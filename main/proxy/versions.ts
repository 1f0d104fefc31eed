import { keysSince, newestVersion, type VersionRange } from '../protocol/handshake/versions.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'

/** Protocol versions that a proxy speaks unless it is told otherwise (protocol 00 §6, 95 §2). */
export const ownVersions: VersionRange = { least: 0, most: newestVersion }

/** A range as peers write it. */
export interface OfferedVersions {
  readonly min_proto_version?: number | undefined
  readonly max_proto_version?: number | undefined
}

/**
 * The version used on a connection: the smaller of the two maxima (50 §2). A peer that names no range speaks version 0.
 * Throws `Refusal` 621 when the ranges do not overlap.
 */
export function negotiateVersion(peer: OfferedVersions, own: VersionRange): number {
  const min = peer.min_proto_version ?? 0
  const max = peer.max_proto_version ?? 0
  const version = Math.min(max, own.most)
  if (min > max || version < min || version < own.least) {
    throw new Refusal(peerErrorCodes.protocolViolation, 'cannot choose common protocol version', true)
  }
  return version
}

/**
 * Whether a client of that version is told the proxy's own errors as `client.queryAnswerErrorEx` with final info. Proxies of newer revisions do
 * that for every version that has the message (95 §2): older clients wait for ever after the older shape (30 §7.3). One that speaks no version
 * above 2 is told to behave as those that were recorded, which use the older shape for all.
 */
export function errorsAreExtended(version: number, own: VersionRange): boolean {
  return version >= 1 && own.most >= keysSince
}
