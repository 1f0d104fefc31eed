import { createHash, type Hash } from 'node:crypto'
import type { ReceiptAttestation } from '../../preload/api/receipt.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError, Failure, type Sentence } from '../base/failure.ts'
import type { BackendEvent } from '../chat/backend.ts'
import { passed, unsent } from '../chat/privacy/passed.ts'
import type { Gate, Permit } from '../chat/privacy/seal-keeper.ts'
import { estimatedCost } from '../client/budget.ts'
import { readChatCompletion } from '../client/chat-completion.ts'
import type { MayGo, ObjectionTo, SealWish } from '../client/chat-query.ts'
import type { Client } from '../client/client.ts'
import { paidNothing } from '../client/query-failure.ts'
import type { QueryEnd, QueryHandle } from '../client/running-query.ts'
import type { ChatMessage, EngineUsage } from '../inference/engine.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { receiptMaker } from './receipts.ts'
import { type Asked, SecondChance } from './second-chance.ts'
import { turnSealOf } from './turn-seal.ts'

/** What a request over the network may cost at most (architecture, Networks). */
export const maxCoefficient = 1000
export const maxTokens = 512
/** What the protocol takes for a prompt token (protocol 70 §4), and more than any tokenizer puts into one over a whole text. */
const bytesPerToken = { usual: 4, most: 8 } as const

/** What turns of a chat go through. */
export interface AnsweringNetwork extends Asked {
  readonly client: Client
  /** Base name of the model that the network serves. */
  readonly model: string
  /** How much it reads now, its answer included; the network does not tell it. Undefined when it is not known here. */
  readonly contextTokens: () => number | undefined
  readonly root: () => RootConfig | null
  /** Whether a connection of the client is, now, the one that a permit names. */
  readonly isPermitted: (connection: PacketConnection, permitted: string) => boolean
}

/** What is asked of the seal of a question, and whom it may be sealed to: see `ChatRequest`. */
export interface Wish {
  readonly seal: SealWish
  readonly objectionTo?: ObjectionTo
}

interface Question {
  readonly messages: readonly ChatMessage[]
  /** See `ChatRequest.conversation`. */
  readonly conversation: string
  /** Looked at for each attempt, once its permit is given: the check behind it may have changed what is promised. */
  readonly wish: (permit: Permit) => Wish
  /** What was attested about the machines of an answer, for its receipt. Never rejects. */
  readonly attested?: (seal: SealOutcome) => Promise<ReceiptAttestation>
}

/** Answers one turn over a network, and asks again where that costs nothing and can help. Throws `Failure` as `ChatBackend.answer`. */
export async function* answerOver(
  link: AnsweringNetwork,
  { messages, ...asked }: Question,
  gate: Gate,
  signal: AbortSignal,
): AsyncGenerator<BackendEvent> {
  const size = sizeOf(messages, link.contextTokens())
  if (size.surelyTooLong) throw size.failure()
  const chance = new SecondChance(link, signal)
  while (!signal.aborted) {
    let begun = false
    try {
      const permit = await passed(gate, signal)
      if (!permit) break
      for await (const event of askOnce(link, { messages, size, permit, ...asked }, signal)) {
        if (event.type !== 'seal') begun = true
        yield event
      }
      return
    } catch (thrown) {
      if (begun || !(await chance.again(thrown))) throw thrown
    }
  }
  yield { ...unsent, money: { adjustedTokens: 0, cost: 0n } }
}

async function* askOnce(
  link: AnsweringNetwork,
  {
    messages,
    conversation,
    size,
    permit,
    wish,
    attested,
  }: Question & { readonly size: ReturnType<typeof sizeOf>; readonly permit: Permit },
  signal: AbortSignal,
): AsyncGenerator<BackendEvent> {
  const { client, model } = link
  const body = JSON.stringify({ model, messages, stream: true, max_tokens: maxTokens })
  const receipts = receiptMaker(client, link.root, 'local')
  let query: QueryHandle | undefined
  // Whoever makes a receipt goes on listening for it; every other way out ends that, a reader who leaves early included.
  let isMade = false
  try {
    const mayGo = mayGoBy(link, permit)
    query = client.runChat({ model, body, maxTokens, maxCoefficient, mayGo, conversation, ...wish(permit) }, signal)
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
      const end = await query.end
      yield sealOf(query)
      yield final(end, undefined, false, link.root())
      return
    }
    yield sealOf(query)
    if (head.status !== 200) {
      throw await refusal(head.status, query, link.contextTokens())
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
      seal: query.seal,
      attestation: attested?.(query.seal),
    })
    yield sealOf(query)
    yield { ...final(end, usage, length, link.root()), receipt }
  } catch (thrown) {
    if (query !== undefined) yield sealOf(query)
    throw thrown
  } finally {
    if (!isMade) receipts.stop()
  }
}

const sealOf = ({ seal }: QueryHandle): BackendEvent => ({ type: 'seal', seal: turnSealOf(seal) })

/** Asked right before a sending: over the connection that the permit names, and no other. */
export function mayGoBy({ isPermitted }: Pick<AnsweringNetwork, 'isPermitted'>, { connection }: Permit): MayGo {
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
      // Workers before wrote it with hyphens.
      notReady = status === 503 && 'code' in parsed.error && /^engine[-_]not[-_]ready$/.test(String(parsed.error.code))
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

/** A typical short answer: 50 prompt tokens, at 4 bytes each, and 100 completion tokens. */
export function estimate(root: RootConfig | null): { estimate?: bigint } {
  return root ? { estimate: estimatedCost({ promptBytes: 200, maxTokens: 100, coefficient: maxCoefficient }, root.params) } : {}
}
