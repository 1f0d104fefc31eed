import type { Socket } from 'node:net'
import type { Identity } from '../attestation/certificate.ts'
import { type Admission, acceptSecure, checkDifficulty } from './accept-secure.ts'
import { PacketConnection, type PacketConnectionLimits } from './connection.ts'
import { type DoorwayPlace, type Guest, openDoorway } from './doorway.ts'
import { FrameBudget } from './frame-budget.ts'
import { type Peer, type PeerConnection, peerBehindRouter, plainPeer } from './peer.ts'
import { receivePeerInfo } from './receive-peer-info.ts'
import { TlsAcceptor } from './tls-accept.ts'

interface Place extends DoorwayPlace {
  readonly limits?: PacketConnectionLimits
  /** Most bytes that the unfinished frames of all connections may hold; 256 MiB. */
  readonly unfinishedBytes?: number
}

export interface SecureListenOptions extends Place, Admission {
  readonly identity: Identity
  readonly plain?: false
}

/** Frames directly on TCP: no proof of work, no TLS. For test peers and for routers on this computer; never on a public address. */
export interface PlainListenOptions extends Place {
  readonly plain: true
  /** Every peer must be a router, which says first for whom it speaks (10 §6.3). What it says is believed. */
  readonly behindRouter?: boolean
}

export type ListenOptions = SecureListenOptions | PlainListenOptions

export interface Listener {
  readonly port: number
  /** Connections that are through their handshake. */
  readonly connectionCount: number
  readonly handshakeCount: number
  /** Shows another certificate to new peers; connections that exist stay as they are. */
  renewIdentity(identity: Identity): void
  /** Takes no new peers and ends all connections; resolves when all are gone. */
  close(): Promise<void>
}

interface Admitted {
  readonly socket: Socket
  readonly peer: Peer
}

/**
 * Accepts peers (10 §4 to §7): proof of work, TLS 1.3 with a client certificate, policy. `onConnection` must call `connection.start`.
 * @throws WireError `listen-failed`
 */
export async function listen(options: ListenOptions, onConnection: (accepted: PeerConnection) => void): Promise<Listener> {
  if (!options.plain) checkDifficulty(options.difficulty)
  const acceptor = options.plain ? undefined : new TlsAcceptor(options.identity, options.logger)

  const admit = async (socket: Socket, showGoodWill: () => void): Promise<Admitted> => {
    if (!options.plain && acceptor) return acceptSecure(socket, acceptor, options, showGoodWill)
    if (options.plain && options.behindRouter) {
      const { info, address } = await receivePeerInfo(socket, 'source')
      return { socket, peer: peerBehindRouter(info, address) }
    }
    return { socket, peer: plainPeer(socket) }
  }
  const budget = new FrameBudget(options.unfinishedBytes ?? 256 << 20)
  const receive = ({ socket, peer }: Admitted): Guest => {
    const connection = new PacketConnection(socket, { role: 'accepting', budget, ...options.limits })
    onConnection({ connection, peer })
    return { gone: connection.closed, leave: () => connection.close('The listener was closed') }
  }
  const door = await openDoorway(options, { admit, receive, turnAway: ({ socket }) => socket.destroy() })

  return {
    port: door.port,
    get connectionCount() {
      return door.guestCount
    },
    get handshakeCount() {
      return door.handshakeCount
    },
    renewIdentity: (identity) => acceptor?.renew(identity),
    close: () => door.close(),
  }
}
