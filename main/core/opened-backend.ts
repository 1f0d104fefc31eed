import type { LevelState } from '../../preload/api/chat.ts'
import type { ReceiptAttestation } from '../../preload/api/receipt.ts'
import { Failure, type Told, toldOf } from '../base/failure.ts'
import { follow, Signal, type Watchable } from '../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../chat/backend.ts'
import type { Gate, Permit } from '../chat/privacy/seal-keeper.ts'
import { paidNothing } from '../client/query-failure.ts'
import type { ChatMessage } from '../inference/engine.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { VerifiedQuote } from '../protocol/attestation/verify-quote.ts'
import type { SealedWorker, SealOutcome } from '../protocol/sealed/outcome.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { AppNetwork, LiveNetwork } from './app-network.ts'
import type { SeenPeer } from './checks/seen-peer.ts'
import { type CheckedNetwork, isPermitted } from './checks/used-connection.ts'
import { answerOver, estimate, type Wish } from './network-answer.ts'
import { demandsAttestation } from './network-attestation.ts'
import type { OpenedModel } from './opened-model.ts'
import { receiptAttestation } from './receipt-attestation.ts'

/** What of an opened network its levels look at. */
export interface OpenedNetwork extends Pick<AppNetwork, 'name' | 'failure'> {
  readonly live: Watchable<(CheckedNetwork & { readonly topUps: Pick<LiveNetwork['topUps'], 'refill'> }) | null>
  readonly seen: Watchable<{ readonly root: CheckedNetwork['root'] } | null>
}

export interface OpenedBackendOptions {
  readonly level: 'open' | 'attested'
  readonly network: OpenedNetwork
  readonly model: OpenedModel
  readonly quotes: QuoteJudge
  /** What is asked of each question's seal and of whoever it is sealed to, by what the sheet promises now and what the permit allows. */
  readonly wish: (permit: Permit) => Wish
  /** A question could be sealed to nobody that the check found: others may be there now. */
  readonly onUnsealable: () => void
  /** Whether a proxy may carry questions of this level, looked at right before one is sent; every proxy may when left out. */
  readonly mayPass?: (peer: SeenPeer) => boolean
  /** The quote of a worker as the sheet verified it; it is verified for the receipt alone where the level has no such check. */
  readonly provenBy?: (worker: SealedWorker) => VerifiedQuote | undefined
}

/** The levels of a network that the user opened: its proxies and workers belong to whoever they belong to. */
export class OpenedBackend implements ChatBackend {
  readonly level: 'open' | 'attested'
  readonly state: Signal<LevelState>
  readonly #options: OpenedBackendOptions

  constructor(options: OpenedBackendOptions) {
    this.#options = options
    this.level = options.level
    this.state = new Signal(levelState(options))
    const show = (): void => this.state.set(levelState(options))
    const { network, model } = options
    follow(network.live, ({ client }) => client.state.onChange(show), show)
    follow(network.seen, ({ root }) => root.config.onChange(show), show)
    network.failure.onChange(show)
    model.onChange(show)
  }

  async *answer(
    messages: readonly ChatMessage[],
    signal: AbortSignal,
    gate: Gate,
    conversation: string,
  ): AsyncGenerator<BackendEvent> {
    const { network, model, wish, mayPass, provenBy, quotes, onUnsealable } = this.#options
    const live = network.live.value
    if (!live || model.value === null) {
      const { reason = '', reasonWords } = this.state.value
      throw new Failure('not-ready', reason, { money: paidNothing, retryable: true, words: reasonWords })
    }
    // What a receipt says is what the question was sent by, whatever is read or verified until its answer has ended.
    let sentBy: { readonly peer: SeenPeer; readonly root: RootConfig | null } | undefined
    const proven = new Map<string, VerifiedQuote>()
    const link = {
      client: live.client,
      model: model.value,
      contextTokens: () => undefined,
      root: () => live.root.config.value,
      isPermitted: (wire: PacketConnection, permitted: string): boolean => {
        const peer = live.peers.of(wire)
        const may = isPermitted(live, wire, permitted) && peer !== undefined && (mayPass?.(peer) ?? true)
        if (may) sentBy = { peer, root: live.root.config.value }
        return may
      },
      refill: (missing: bigint) => live.topUps.refill(missing),
    }
    const noting = (permit: Permit): Wish => {
      const { objectionTo, seal } = wish(permit)
      if (objectionTo === undefined) return { seal }
      return {
        seal,
        objectionTo: (worker, connection) => {
          const quote = provenBy?.(worker)
          if (quote) proven.set(worker.keyId, quote)
          return objectionTo(worker, connection)
        },
      }
    }
    const attested = (seal: SealOutcome): Promise<ReceiptAttestation> =>
      receiptAttestation(sentBy, seal, {
        workerQuote: async (worker, quote) => proven.get(worker.keyId) ?? (await quotes.verify(quote)),
      })
    try {
      yield* answerOver(link, { messages, conversation, wish: noting, attested }, gate, signal)
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.code === 'seal-unavailable') onUnsealable()
      throw thrown
    }
  }
}

function levelState({ level, network, model }: OpenedBackendOptions): LevelState {
  const not = (state: 'starting' | 'unavailable', { text, words }: Told): LevelState => ({
    level,
    state,
    reason: text,
    ...(words && { reasonWords: { ...words } }),
  })
  const name = network.name ?? ''
  const failure = network.failure.value
  if (failure) return not('unavailable', toldOf(failure))
  const root = network.seen.value?.root.config.value ?? null
  if (level === 'attested' && root !== null && !demandsAttestation(root))
    return not('unavailable', {
      text: `${name} demands no attestation of proxies and workers, so nothing could be proven there.`,
      words: { code: 'level-not-attesting', values: { network: name } },
    })
  const live = network.live.value
  if (!live)
    return not('starting', { text: `${name} is being opened.`, words: { code: 'level-opening', values: { network: name } } })
  const [connection] = live.client.state.value.connections
  if (!connection) return not('starting', { text: 'Looking for a proxy.', words: { code: 'client-looking' } })
  if (connection.phase !== 'ready')
    return not('starting', {
      text: [...new Set([connection.sentence, connection.failure])].filter(Boolean).join(' '),
      words: connection.failure === undefined ? { code: `client-${connection.phase}` } : connection.failureWords,
    })
  if (model.value === null)
    return not('starting', {
      text: `No worker of ${name} offers a model at the moment.`,
      words: { code: 'level-no-worker', values: { network: name } },
    })
  return { level, state: 'ready', model: model.value, ...estimate(root) }
}
