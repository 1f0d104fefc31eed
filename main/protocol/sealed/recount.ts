import {
  type AdjustedTokens,
  adjustTokens,
  adjustUsage,
  type Multipliers,
  type TokenCounts,
} from '../accounting/adjusted-tokens.ts'
import { SseSplitter, SseTooLongError, sseData } from '../http/sse-splitter.ts'
import type { TlObject } from '../tl/types.ts'
import type { Recount, SealedUsage, UsageDeviation, UsageEvidence } from './outcome.ts'

const decoder = new TextDecoder()
/** A document up to this size is looked at; a longer one counts by its bytes alone. */
const mostDocumentBytes = 4 << 20
const lookBytes = 32 * 1024
const bytesPerToken = 4
const tolerance = { factor: 1.5, more: 32 } as const
/** What a chat template may add to a prompt of at most one token for each byte. */
const templateTokens = 1024

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

/** How many tokens a text can have by its count, and how many are not taken for wrong yet. */
export function answerTokensOf({
  textEvents,
  textBytes,
  brokenTokens,
}: Pick<Recount, 'textEvents' | 'textBytes' | 'brokenTokens'>): Pick<Recount, 'expectedTokens' | 'toleratedTokens'> {
  const expectedTokens = Math.max(textEvents, Math.ceil(textBytes / bytesPerToken) + brokenTokens)
  return { expectedTokens, toleratedTokens: Math.floor(expectedTokens * tolerance.factor) + tolerance.more }
}

/** Counts the text of one answer as it comes. It reads what a stranger sent, and throws for none of it. */
export class TextCount {
  #form: 'unknown' | 'stream' | 'document' = 'unknown'
  #splitter: SseSplitter | undefined = new SseSplitter()
  #document: Uint8Array[] = []
  #documentBytes = 0
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #textEvents = 0
  #textBytes = 0
  /** Letters that stand for bytes of broken text: each may have been a token. */
  #broken = 0

  /** Keeps what it is given until there is enough to be worth a look: nobody waits for a count, and a stream should not wait for it. */
  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= lookBytes) this.#look()
  }

  #look(): void {
    const bytes = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    if (this.#form === 'unknown') {
      const first = bytes.find((byte) => byte > 0x20)
      if (first !== undefined) this.#form = first === 0x7b || first === 0x5b ? 'document' : 'stream'
    }
    if (this.#form === 'document') return this.#hold(bytes)
    try {
      for (const event of this.#splitter?.push(bytes) ?? []) this.#read(sseData(event), 'event')
    } catch (thrown) {
      if (!(thrown instanceof SseTooLongError)) throw thrown
      this.#splitter = undefined
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#documentBytes += bytes.length
    if (this.#documentBytes <= mostDocumentBytes) this.#document.push(bytes)
    else this.#document = []
  }

  /** The count of everything so far. @param billedTokens real answer tokens that the bill is for */
  finish(billedTokens: number | null): Recount {
    this.#look()
    if (this.#splitter !== undefined && this.#form === 'stream') this.#read(sseData(this.#splitter.rest()), 'event')
    if (this.#document.length > 0) this.#read(decoder.decode(Buffer.concat(this.#document)), 'document')
    else this.#textBytes += this.#documentBytes
    this.#splitter = undefined
    this.#document = []
    this.#documentBytes = 0
    const counted = { textEvents: this.#textEvents, textBytes: this.#textBytes, brokenTokens: this.#broken }
    return { ...counted, ...answerTokensOf(counted), billedTokens }
  }

  #read(text: string | undefined, as: 'event' | 'document'): void {
    if (text === undefined || text === '[DONE]') return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // No text that a person would see.
      return
    }
    const texts = textsOf(value)
    for (const one of texts) {
      this.#textBytes += Buffer.byteLength(one)
      for (let at = one.indexOf('\ufffd'); at >= 0; at = one.indexOf('\ufffd', at + 1)) this.#broken += 3
    }
    if (as === 'event' && texts.length > 0) this.#textEvents += 1
  }
}

/** Generated text in one chunk or completion. */
function textsOf(value: unknown): string[] {
  if (!isObject(value)) return []
  if (!Array.isArray(value.choices)) return transcriptIn(value)
  return value.choices.flatMap((choice: unknown) => {
    if (!isObject(choice)) return []
    const message = choice.delta ?? choice.message
    const fields = isObject(message) ? [message.content, message.reasoning_content] : []
    return [...fields, choice.text].filter((text) => typeof text === 'string' && text !== '') as string[]
  })
}

/** Words of a transcription: the whole in a document, a piece in an event (protocol 95 §5). The last event says all of them once more. */
function transcriptIn({ type, delta, text }: Readonly<Record<string, unknown>>): string[] {
  const words = type === 'transcript.text.delta' ? delta : type === undefined ? text : undefined
  return typeof words === 'string' && words !== '' ? [words] : []
}

/** What this side knows of its own question. */
export interface Asked {
  /** Bytes of the question before it was sealed. */
  readonly queryBytes: number
  /** Thousandths. */
  readonly maxCoefficient: number
  readonly multipliers: Multipliers
}

/**
 * Real tokens that a worker's statement has paid for. Cached are part of the prompt and reasoning of the answer, but `adjustUsage` takes more of the part than of
 * the whole as it is stated.
 */
export const paidTokensOf = ({
  promptTokens,
  cachedTokens,
  completionTokens,
  reasoningTokens,
}: TokenCounts): { readonly prompt: number; readonly answer: number } => ({
  prompt: Math.max(promptTokens, cachedTokens),
  answer: Math.max(completionTokens, reasoningTokens),
})

/** The worker's word inside the seal, the proxy's outside, and the count of this side, held against each other. */
export function judgeSealedUsage(
  stated: AdjustedTokens,
  end: TlObject<'sealed.end'>,
  text: TextCount,
  asked: Asked,
): UsageEvidence {
  const counts: TokenCounts = {
    promptTokens: Number(end.prompt_tokens),
    cachedTokens: Number(end.cached_tokens),
    completionTokens: Number(end.completion_tokens),
    reasoningTokens: Number(end.reasoning_tokens),
  }
  const worker: SealedUsage = {
    ...counts,
    coefficient: end.coefficient,
    adjustedTokens: end.tokens_used.total_tokens_used.toString(),
  }
  const { queryBytes, maxCoefficient, multipliers } = asked
  const numbers = { asked: { queryBytes, maxCoefficient }, worker, recount: text.finish(paidTokensOf(counts).answer) }
  return { ...numbers, statedTokens: stated.total.toString(), deviations: deviationsOf(stated, numbers, multipliers) }
}

/** Where nobody but the proxy states a usage: its bill against the text, in scheme v1. */
export function judgeStatedUsage(stated: AdjustedTokens, text: TextCount, asked: Asked): UsageEvidence {
  const { queryBytes, maxCoefficient, multipliers } = asked
  const numbers = { asked: { queryBytes, maxCoefficient }, worker: null, recount: text.finish(null) }
  return { ...numbers, statedTokens: stated.total.toString(), deviations: deviationsOf(stated, numbers, multipliers) }
}

/** What in a bill does not fit, by its numbers alone: whoever has these and the network's terms comes to the same. */
export function deviationsOf(
  stated: AdjustedTokens,
  { asked, worker, recount }: Pick<UsageEvidence, 'asked' | 'worker' | 'recount'>,
  multipliers: Multipliers,
): UsageDeviation[] {
  const { toleratedTokens } = recount
  const mostPrompt = asked.queryBytes + templateTokens
  const found: [boolean, UsageDeviation][] =
    worker === null
      ? [
          [
            stated.completion + stated.reasoning > dearest(toleratedTokens, ['completion', 'reasoning']),
            'completion-beyond-tolerance',
          ],
          [stated.prompt + stated.cached > dearest(mostPrompt, ['prompt', 'cached']), 'prompt-beyond-tolerance'],
        ]
      : [
          [stated.total > BigInt(worker.adjustedTokens), 'stated-above-worker'],
          [isWronglyAdjusted(worker, multipliers), 'adjusted-wrongly'],
          [worker.coefficient > asked.maxCoefficient, 'coefficient-above-limit'],
          [paidTokensOf(worker).answer > toleratedTokens, 'completion-beyond-tolerance'],
          [paidTokensOf(worker).prompt > mostPrompt, 'prompt-beyond-tolerance'],
        ]
  return found.filter(([isSo]) => isSo).map(([, name]) => name)

  function dearest(tokens: number, kinds: readonly (keyof Multipliers)[]): bigint {
    return adjustTokens(tokens, asked.maxCoefficient, Math.max(...kinds.map((kind) => multipliers[kind])))
  }
}

function isWronglyAdjusted({ adjustedTokens, coefficient, ...counts }: SealedUsage, multipliers: Multipliers): boolean {
  const adjusted = BigInt(adjustedTokens)
  // An answer that is not paid for.
  return adjusted !== 0n && adjustUsage(counts, coefficient, multipliers).total !== adjusted
}
