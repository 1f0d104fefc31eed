import type { ChatRequest } from '../client/client.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { proxyObjections, workerObjections } from './attested-peers.ts'
import { mostAgeOf } from './role-options.ts'

type Seen = Pick<Peer, 'imageHash' | 'quote'>

/**
 * What a client of the command line asks of proxies and workers with `--seal attested`: as much as the app's level "Attested network" does. Proxies are
 * looked at when they are dialled, and again with the worker right before each question leaves: the contract may have changed since.
 */
export class AttestedQuestions implements Required<Pick<ChatRequest, 'mayGo' | 'objectionTo'>> {
  readonly #root: () => RootConfig | null
  readonly #peers = new WeakMap<PacketConnection, Seen>()

  constructor(root: () => RootConfig | null) {
    this.#root = root
  }

  /** For the dialer. @throws AttestationError `image-not-attested` */
  readonly see = (peer: Seen, connection: PacketConnection): void => {
    const reason = this.#proxyReason(peer)
    if (reason !== undefined) throw new AttestationError('image-not-attested', reason)
    this.#peers.set(connection, peer)
  }

  readonly mayGo = (connection: PacketConnection): boolean => this.#proxyReason(this.#peers.get(connection)) === undefined

  readonly objectionTo: NonNullable<ChatRequest['objectionTo']> = (worker, connection) => {
    const proxy = this.#proxyReason(this.#peers.get(connection))
    if (proxy !== undefined) return proxy
    const root = this.#root()
    return saidOf(workerObjections(worker, root, rulesOf(root)))
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
