import type { LevelState } from '../../preload/api/chat.ts'
import { asError, Failure } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../chat/backend.ts'
import { exactTon } from '../chat/exact-ton.ts'
import { estimatedCost } from '../client/budget.ts'
import { readChatCompletion } from '../client/chat-completion.ts'
import type { Client } from '../client/client.ts'
import type { QueryEnd, QueryHandle } from '../client/running-query.ts'
import type { ChatMessage, EngineUsage } from '../inference/engine.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Worker } from '../worker/worker.ts'

/** What a request over the network may cost at most (architecture, Networks). */
const maxCoefficient = 1000
const maxTokens = 512

export interface PracticeLink {
  readonly client: Client
  /** Base name of the model that the network serves. */
  readonly model: string
  /** Its name for people. */
  readonly modelName: string
  readonly root: () => RootConfig | null
  /** The worker of this computer; a question before it is connected would be refused as an unknown model. */
  readonly worker: Worker
}

/** Level "Practice network": each turn goes through the client role, over the sockets of the local network, and is paid for. */
export class PracticeBackend implements ChatBackend {
  readonly level = 'practice'
  readonly state = new Signal<LevelState>({ level: 'practice', state: 'starting', reason: 'The practice network is starting.' })
  #link: PracticeLink | undefined
  #unwatch: ReadonlyArray<() => void> = []

  /** Follows a client from now on; undefined when there is none any more. */
  attach(link: PracticeLink | undefined, reason = 'The practice network is starting.'): void {
    for (const stop of this.#unwatch) stop()
    this.#link = link
    this.#unwatch = []
    if (!link) {
      this.state.set({ level: 'practice', state: 'starting', reason })
      return
    }
    const show = (): void => this.state.set(levelState(link))
    this.#unwatch = [link.client.state.onChange(show), link.worker.state.onChange(show)]
    show()
  }

  /** Tells why the network cannot be used at all. */
  fail(reason: string): void {
    this.attach(undefined)
    this.state.set({ level: 'practice', state: 'unavailable', reason })
  }

  async *answer(messages: readonly ChatMessage[], signal: AbortSignal): AsyncGenerator<BackendEvent> {
    const link = this.#link
    if (!link)
      throw new Failure('not-ready', 'The practice network is not ready yet.', { money: 'You paid nothing.', retryable: true })
    const { client, model } = link
    const body = JSON.stringify({ model, messages, stream: true, max_tokens: maxTokens })
    if (signal.aborted) {
      yield { type: 'final', usage: noUsage, reason: 'cancelled', stop: 'ended', money: { adjustedTokens: 0, cost: 0n } }
      return
    }
    const query = client.runChat({ model, body, maxTokens, maxCoefficient }, signal)
    const failed = query.end.then(
      () => undefined,
      (error: unknown) => asError(error),
    )
    const head = await query.head.catch(async (error: unknown) => {
      // Stopped before the answer began: what it cost all the same is in the end of the query.
      if (!signal.aborted) throw error
      return undefined
    })
    if (!head) {
      yield final(await query.end, undefined, false, link.root())
      return
    }
    if (head.status !== 200) throw await refusal(head.status, query)

    let usage: EngineUsage | undefined
    let length = false
    try {
      for await (const event of readChatCompletion(query.body)) {
        if (event.type === 'text') yield { type: 'text', text: event.text }
        else if (event.type === 'finish') length = event.reason === 'length'
        else if (event.type === 'usage') usage = event
      }
    } catch (error) {
      // The end of the query knows more about a lost connection than the cut body does; a stopped answer is cut by intent.
      const cause = await failed
      if (cause) throw cause
      if (!signal.aborted) throw error
    }
    const end = await query.end
    yield final(end, usage, length, link.root())
  }
}

const noUsage: EngineUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

function final(end: QueryEnd, usage: EngineUsage | undefined, length: boolean, root: RootConfig | null): BackendEvent {
  const counted = usage ?? usageFromTokens(end, root)
  const money =
    end.tokens && end.cost !== undefined ? { money: { adjustedTokens: Number(end.tokens.total), cost: end.cost } } : {}
  return end.stopped
    ? { type: 'final', usage: counted, reason: 'cancelled', stop: end.stopped, ...money }
    : { type: 'final', usage: counted, reason: length ? 'length' : 'stop', ...money }
}

/** A stopped answer has no usage event: the real tokens are the billed ones without the multipliers (protocol 70 §1). */
function usageFromTokens({ tokens }: QueryEnd, root: RootConfig | null): EngineUsage {
  if (!tokens || !root) return noUsage
  const { multipliers } = root.params
  const real = (adjusted: bigint, multiplier: number): number => Math.round((Number(adjusted) * 10_000) / multiplier)
  const cachedTokens = real(tokens.cached, multipliers.cached)
  const reasoningTokens = real(tokens.reasoning, multipliers.reasoning)
  return {
    promptTokens: real(tokens.prompt, multipliers.prompt) + cachedTokens,
    cachedTokens,
    completionTokens: real(tokens.completion, multipliers.completion) + reasoningTokens,
    reasoningTokens,
  }
}

/** The engine's own refusal comes as an answer with an HTTP status: its text is for people, and what was charged for it is in the end. */
async function refusal(status: number, { body, end }: QueryHandle): Promise<Failure> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size <= 64 * 1024) chunks.push(chunk)
  }
  let message = `The worker's engine answered with status ${status}.`
  let code = 'engine-refused'
  try {
    const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      'error' in parsed &&
      typeof parsed.error === 'object' &&
      parsed.error !== null
    ) {
      if ('message' in parsed.error && typeof parsed.error.message === 'string') message = parsed.error.message.slice(0, 300)
      if ('code' in parsed.error && parsed.error.code === 'context_length_exceeded') code = 'context-too-small'
    }
  } catch {
    // An engine that answers an error in another form has still refused; the status says so.
  }
  const { cost = 0n } = await end
  const money = cost === 0n ? 'You paid nothing.' : `You were charged ${exactTon(cost)} for it.`
  return new Failure(code, message, { money, retryable: status >= 500 })
}

function levelState({ client, modelName, root, worker }: PracticeLink): LevelState {
  const level = 'practice'
  const [connection] = client.state.value.connections
  if (!connection) return { level, state: 'starting', reason: 'Looking for a proxy.' }
  if (connection.phase !== 'ready') {
    return { level, state: 'starting', reason: [connection.sentence, connection.failure].filter(Boolean).join(' ') }
  }
  const { connections, paused } = worker.state.value
  if (paused) return { level, state: 'unavailable', reason: 'Earning is paused, so no worker answers. Resume it under Earn.' }
  if (connections[0]?.phase !== 'ready') return { level, state: 'starting', reason: 'The worker is connecting to the proxy.' }
  return { level, state: 'ready', model: modelName, ...estimate(root()) }
}

/** A typical short answer: 50 prompt tokens, at 4 bytes each, and 100 completion tokens. */
function estimate(root: RootConfig | null): { estimate?: bigint } {
  return root ? { estimate: estimatedCost({ promptBytes: 200, maxTokens: 100, coefficient: maxCoefficient }, root.params) } : {}
}
