import { encodeHttpResponse } from '../protocol/http/http-message.ts'
import type { AnswerSealer } from '../protocol/sealed/direct/answer-sealer.ts'
import { sealedErrorWords } from '../protocol/sealed/direct/refusals.ts'
import { encode } from '../protocol/tl/codec.ts'
import { type FinalInfo, type Reply, tokensUsed } from './query-reply.ts'

/** Of an error so much is sealed that its text stays short enough to be passed on. */
const mostErrorLetters = 400

/** Says nothing of the answer: its own head is sealed. */
const outerHead = { status: 200, reason: 'OK', headers: [['Content-Type', 'application/octet-stream']] } as const

/** Seals an answer on its way out (docs/protocol-extensions.md): the proxy sees sizes, times and the bill. */
export class SealedReply implements Reply {
  readonly #inner: Reply
  readonly #sealer: AnswerSealer
  readonly #coefficient: number

  /** @param coefficient the worker's price factor in thousandths, told to the client */
  constructor(inner: Reply, sealer: AnswerSealer, coefficient: number) {
    this.#inner = inner
    this.#sealer = sealer
    this.#coefficient = coefficient
  }

  async answer(response: Uint8Array, final?: FinalInfo): Promise<void> {
    const sealed = [this.#sealer.seal('head', response), ...this.#end(final)]
    await this.#inner.answer(encodeHttpResponse(outerHead, Buffer.concat(sealed)), final)
  }

  async part(bytes: Uint8Array, final?: FinalInfo): Promise<void> {
    // Each token of a stream comes by here.
    if (final === undefined) return bytes.length === 0 ? undefined : this.#inner.part(this.#sealer.seal('data', bytes))
    const sealed = bytes.length === 0 ? [] : [this.#sealer.seal('data', bytes)]
    await this.#inner.part(Buffer.concat([...sealed, ...this.#end(final)]), final)
  }

  /** The code stays readable: the proxy has to know that nobody pays. */
  async error(code: number, text: string, final: FinalInfo): Promise<void> {
    const sealed = this.#sealer.seal('error', encode({ '@type': 'sealed.error', code, text: text.slice(0, mostErrorLetters) }))
    await this.#inner.error(code, `${sealedErrorWords}${Buffer.from(sealed).toString('base64')}`, final)
  }

  /** The marker of the end, with the usage as this worker states it: a proxy that changes it outside is found out. */
  #end(final: FinalInfo | undefined): Uint8Array[] {
    if (final === undefined) return []
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = final.counts
    const end = encode({
      '@type': 'sealed.end',
      prompt_tokens: BigInt(promptTokens),
      cached_tokens: BigInt(cachedTokens),
      completion_tokens: BigInt(completionTokens),
      reasoning_tokens: BigInt(reasoningTokens),
      coefficient: this.#coefficient,
      tokens_used: tokensUsed(final.tokens),
    })
    return [this.#sealer.seal('end', end)]
  }
}
