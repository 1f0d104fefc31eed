import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { Peer } from '../../protocol/wire/peer.ts'

/** Who answered when a role dialled. */
export interface SeenPeer {
  /** Counts the connections of this run: a new one is another one, also to the same address. */
  readonly count: number
  /** Ed25519 key of its certificate, hex; undefined on a plain connection. */
  readonly key: string | undefined
}

/** Remembers the peers of a dialer, each with its connection: give it `see` as the dialer's `check`. */
export class PeerWatch {
  readonly #peers = new WeakMap<PacketConnection, SeenPeer>()
  #count = 0

  readonly see = ({ publicKey }: Peer, connection: PacketConnection): void => {
    const key = publicKey === undefined ? undefined : Buffer.from(publicKey).toString('hex')
    this.#peers.set(connection, { count: ++this.#count, key })
  }

  /** Who is at the other end of a connection that this dialer made. */
  of(connection: PacketConnection): SeenPeer | undefined {
    return this.#peers.get(connection)
  }
}
