import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { noImageHash } from '../attestation/image-hash.ts'
import type { Policy } from '../attestation/policy.ts'
import { type VerifiedPeer, verifyPeerCertificate } from '../attestation/verify.ts'
import type { VerifiedQuote } from '../attestation/verify-quote.ts'
import type { PacketConnection } from './connection.ts'
import { type PeerInfo, remoteImageHash } from './peer-info.ts'
import { WireError } from './wire-error.ts'

/** Who is at the other end. */
export interface Peer {
  /** 32 bytes; zeros when the policy asks for no attestation. */
  readonly imageHash: Uint8Array
  /** Ed25519 key of the certificate, 32 bytes; undefined on plain connections. */
  readonly publicKey: Uint8Array | undefined
  /** `ip:port`, IPv6 in brackets. */
  readonly address: string
  /** What was established about its machine, where this side asked for a real quote. */
  readonly quote?: VerifiedQuote
}

/** A peer whose certificate was checked here. */
export type SecurePeer = Peer & VerifiedPeer

/** A connection whose peer passed the policy. Nothing is read from it before `connection.start`. */
export interface PeerConnection {
  readonly connection: PacketConnection
  readonly peer: Peer
}

export function plainPeer(socket: Socket): Peer {
  return { imageHash: noImageHash, publicKey: undefined, address: remoteAddress(socket) }
}

/** The peer of which a router told; `address` is where it lives, not where the router does. */
export function peerBehindRouter(info: PeerInfo, address: string): Peer {
  return { imageHash: remoteImageHash(info), publicKey: info.publicKey, address }
}

/**
 * Checks the certificate of the other end, which may take a look at the network when a real quote is asked for.
 * @throws AttestationError; WireError `connection-lost` when the other end has gone meanwhile
 */
export async function verifiedPeer(
  socket: TLSSocket,
  part: 'client' | 'server',
  policy: Policy,
  nowMs: number,
): Promise<SecurePeer> {
  const inTls = socket.getPeerX509Certificate()
  const address = remoteAddress(socket)
  const verified = await verifyPeerCertificate(inTls?.raw, { peer: part, policy, nowMs, inTls })
  if (socket.destroyed) throw new WireError('connection-lost', 'The peer has gone', { retryable: true })
  return { ...verified, address }
}

/** `ip:port`, IPv6 in brackets. */
export function addressText(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function remoteAddress({ remoteAddress: ip = '?', remotePort: port = 0 }: Socket): string {
  return addressText(ip, port)
}
