import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'

/** Protocol versions this proxy speaks, protocol/00-overview §6. */
export const ownVersions = { min: 0, max: 2 } as const

export interface VersionRange {
  readonly min_proto_version?: number | undefined
  readonly max_proto_version?: number | undefined
}

/**
 * The version used on a connection: the smaller of the two maxima (50 §2). A peer that names no range speaks version 0.
 * Throws `Refusal` 621 when the ranges do not overlap.
 */
export function negotiateVersion(peer: VersionRange): number {
  const min = peer.min_proto_version ?? 0
  const max = peer.max_proto_version ?? 0
  const version = Math.min(max, ownVersions.max)
  if (min > max || version < min || version < ownVersions.min) {
    throw new Refusal(peerErrorCodes.protocolViolation, 'cannot choose common protocol version', true)
  }
  return version
}
