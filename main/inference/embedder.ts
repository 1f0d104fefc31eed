import type { LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp'
import { Failure } from '../base/failure.ts'
import type { Embeddings } from './engine.ts'

/** Reads texts into vectors, one after the other, with a context of its own beside that of the answers; it is made at first use. */
export class Embedder {
  readonly #model: LlamaModel
  readonly #contextTokens: number
  readonly #threads: number
  #context: Promise<LlamaEmbeddingContext> | undefined

  constructor(model: LlamaModel, contextTokens: number, threads: number) {
    this.#model = model
    this.#contextTokens = contextTokens
    this.#threads = threads
  }

  /** @throws Failure `bad-request` for an empty text, `context-too-small`; the reason of the signal, between two texts */
  async embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    const prompts = inputs.map((input) => this.#model.tokenize(input))
    for (const [index, { length }] of prompts.entries()) {
      if (length === 0) throw new Failure('bad-request', `The text ${index + 1} is empty.`)
      // The library adds its marks of beginning and end, and keeps one free.
      if (length > this.#contextTokens - 3)
        throw new Failure(
          'context-too-small',
          `The text ${index + 1} has ${length} tokens, but the model reads at most ${this.#contextTokens}.`,
        )
    }
    this.#context ??= this.#open()
    const context = await this.#context
    const vectors: number[][] = []
    for (const prompt of prompts) {
      signal.throwIfAborted()
      const { vector } = await context.getEmbeddingFor([...prompt])
      vectors.push(normal(vector))
    }
    return { vectors, promptTokens: prompts.reduce((sum, { length }) => sum + length, 0) }
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

/** Of length 1, so that a product of two vectors is their likeness. */
function normal(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector)
  return length === 0 ? [...vector] : vector.map((value) => value / length)
}
