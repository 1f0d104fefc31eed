import type { VerifiedQuote } from '../../protocol/attestation/verify-quote.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { Peer } from '../../protocol/wire/peer.ts'

/** Who answered when a role dialled. */
export interface SeenPeer {
  /** Counts the connections of this run: a new one is another one, also to the same address. */
  readonly count: number
  /** Ed25519 key of its certificate, hex; undefined on a plain connection. */
  readonly key: string | undefined
  /** What was established about its machine, where a real quote was asked for; its image hash is then that of the quote. */
  readonly quote: VerifiedQuote | undefined
  readonly imageHash: Uint8Array
}

/** Remembers the peers of a dialer, each with its connection: give it `see` as the dialer's `check`. */
export class PeerWatch {
  readonly #peers = new WeakMap<PacketConnection, SeenPeer>()
  #count = 0

  readonly see = ({ publicKey, quote, imageHash }: Peer, connection: PacketConnection): void => {
    const key = publicKey === undefined ? undefined : Buffer.from(publicKey).toString('hex')
    this.#peers.set(connection, { count: ++this.#count, key, quote, imageHash })
  }

  /** Who is at the other end of a connection that this dialer made. */
  of(connection: PacketConnection): SeenPeer | undefined {
    return this.#peers.get(connection)
  }
}
