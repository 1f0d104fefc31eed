import { type AdjustedTokens, adjustUsage, type Multipliers, type TokenCounts } from '../accounting/adjusted-tokens.ts'
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
    const expectedTokens = Math.max(this.#textEvents, Math.ceil(this.#textBytes / bytesPerToken) + this.#broken)
    return {
      textEvents: this.#textEvents,
      textBytes: this.#textBytes,
      expectedTokens,
      toleratedTokens: Math.floor(expectedTokens * tolerance.factor) + tolerance.more,
      billedTokens,
    }
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
  const recount = text.finish(counts.completionTokens)
  const isUnpaid = end.tokens_used.total_tokens_used === 0n
  const adjusted = adjustUsage(counts, end.coefficient, asked.multipliers)
  const found: [boolean, UsageDeviation][] = [
    [stated.total > end.tokens_used.total_tokens_used, 'stated-above-worker'],
    [!isUnpaid && adjusted.total !== end.tokens_used.total_tokens_used, 'adjusted-wrongly'],
    [end.coefficient > asked.maxCoefficient, 'coefficient-above-limit'],
    [counts.completionTokens > recount.toleratedTokens, 'completion-beyond-tolerance'],
    [counts.promptTokens > asked.queryBytes + templateTokens, 'prompt-beyond-tolerance'],
  ]
  const deviations = found.filter(([isSo]) => isSo).map(([, name]) => name)
  return { statedTokens: stated.total.toString(), worker, recount, deviations }
}
