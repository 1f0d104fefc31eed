import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp'
import { asError, Failure } from '../base/failure.ts'
import type { Embeddings } from './engine.ts'
import { isTooLongFor } from './prompt-tokens.ts'
import type { SequencePlaces } from './sequence-places.ts'

/** Of all texts of a request together: they are read into tokens in one go. */
const mostTokens = 300_000
const lane = 'embeddings'

/**
 * Reads texts into vectors, one after the other, with a context of its own beside that of the answers; it is made at first use. Each text waits in the
 * line of the answers and takes one of their places while it is read.
 */
export class Embedder {
  readonly #model: LlamaModel
  readonly #places: SequencePlaces
  readonly #contextTokens: number
  readonly #threads: number
  #context: Promise<LlamaEmbeddingContext> | undefined

  constructor(model: LlamaModel, places: SequencePlaces, contextTokens: number, threads: number) {
    this.#model = model
    this.#places = places
    this.#contextTokens = contextTokens
    this.#threads = threads
  }

  /** @throws Failure `bad-request` for an empty text or too many tokens together, `context-too-small`; the reason of the signal, between two texts */
  async embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    const prompts = this.#prompts(inputs)
    const promptTokens = prompts.reduce((sum, { length }) => sum + length, 0)
    this.#context ??= this.#open()
    const context = await this.#context
    const vectors: number[][] = []
    for (const prompt of prompts) {
      if (signal.aborted) throw asError(signal.reason)
      vectors.push(await this.#vector(context, prompt, signal))
    }
    return { vectors, promptTokens }
  }

  #prompts(inputs: readonly string[]): Token[][] {
    let total = 0
    return inputs.map((input, index) => {
      if (isTooLongFor(this.#contextTokens, input.length))
        throw new Failure(
          'context-too-small',
          `The text ${index + 1} has ${input.length} characters, but the model reads at most ${this.#contextTokens} tokens.`,
        )
      const prompt = this.#model.tokenize(input)
      const { length } = prompt
      if (length === 0) throw bad(`The text ${index + 1} is empty.`)
      // The library adds its marks of beginning and end, and keeps one free.
      if (length > this.#contextTokens - 3)
        throw new Failure(
          'context-too-small',
          `The text ${index + 1} has ${length} tokens, but the model reads at most ${this.#contextTokens}.`,
        )
      total += length
      if (total > mostTokens) throw bad(`The texts have more than ${mostTokens} tokens together.`)
      return prompt
    })
  }

  async #vector(context: LlamaEmbeddingContext, prompt: readonly Token[], signal: AbortSignal): Promise<number[]> {
    const place = await this.#places.acquire({ lane, tokens: [], opening: 0, scope: undefined }, signal)
    if (place === undefined) throw asError(signal.reason)
    try {
      const { vector } = await context.getEmbeddingFor([...prompt])
      return normal(vector)
    } finally {
      // What lies in the place is as it was.
      this.#places.release(place, place.lastScope)
    }
  }

  async #open(): Promise<LlamaEmbeddingContext> {
    try {
      return await this.#model.createEmbeddingContext({ contextSize: { max: this.#contextTokens }, threads: this.#threads })
    } catch (thrown) {
      this.#context = undefined
      throw thrown
    }
  }
}

const bad = (message: string): Failure<'bad-request'> => new Failure('bad-request', message, { values: { field: 'input' } })

/** Of length 1, so that a product of two vectors is their likeness. */
function normal(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector)
  return length === 0 ? [...vector] : vector.map((value) => value / length)
}
