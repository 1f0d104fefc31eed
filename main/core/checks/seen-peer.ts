import { Signal } from '../../base/signal.ts'
import type { Peer } from '../../protocol/wire/peer.ts'

/** Who answered when a role dialled last. */
export interface SeenPeer {
  /** Counts the connections of this run: a new one is another one, also to the same address. */
  readonly count: number
  /** `ip:port` */
  readonly address: string
  /** Ed25519 key of its certificate, hex; undefined on a plain connection. */
  readonly key: string | undefined
}

/** Remembers the peers of a dialer: give it `see` as the dialer's `check`. */
export class PeerWatch {
  readonly newest = new Signal<SeenPeer | null>(null)
  #count = 0

  readonly see = ({ address, publicKey }: Peer): void => {
    const key = publicKey === undefined ? undefined : Buffer.from(publicKey).toString('hex')
    this.newest.set({ count: ++this.#count, address, key })
  }
}
