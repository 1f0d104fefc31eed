import type { ChatRequest } from '../client/client.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { proxyObjections, sentenceOf, workerObjections } from './attested-peers.ts'
import { mostAgeOf } from './role-options.ts'

type Seen = Pick<Peer, 'imageHash' | 'quote'>

/**
 * What a client of the command line asks of proxies and workers with `--seal attested`: as much as the app's level "Attested network" does. Proxies are
 * looked at when they are dialled, and again with the worker right before each question leaves: the contract may have changed since, and what Intel says.
 */
export class AttestedQuestions implements Required<Pick<ChatRequest, 'mayGo' | 'objectionTo'>> {
  readonly #root: () => RootConfig | null
  readonly #quotes: QuoteJudge
  /** Of connections that stand. */
  readonly #peers = new Map<PacketConnection, Seen>()
  /** Why the quote behind a connection, which held when it was dialled, does no more. */
  readonly #outdated = new Map<PacketConnection, string>()

  /** @param quotes remembers what it found good: it is asked before each question */
  constructor(root: () => RootConfig | null, quotes: QuoteJudge) {
    this.#root = root
    this.#quotes = quotes
  }

  /** For the dialer. @throws AttestationError `image-not-attested` */
  readonly see = (peer: Seen, connection: PacketConnection): void => {
    const reason = this.#proxyReason(peer)
    if (reason !== undefined) throw new AttestationError('image-not-attested', reason)
    this.#peers.set(connection, peer)
    void connection.closed.then(() => {
      this.#peers.delete(connection)
      this.#outdated.delete(connection)
    })
  }

  /** Verifies the proxies' quotes again, before a question: a connection may stand for weeks. What does no more hold is an objection from then on. */
  readonly renew = async (): Promise<void> => {
    await Promise.all([...this.#peers].map(([connection, peer]) => this.#renew(connection, peer)))
  }

  async #renew(connection: PacketConnection, { quote }: Seen): Promise<void> {
    if (quote === undefined) return
    try {
      await this.#quotes.verify(quote.evidence.quote)
      this.#outdated.delete(connection)
    } catch (thrown) {
      if (!(thrown instanceof AttestationError)) throw thrown
      if (this.#peers.has(connection)) this.#outdated.set(connection, sentenceOf(thrown).text)
    }
  }

  readonly mayGo = (connection: PacketConnection): boolean => this.#reasonOf(connection) === undefined

  readonly objectionTo: NonNullable<ChatRequest['objectionTo']> = (worker, connection) => {
    const proxy = this.#reasonOf(connection)
    if (proxy !== undefined) return proxy
    const root = this.#root()
    return saidOf(workerObjections(worker, root, rulesOf(root)))
  }

  #reasonOf(connection: PacketConnection): string | undefined {
    return this.#outdated.get(connection) ?? this.#proxyReason(this.#peers.get(connection))
  }

  #proxyReason(peer: Seen | undefined): string | undefined {
    const root = this.#root()
    return saidOf(proxyObjections(peer ?? nobody, root, rulesOf(root)))
  }
}

const nobody: Seen = { imageHash: new Uint8Array(32) }

const rulesOf = (root: RootConfig | null) => ({ nowMs: Date.now(), ...mostAgeOf(root) })

const saidOf = (objections: ReturnType<typeof workerObjections>): string | undefined =>
  objections.length === 0 ? undefined : objections.map(({ sentence }) => sentence.text).join(' ')
