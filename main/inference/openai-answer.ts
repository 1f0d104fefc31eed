import { randomUUID } from 'node:crypto'
import type { Embeddings, EngineEvent, EngineUsage, TokenLogprob, ToolCall } from './engine.ts'
import type { ParsedEmbedding, ParsedRequest } from './openai-request.ts'

interface PlacedLogprob extends TokenLogprob {
  readonly offset: number
}

type Piece = Exclude<EngineEvent, { type: 'done' | 'context' }>

/** The JSON objects of one answer, whole or in chunks. */
export class AnswerShape {
  readonly #chat: boolean
  readonly #head: { id: string; created: number; model: string }
  readonly #usageLater: boolean
  readonly #logprobs: PlacedLogprob[] = []
  readonly #calls: ToolCall[] = []
  /** Of the piece that was added last. */
  #placed: readonly PlacedLogprob[] = []
  #text = ''
  #reasoning = ''

  constructor(parsed: ParsedRequest, model: string) {
    this.#chat = parsed.input.kind === 'chat'
    this.#usageLater = parsed.stream && parsed.includeUsage
    this.#head = { id: `${this.#chat ? 'chatcmpl' : 'cmpl'}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model }
  }

  /** Takes a piece in for `whole` and `finish`. */
  add(piece: Piece): void {
    if (piece.type === 'tool-call') this.#calls.push(piece.call)
    else if (piece.type === 'reasoning') this.#reasoning += piece.text
    else {
      this.#placed = placed(piece.logprobs ?? [], this.#text)
      this.#logprobs.push(...this.#placed)
      this.#text += piece.text
    }
  }

  opening(): object | undefined {
    return this.#chat ? this.#chunk({ role: 'assistant', content: '' }, null, []) : undefined
  }

  /** A piece that was added last, as an event. */
  piece(piece: Piece): object {
    if (piece.type === 'text') return this.#chunk({ content: piece.text }, null, this.#placed)
    if (piece.type === 'reasoning') return this.#chunk({ reasoning_content: piece.text }, null, [])
    // Calls come whole; the one before was counted by `add`.
    return this.#chunk({ tool_calls: [{ index: this.#calls.length - 1, ...callBody(piece.call) }] }, null, [])
  }

  finish(reason: 'stop' | 'length'): object {
    return this.#chunk({}, this.#finishReason(reason), [])
  }

  usage(usage: EngineUsage): object {
    return { ...this.#head, object: this.#chunkObject, choices: [], usage: usageBody(usage) }
  }

  whole(reason: 'stop' | 'length', usage: EngineUsage): object {
    const message = {
      role: 'assistant',
      content: this.#text === '' && this.#calls.length > 0 ? null : this.#text,
      refusal: null,
      ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
      ...(this.#calls.length > 0 && { tool_calls: this.#calls.map(callBody) }),
    }
    const choice = this.#chat ? { message } : { text: this.#text }
    const logprobs = this.#logprobsBody(this.#logprobs)
    return {
      ...this.#head,
      object: this.#chat ? 'chat.completion' : 'text_completion',
      choices: [{ index: 0, ...choice, logprobs, finish_reason: this.#finishReason(reason) }],
      usage: usageBody(usage),
    }
  }

  get #chunkObject(): string {
    return this.#chat ? 'chat.completion.chunk' : 'text_completion'
  }

  #finishReason(reason: 'stop' | 'length'): string {
    return this.#calls.length > 0 ? 'tool_calls' : reason
  }

  #chunk(
    delta: { content?: string; [field: string]: unknown },
    finish_reason: string | null,
    logprobs: readonly PlacedLogprob[],
  ): object {
    const choice = this.#chat ? { delta } : { text: delta.content ?? '' }
    return {
      ...this.#head,
      object: this.#chunkObject,
      choices: [{ index: 0, ...choice, logprobs: this.#logprobsBody(logprobs), finish_reason }],
      ...(this.#usageLater && { usage: null }),
    }
  }

  #logprobsBody(tokens: readonly PlacedLogprob[]): object | null {
    if (tokens.length === 0) return null
    if (!this.#chat)
      return {
        tokens: tokens.map(({ text }) => text),
        token_logprobs: tokens.map(({ logprob }) => logprob),
        text_offset: tokens.map(({ offset }) => offset),
        top_logprobs: tokens.map(({ top }) => Object.fromEntries(top.map(({ text, logprob }) => [text, logprob]))),
      }
    const body = ({ text, logprob, bytes }: TokenLogprob['top'][number]) => ({ token: text, logprob, bytes })
    return { content: tokens.map((one) => ({ ...body(one), top_logprobs: one.top.map(body) })), refusal: null }
  }
}

/** Where in the answer each token begins, in characters of Unicode; those that make one character together begin where it does not end yet. */
function placed(tokens: readonly TokenLogprob[], before: string): PlacedLogprob[] {
  if (tokens.length === 0) return []
  let offset = [...before].length
  return tokens.map((token) => {
    const at = { ...token, offset }
    offset += [...token.text].length
    return at
  })
}

export function embeddingsBody({ encoding }: ParsedEmbedding, { vectors, promptTokens }: Embeddings, model: string): object {
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encoding === 'float' ? vector : Buffer.from(new Float32Array(vector).buffer).toString('base64'),
  }))
  return { object: 'list', data, model, usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } }
}

function callBody({ id, name, arguments: text }: ToolCall): object {
  return { id, type: 'function', function: { name, arguments: text } }
}

/** The fields a worker counts by (protocol 40 §6). */
function usageBody(usage: EngineUsage): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
}
