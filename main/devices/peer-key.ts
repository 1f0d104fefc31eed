import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { Identity } from '../protocol/attestation/certificate.ts'
import { tlsProfile } from '../protocol/wire/tls-profile.ts'
import { deviceFailure } from './device-failure.ts'

/** What a connection is for (docs/device-link.md §2). */
export const linkProtocol = 'cocoon-device/1'
export const pairingProtocol = 'cocoon-pair/1'

/** TLS 1.3 alone, Ed25519 alone, no tickets. Who the peer is, is ours to check: OpenSSL knows no pinned keys. */
export function deviceTls(identity: Identity): SecureContextOptions & { rejectUnauthorized: false; requestCert: true } {
  return { ...tlsProfile(identity), requestCert: true, rejectUnauthorized: false }
}

/**
 * The key that the other side has just proven to hold, 32 bytes. Call it before a byte is read or written.
 * @throws Failure `device-session-resumed`, `device-wrong-protocol`, `device-no-certificate`
 */
export function peerKeyOf(socket: TLSSocket, protocols: readonly string[]): Uint8Array {
  if (socket.isSessionReused()) throw deviceFailure('device-session-resumed')
  if (socket.getProtocol() !== 'TLSv1.3' || !protocols.some((one) => one === socket.alpnProtocol))
    throw deviceFailure('device-wrong-protocol')
  const key = socket.getPeerX509Certificate()?.publicKey
  if (key?.asymmetricKeyType !== 'ed25519') throw deviceFailure('device-no-certificate')
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }).subarray(-32))
}

/** Bound to this one TLS connection: nobody between the two can have the same value on both of his (RFC 9266 in spirit). */
export function bindingOf(socket: TLSSocket): Uint8Array {
  return new Uint8Array(socket.exportKeyingMaterial(32, 'EXPORTER-cocoon-desktop-device-pairing', Buffer.alloc(0)))
}
