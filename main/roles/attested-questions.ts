import { messageAndAdvice } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'
import type { ChatRequest } from '../client/client.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { proxyObjections, workerObjections } from './attested-peers.ts'
import { mostAgeOf } from './root-listing.ts'
import { type SeenPeer, StandingPeers } from './standing-peers.ts'

/**
 * What a client of the command line asks of proxies and workers with `--seal attested`: as much as the app's level "Attested network" does. Proxies are
 * looked at when they are dialled, left when they pass no more, and looked at again with the worker right before each question leaves: the contract may
 * have changed since, and what Intel says.
 */
export class AttestedQuestions implements Required<Pick<ChatRequest, 'mayGo' | 'objectionTo'>> {
  readonly #root: Watchable<RootConfig | null>
  readonly #standing: StandingPeers

  /** @param quotes remembers what it found good: it is asked before each question */
  constructor(root: Watchable<RootConfig | null>, quotes: QuoteJudge) {
    this.#root = root
    this.#standing = new StandingPeers(root, quotes)
  }

  /** For the dialer. @throws AttestationError `image-not-attested` */
  readonly see = (peer: SeenPeer, connection: PacketConnection): void => {
    const reason = this.#proxyReason(peer)
    if (reason !== undefined) throw new AttestationError('image-not-attested', reason)
    this.#standing.see(peer, connection)
  }

  /** Looks at all proxies again, before a question. */
  readonly renew = (): Promise<void> => this.#standing.renew()

  readonly mayGo = (connection: PacketConnection): boolean => this.#reasonOf(connection) === undefined

  readonly objectionTo: NonNullable<ChatRequest['objectionTo']> = (worker, connection) => {
    const proxy = this.#reasonOf(connection)
    if (proxy !== undefined) return proxy
    const root = this.#root.value
    return saidOf(workerObjections(worker, root, rulesOf(root)))
  }

  #reasonOf(connection: PacketConnection): string | undefined {
    const left = this.#standing.whyLeft(connection)
    return left === undefined ? this.#proxyReason(this.#standing.of(connection)) : messageAndAdvice(left)
  }

  #proxyReason(peer: SeenPeer | undefined): string | undefined {
    const root = this.#root.value
    return saidOf(proxyObjections(peer ?? nobody, root, rulesOf(root)))
  }
}

const nobody: SeenPeer = { imageHash: new Uint8Array(32) }

const rulesOf = (root: RootConfig | null) => ({ nowMs: Date.now(), ...mostAgeOf(root) })

const saidOf = (objections: ReturnType<typeof workerObjections>): string | undefined =>
  objections.length === 0 ? undefined : objections.map(({ sentence }) => sentence.text).join(' ')
