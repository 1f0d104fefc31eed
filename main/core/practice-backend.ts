import { createHash, type Hash } from 'node:crypto'
import type { LevelState } from '../../preload/api/chat.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError, Failure, type Sentence, type Told } from '../base/failure.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../chat/backend.ts'
import { passed, unsent } from '../chat/privacy/passed.ts'
import type { Gate, Permit } from '../chat/privacy/seal-keeper.ts'
import { estimatedCost } from '../client/budget.ts'
import { readChatCompletion } from '../client/chat-completion.ts'
import type { Client } from '../client/client.ts'
import type { MayGo } from '../client/proxy-link.ts'
import { paidNothing } from '../client/query-failure.ts'
import type { QueryEnd, QueryHandle } from '../client/running-query.ts'
import type { ChatMessage, EngineState, EngineUsage } from '../inference/engine.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Worker } from '../worker/worker.ts'
import { receiptMaker } from './receipts.ts'
import { type Asked, SecondChance } from './second-chance.ts'

/** What a request over the network may cost at most (architecture, Networks). */
export const maxCoefficient = 1000
export const maxTokens = 512
/** What the protocol takes for a prompt token (protocol 70 §4), and more than any tokenizer puts into one over a whole text. */
const bytesPerToken = { usual: 4, most: 8 } as const

export interface PracticeLink extends Asked {
  readonly client: Client
  /** Base name of the model that the network serves. */
  readonly model: string
  /** Its name for people. */
  readonly modelName: string
  /** How much it reads, its answer included; the network does not tell it. Undefined when it is not known here. */
  readonly contextTokens: number | undefined
  readonly root: () => RootConfig | null
  /** Whether a connection of the client is, now, the one that a permit names. */
  readonly isPermitted: (connection: PacketConnection, permitted: string) => boolean
  /** The worker of this computer; a question before it is connected would be refused as an unknown model. */
  readonly worker: Worker
  /** What that worker serves with. */
  readonly engine: Watchable<EngineState>
}

export const networkStarting: Told = { text: 'The practice network is starting.', words: { code: 'practice-starting' } }
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

  async *answer(messages: readonly ChatMessage[], signal: AbortSignal, gate: Gate): AsyncGenerator<BackendEvent> {
    const link = this.#link
    if (!link)
      throw new Failure('not-ready', 'The practice network is not ready yet.', {
        money: paidNothing,
        retryable: true,
        words: { code: 'practice-starting' },
      })
    const size = sizeOf(messages, link.contextTokens)
    if (size.surelyTooLong) throw size.failure()
    const chance = new SecondChance(link, signal)
    while (!signal.aborted) {
      let begun = false
      try {
        const permit = await passed(gate, signal)
        if (!permit) break
        for await (const event of this.#ask(link, { messages, size, permit }, signal)) {
          begun = true
          yield event
        }
        return
      } catch (thrown) {
        if (begun || !(await chance.again(thrown))) throw thrown
      }
    }
    yield { ...unsent, money: { adjustedTokens: 0, cost: 0n } }
  }

  async *#ask(
    link: PracticeLink,
    { messages, size, permit }: { messages: readonly ChatMessage[]; size: ReturnType<typeof sizeOf>; permit: Permit },
    signal: AbortSignal,
  ): AsyncGenerator<BackendEvent> {
    const { client, model } = link
    const body = JSON.stringify({ model, messages, stream: true, max_tokens: maxTokens })
    const receipts = receiptMaker(client, link.root, 'local')
    // Whoever makes a receipt goes on listening for it; every other way out ends that, a reader who leaves early included.
    let isMade = false
    try {
      const mayGo = mayGoBy(link, permit)
      const query = client.runChat({ model, body, maxTokens, maxCoefficient, mayGo }, signal)
      const responseHash = createHash('sha256')
      const failed = query.end.then(
        () => undefined,
        (error: unknown) => asError(error),
      )
      const head = await query.head.catch(async (error: unknown) => {
        // Stopped before the answer began: what it cost all the same is in the end of the query.
        if (signal.aborted) return undefined
        throw isWantOfMoney(error) && size.likelyTooLong ? size.failure(error) : error
      })
      if (!head) {
        yield final(await query.end, undefined, false, link.root())
        return
      }
      if (head.status !== 200) {
        throw await refusal(head.status, query, link.contextTokens)
      }

      let usage: EngineUsage | undefined
      let length = false
      try {
        for await (const event of readChatCompletion(hashed(query.body, responseHash))) {
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
      isMade = true
      const receipt = receipts.make({
        requestId: query.requestId,
        requestSha256: createHash('sha256').update(body).digest('hex'),
        responseSha256: responseHash.digest('hex'),
        model,
        end,
      })
      yield { ...final(end, usage, length, link.root()), receipt }
    } finally {
      if (!isMade) receipts.stop()
    }
  }
}

/** Asked right before a sending: over the connection that the permit names, and no other. */
export function mayGoBy({ isPermitted }: Pick<PracticeLink, 'isPermitted'>, { connection }: Permit): MayGo {
  return (wire) => isPermitted(wire, connection)
}

/** The same bytes, noted in `hash` as they are read. */
async function* hashed(body: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    hash.update(bytes)
    yield bytes
  }
}

const noUsage: EngineUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

function final(
  end: QueryEnd,
  usage: EngineUsage | undefined,
  length: boolean,
  root: RootConfig | null,
): Extract<BackendEvent, { type: 'final' }> {
  const counted = usage ?? usageFromTokens(end, root)
  const money =
    end.tokens && end.cost !== undefined ? { money: { adjustedTokens: Number(end.tokens.total), cost: end.cost } } : {}
  return end.stopped
    ? { type: 'final', usage: counted, reason: 'cancelled', stop: end.stopped, ...money }
    : { type: 'final', usage: counted, reason: length ? 'length' : 'stop', ...money }
}

/** A stopped answer has no usage event: the real tokens are the billed ones without the multipliers (protocol 70 §1). */
export function usageFromTokens({ tokens }: QueryEnd, root: RootConfig | null): EngineUsage {
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

/** How long a prompt is for a model, as far as bytes tell. */
function sizeOf(messages: readonly ChatMessage[], contextTokens: number | undefined) {
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
  const most = contextTokens ?? Number.POSITIVE_INFINITY
  return {
    surelyTooLong: bytes > most * bytesPerToken.most,
    likelyTooLong: bytes > most * bytesPerToken.usual,
    failure: (cause?: unknown): Failure =>
      new Failure(
        'context-too-small',
        `The text is too long for this model: about ${Math.ceil(bytes / bytesPerToken.usual)} tokens, and it reads at most ${most} with its answer.`,
        { advice: 'Shorten the text, or start a new chat.', money: paidNothing, cause, values: { most } },
      ),
  }
}

/** With a text that the model cannot read anyway, more money would not help. */
function isWantOfMoney(thrown: unknown): boolean {
  return thrown instanceof Failure && (thrown.code === 'above-credit' || thrown.code === 'balance-too-low')
}

/** The engine's own refusal comes as an answer with an HTTP status: its text is for people, and what was charged for it is in the end. */
export async function refusal(status: number, { body, end }: QueryHandle, contextTokens: number | undefined): Promise<Failure> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size <= 64 * 1024) chunks.push(chunk)
  }
  let message = `The worker's engine answered with status ${status}.`
  let code = 'engine-refused'
  let notReady = false
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
      notReady = status === 503 && 'code' in parsed.error && parsed.error.code === 'engine-not-ready'
    }
  } catch {
    // An engine that answers an error in another form has still refused; the status says so.
  }
  const { cost = 0n } = await end
  if (notReady && cost === 0n) return new Failure('engine-not-ready', message, { money: paidNothing, retryable: true })
  const money: Sentence =
    cost === 0n
      ? paidNothing
      : { text: `You paid ${exactTon(cost)}.`, words: { code: 'paid', values: { costNano: cost.toString() } } }
  if (code === 'context-too-small')
    return new Failure(code, message, {
      advice: 'Shorten the text, or start a new chat.',
      money,
      ...(contextTokens === undefined ? {} : { values: { most: contextTokens } }),
    })
  return new Failure(code, message, { money, retryable: status >= 500, values: { said: message } })
}

/** `ready` also while the engine starts again: a question asked then waits for it. */
function levelState({ client, modelName, root, worker, engine }: PracticeLink): LevelState {
  const [connection] = client.state.value.connections
  if (!connection) return not('starting', { text: 'Looking for a proxy.', words: { code: 'client-looking' } })
  const { phase, sentence, failure, failureWords } = connection
  if (phase !== 'ready')
    return not('starting', {
      text: [...new Set([sentence, failure])].filter(Boolean).join(' '),
      words: failure === undefined ? { code: `client-${phase}` } : failureWords,
    })
  const { connections, paused } = worker.state.value
  if (paused)
    return not('unavailable', {
      text: 'Earning is paused, so no worker answers. Resume it under Earn.',
      words: { code: 'worker-paused' },
    })
  if (engine.value.status === 'failed')
    return not('unavailable', {
      text: `No worker answers, because the engine stopped: ${engine.value.reason}`,
      words: engine.value.words,
    })
  if (connections[0]?.phase !== 'ready')
    return not('starting', { text: 'The worker is connecting to the proxy.', words: { code: 'worker-connecting' } })
  return { level: 'practice', state: 'ready', model: modelName, ...estimate(root()) }
}

/** The level while it cannot be used. */
function not(state: 'starting' | 'unavailable', { text, words }: Told): LevelState {
  return { level: 'practice', state, reason: text, ...(words && { reasonWords: { ...words } }) }
}

/** A typical short answer: 50 prompt tokens, at 4 bytes each, and 100 completion tokens. */
function estimate(root: RootConfig | null): { estimate?: bigint } {
  return root ? { estimate: estimatedCost({ promptBytes: 200, maxTokens: 100, coefficient: maxCoefficient }, root.params) } : {}
}
