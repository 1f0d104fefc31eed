import type { Words } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** Sampling and limits; absent values take the model's defaults. */
export interface GenerationOptions {
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly seed?: number
  readonly frequencyPenalty?: number
  readonly presencePenalty?: number
  readonly stop?: readonly string[]
  /**
   * Who asks. When all places are taken the lanes take turns, so that served queries cannot starve the user's own chat.
   * Absent: the lane `own`.
   */
  readonly lane?: string
}

/** Exact counts by the engine's own tokenizer. */
export interface EngineUsage {
  readonly promptTokens: number
  /** Prompt tokens that were found in the prefix cache; part of promptTokens. */
  readonly cachedTokens: number
  /** Every sampled token, also the one that ended the answer and those of a stop string. */
  readonly completionTokens: number
  /** Part of completionTokens. */
  readonly reasoningTokens: number
}

export type EngineEvent =
  /** `tokens`: sampled since the last text event. Their sum may stay below `completionTokens` (end token, stop string). */
  | { readonly type: 'text'; readonly text: string; readonly tokens: number }
  /** Always the last event, also after an abort (`cancelled`): the usage so far. */
  | { readonly type: 'done'; readonly reason: 'stop' | 'length' | 'cancelled'; readonly usage: EngineUsage }

export type EngineState =
  | { readonly status: 'no-model' }
  | { readonly status: 'loading'; readonly model: string; readonly progress: number }
  | { readonly status: 'ready'; readonly model: string; readonly contextTokens: number; readonly backend: string }
  /** `words`: the reason for other languages; undefined for a defect. */
  | { readonly status: 'restarting'; readonly reason: string; readonly words?: Words | undefined }
  | { readonly status: 'failed'; readonly reason: string; readonly words?: Words | undefined }

/**
 * One loaded model that answers. Runs in a process of its own; a crash of it surfaces as `Failure<'engine-crashed'>`
 * from the running generations and as state `restarting`, never as a crash of the core.
 */
export interface Engine {
  readonly state: Watchable<EngineState>
  /** Chat by the model's own template. Throws `Failure` with code `engine-not-ready`, `engine-crashed` or `context-too-small`. */
  chat(messages: readonly ChatMessage[], options: GenerationOptions, signal: AbortSignal): AsyncIterable<EngineEvent>
  /** Plain continuation of `prompt` (OpenAI's /v1/completions). */
  complete(prompt: string, options: GenerationOptions, signal: AbortSignal): AsyncIterable<EngineEvent>
}
