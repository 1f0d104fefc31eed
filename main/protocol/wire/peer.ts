import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { noImageHash } from '../attestation/image-hash.ts'
import type { Policy } from '../attestation/policy.ts'
import { verifyPeerCertificate } from '../attestation/verify.ts'
import type { PacketConnection } from './connection.ts'

/** Who is at the other end. */
export interface Peer {
  /** 32 bytes; zeros when the policy asks for no attestation. */
  readonly imageHash: Uint8Array
  /** Ed25519 key of the certificate, 32 bytes; undefined on plain connections. */
  readonly publicKey: Uint8Array | undefined
  /** `ip:port`, IPv6 in brackets. */
  readonly address: string
}

/** A connection whose peer passed the policy. Nothing is read from it before `connection.start`. */
export interface PeerConnection {
  readonly connection: PacketConnection
  readonly peer: Peer
}

export function plainPeer(socket: Socket): Peer {
  return { imageHash: noImageHash, publicKey: undefined, address: remoteAddress(socket) }
}

/** @throws AttestationError */
export function verifiedPeer(socket: TLSSocket, part: 'client' | 'server', policy: Policy): Peer {
  const { imageHash, publicKey } = verifyPeerCertificate(socket.getPeerX509Certificate()?.raw, { peer: part, policy })
  return { imageHash, publicKey, address: remoteAddress(socket) }
}

function remoteAddress({ remoteAddress: ip = '?', remotePort: port = 0 }: Socket): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}
