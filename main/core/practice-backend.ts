import type { LevelState } from '../../preload/api/chat.ts'
import { Failure, type Told } from '../base/failure.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../chat/backend.ts'
import type { Gate } from '../chat/privacy/seal-keeper.ts'
import { paidNothing } from '../client/query-failure.ts'
import type { ChatMessage, EngineState } from '../inference/engine.ts'
import type { ServingEngine } from './engines/serving-engine.ts'
import { type AnsweringNetwork, answerOver, estimate } from './network-answer.ts'
import { type OwnSide, type OwnWorker, ownWish } from './own-roles.ts'

export interface PracticeLink extends AnsweringNetwork {
  /** Its name for people. */
  readonly modelName: string
  /** The worker of this app, and the only one that questions are sealed to; one before it is connected would be refused as an unknown model. */
  readonly worker: OwnWorker
  /** Whether a connection of the client, or of the worker, leads to the proxy of this app. */
  readonly isOwnProxy: (connection: { readonly endpoint: string }, side: OwnSide) => boolean
  /** What that worker serves with. */
  readonly engine: Watchable<EngineState>
  /** Where that is an engine of another program: it reads what is asked. */
  readonly external?: Pick<ServingEngine, 'name' | 'host' | 'isLoopback' | 'isEncrypted'> | undefined
}

export const networkStarting: Told = { text: 'The practice network is starting.', words: { code: 'practice-starting' } }
export const proxyElsewhere: Told = {
  text: 'The proxy of this network is not part of this app, so it is no practice network.',
  words: { code: 'practice-proxy-elsewhere' },
}
const otherProxy: Told = {
  text: 'The app is connected to another proxy of this network than its own, so this is no practice network now.',
  words: { code: 'practice-other-proxy' },
}
const workerElsewhere: Told = {
  text: 'The worker of this app is connected to another proxy of this network than the app’s own, so this is no practice network now.',
  words: { code: 'practice-worker-elsewhere' },
}
export const modelComing: Told = { text: 'The model is being made ready.', words: { code: 'model-coming' } }

/** Level "Practice network": each turn goes through the client role, over the sockets of the local network, and is paid for. */
export class PracticeBackend implements ChatBackend {
  readonly level = 'practice'
  readonly state = new Signal<LevelState>(not('starting', networkStarting))
  #link: PracticeLink | undefined
  #unwatch: ReadonlyArray<() => void> = []

  /** Follows a client from now on; undefined when there is none any more. */
  attach(link: PracticeLink | undefined, reason: Told = networkStarting): void {
    for (const stop of this.#unwatch) stop()
    this.#link = link
    this.#unwatch = []
    if (!link) {
      this.state.set(not('starting', reason))
      return
    }
    const show = (): void => this.state.set(levelState(link))
    this.#unwatch = [link.client.state.onChange(show), link.worker.state.onChange(show), link.engine.onChange(show)]
    show()
  }

  /** What questions go through now; undefined while the network cannot be used. */
  get link(): PracticeLink | undefined {
    return this.state.value.state === 'ready' ? this.#link : undefined
  }

  /** Tells why the network cannot be used at all. */
  fail(reason: Told): void {
    this.attach(undefined)
    this.state.set(not('unavailable', reason))
  }

  async *answer(
    messages: readonly ChatMessage[],
    signal: AbortSignal,
    gate: Gate,
    conversation: string,
  ): AsyncGenerator<BackendEvent> {
    const link = this.#link
    if (!link)
      throw new Failure('not-ready', 'The practice network is not ready yet.', {
        money: paidNothing,
        retryable: true,
        words: { code: 'practice-starting' },
      })
    const { state, reason = '', reasonWords } = this.state.value
    // Whoever else might answer is not asked.
    if (state === 'unavailable')
      throw new Failure('not-ready', reason, { money: paidNothing, retryable: true, words: reasonWords })
    yield* answerOver(link, { messages, conversation, wish: () => ownWish(link.worker) }, gate, signal)
  }
}

/** `ready` also while this app's engine starts again: a question asked then waits for it. */
function levelState({ client, modelName, root, worker, isOwnProxy, engine, external }: PracticeLink): LevelState {
  const [connection] = client.state.value.connections
  if (!connection) return not('starting', { text: 'Looking for a proxy.', words: { code: 'client-looking' } })
  const { phase, sentence, failure, failureWords } = connection
  if (phase !== 'ready')
    return not('starting', {
      text: [...new Set([sentence, failure])].filter(Boolean).join(' '),
      words: failure === undefined ? { code: `client-${phase}` } : failureWords,
    })
  if (!isOwnProxy(connection, 'clientPort')) return not('unavailable', otherProxy)
  const { connections, paused } = worker.state.value
  if (paused)
    return not('unavailable', {
      text: 'Earning is paused, so no worker answers. Resume it under Earn.',
      words: { code: 'worker-paused' },
    })
  if (external !== undefined && engine.value.status === 'restarting')
    return not('unavailable', {
      text: `No worker answers, because ${external.name} is not there: ${engine.value.reason}`,
      words: engine.value.words,
    })
  if (engine.value.status === 'failed')
    return not('unavailable', {
      text: `No worker answers, because the engine stopped: ${engine.value.reason}`,
      words: engine.value.words,
    })
  const [serving] = connections
  if (serving?.phase !== 'ready')
    return not('starting', { text: 'The worker is connecting to the proxy.', words: { code: 'worker-connecting' } })
  if (!isOwnProxy(serving, 'workerPort')) return not('unavailable', workerElsewhere)
  return {
    level: 'practice',
    state: 'ready',
    model: modelName,
    ...(external && { engine: engineOf(external) }),
    ...estimate(root()),
  }
}

const engineOf = ({ name, host, isLoopback, isEncrypted }: NonNullable<PracticeLink['external']>): LevelState['engine'] => ({
  name,
  host,
  isLoopback,
  isEncrypted,
})

/** The level while it cannot be used. */
function not(state: 'starting' | 'unavailable', { text, words }: Told): LevelState {
  return { level: 'practice', state, reason: text, ...(words && { reasonWords: { ...words } }) }
}
