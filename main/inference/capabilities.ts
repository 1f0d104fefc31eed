/**
 * What an engine does with the fields of a request. A field that is not listed as capable is refused by the engine, never dropped: the caller
 * can know it before it sends. Names are those of `GenerationOptions` where there is one.
 */
export interface EngineCapabilities {
  /** Longest prompt with its answer, in tokens; null where it is not known (a server that does not tell). */
  readonly contextTokens: number | null
  readonly chat: boolean
  /** Plain continuation of a text. */
  readonly complete: boolean
  readonly embeddings: boolean
  /** `tools` and messages with `toolCalls` or of role `tool`. */
  readonly tools: boolean
  /** More than one call in one answer. Where it is false an answer holds one call at most. */
  readonly parallelToolCalls: boolean
  /** `output: {kind: 'json'}`: any JSON object. */
  readonly json: boolean
  /** `output: {kind: 'json-schema'}`: see json-schema.ts for what a schema may hold. */
  readonly jsonSchema: boolean
  /** `output: {kind: 'grammar'}`: GBNF. */
  readonly grammar: boolean
  readonly seed: boolean
  readonly stop: boolean
  readonly penalties: boolean
  readonly topK: boolean
  readonly minP: boolean
  readonly logitBias: boolean
  /** Most alternatives for each token (`logprobs`); null: no log probabilities at all. */
  readonly topLogprobs: number | null
  /** `reasoning: 'split'`; false also for a model without marks around its thoughts. */
  readonly reasoningSplit: boolean
  /** `whenFull: 'drop-oldest'`. */
  readonly dropOldest: boolean
  /** Pictures in messages. */
  readonly images: boolean
  /** Answers to one request (OpenAI's `n`). */
  readonly answers: number
}

/** Of what is not loaded. */
export const noCapabilities: EngineCapabilities = {
  contextTokens: null,
  chat: false,
  complete: false,
  embeddings: false,
  tools: false,
  parallelToolCalls: false,
  json: false,
  jsonSchema: false,
  grammar: false,
  seed: false,
  stop: false,
  penalties: false,
  topK: false,
  minP: false,
  logitBias: false,
  topLogprobs: null,
  reasoningSplit: false,
  dropOldest: false,
  images: false,
  answers: 1,
}
