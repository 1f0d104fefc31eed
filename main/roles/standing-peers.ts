import { asError, Failure } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'
import { AttestationError, type AttestationErrorCode } from '../protocol/attestation/attestation-error.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import { checkRootMembership, type MembershipRules } from '../protocol/attestation/root-membership.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { listingOf, mostAgeOf } from './root-listing.ts'

export type SeenPeer = Pick<Peer, 'imageHash' | 'quote'>

/** That the contract cannot be judged by now is no fault of one peer, and no other one would do better. */
const ofNoPeer: ReadonlySet<AttestationErrorCode> = new Set(['root-too-old', 'root-from-the-future', 'root-disputed'])

/**
 * The proxies or key managers behind connections that stand. Each passed when it was dialled, and is looked at again with every reading of the network
 * contract: one whose image was taken back, or whose quote holds no more, is left with the reason (`image-not-listed` and whatever a `QuoteJudge` throws),
 * so that its role goes on to another one, or to none.
 */
export class StandingPeers {
  readonly #root: Watchable<RootConfig | null>
  readonly #quotes: QuoteJudge | undefined
  readonly #part: MembershipRules['part']
  readonly #peers = new Map<PacketConnection, SeenPeer>()
  readonly #left = new WeakMap<PacketConnection, Error>()

  /** @param quotes by which they were verified when they were dialled; remembers what it found good. Undefined where quotes are fake ones */
  constructor(root: Watchable<RootConfig | null>, quotes: QuoteJudge | undefined, part: MembershipRules['part'] = 'proxy') {
    this.#root = root
    this.#quotes = quotes
    this.#part = part
  }

  /** For a dialer: takes a peer that passed, for as long as its connection stands. */
  readonly see = (peer: SeenPeer, connection: PacketConnection): void => {
    this.#peers.set(connection, peer)
    const stopWatching = this.#root.onChange(() => void this.#look(connection, peer))
    void connection.closed.then(() => {
      stopWatching()
      this.#peers.delete(connection)
    })
  }

  /** What the peer behind a connection showed; undefined when it does not stand. */
  of(connection: PacketConnection): SeenPeer | undefined {
    return this.#peers.get(connection)
  }

  /** Why a connection was left here. */
  whyLeft(connection: PacketConnection): Error | undefined {
    return this.#left.get(connection)
  }

  /** Looks at all again: a connection may stand for weeks, and what Intel says may run out between two readings of the contract. */
  readonly renew = async (): Promise<void> => {
    await Promise.all([...this.#peers].map(([connection, peer]) => this.#look(connection, peer)))
  }

  /** What the contract no longer lists is left before this returns. Never rejects. */
  async #look(connection: PacketConnection, { imageHash, quote }: SeenPeer): Promise<void> {
    try {
      this.#requireListed(imageHash)
      if (quote !== undefined) await this.#quotes?.verify(quote.evidence.quote)
    } catch (thrown) {
      // What cannot be looked at does not pass either.
      const reason = asError(thrown)
      this.#left.set(connection, reason)
      connection.close(reason instanceof Failure ? reason : reason.message)
    }
  }

  #requireListed(imageHash: Uint8Array): void {
    const root = this.#root.value
    try {
      checkRootMembership({ imageHash }, root && listingOf(root), { part: this.#part, nowMs: Date.now(), ...mostAgeOf(root) })
    } catch (thrown) {
      if (thrown instanceof AttestationError && ofNoPeer.has(thrown.code)) return
      throw thrown
    }
  }
}
