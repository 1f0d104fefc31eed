import { PacketConnection, type PacketConnectionLimits } from './connection.ts'
import { dialSecure, type SecureTarget } from './dial-secure.ts'
import { type PeerConnection, plainPeer } from './peer.ts'
import { type DialTarget, throughSocket } from './through-socket.ts'

export interface SecureDialOptions extends SecureTarget {
  readonly plain?: false
  readonly limits?: PacketConnectionLimits
}

/** Frames directly on TCP: no proof of work, no TLS, no idea who answers. For test peers. */
export interface PlainDialOptions extends DialTarget {
  readonly plain: true
  readonly limits?: PacketConnectionLimits
}

export type DialOptions = SecureDialOptions | PlainDialOptions

/**
 * Connects to the client or worker port of a proxy without a router (10 §4): TCP, proof of work, TLS 1.3 with both certificates, check of
 * the peer. The returned connection waits for `connection.start(handlers)`.
 * @throws WireError `connect-failed`, `handshake-timeout`, `tls-failed`, `connection-lost`, `dial-aborted`; PowError; AttestationError
 */
export async function dialDirect(options: DialOptions): Promise<PeerConnection> {
  const { socket, peer } = options.plain
    ? await throughSocket(options, async (opened) => ({ socket: opened.socket, peer: plainPeer(opened.socket) }))
    : await dialSecure(options)
  return { connection: new PacketConnection(socket, { role: 'connecting', ...options.limits }), peer }
}
