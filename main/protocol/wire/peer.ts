import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { noImageHash } from '../attestation/image-hash.ts'
import type { Policy } from '../attestation/policy.ts'
import { type VerifiedPeer, verifyPeerCertificate } from '../attestation/verify.ts'
import type { PacketConnection } from './connection.ts'
import { type PeerInfo, remoteImageHash } from './peer-info.ts'

/** Who is at the other end. */
export interface Peer {
  /** 32 bytes; zeros when the policy asks for no attestation. */
  readonly imageHash: Uint8Array
  /** Ed25519 key of the certificate, 32 bytes; undefined on plain connections. */
  readonly publicKey: Uint8Array | undefined
  /** `ip:port`, IPv6 in brackets. */
  readonly address: string
}

/** A peer whose certificate was checked here. */
export interface SecurePeer extends Peer, VerifiedPeer {
  readonly publicKey: Uint8Array
}

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

/** @throws AttestationError */
export function verifiedPeer(socket: TLSSocket, part: 'client' | 'server', policy: Policy, nowMs: number): SecurePeer {
  const inTls = socket.getPeerX509Certificate()
  const verified = verifyPeerCertificate(inTls?.raw, { peer: part, policy, nowMs, inTls })
  return { ...verified, address: remoteAddress(socket) }
}

/** `ip:port`, IPv6 in brackets. */
export function addressText(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function remoteAddress({ remoteAddress: ip = '?', remotePort: port = 0 }: Socket): string {
  return addressText(ip, port)
}
