import type { Words } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'
import type { EngineCapabilities } from './capabilities.ts'
import type { LoadNotice } from './load-plan.ts'

/** A call that a model made. `arguments` is JSON text, as the model wrote it. */
export interface ToolCall {
  /** Unique in its conversation; names the result of the call. */
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** A function that the model may call. */
export interface Tool {
  readonly name: string
  readonly description?: string
  /** JSON schema of the arguments, an object; absent: no arguments. What it may hold: json-schema.ts. */
  readonly parameters?: unknown
}

export interface ChatMessage {
  /** `tool`: the result of a call of the assistant's message before. */
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Of the assistant: calls that it made after `content`. Each needs its result among the messages that follow. */
  readonly toolCalls?: readonly ToolCall[]
  /** Of role `tool`: whose result this is. */
  readonly toolCallId?: string
}

/** Binds the whole answer to a form. Not together with tools. */
export type OutputForm =
  | { readonly kind: 'json' }
  | { readonly kind: 'json-schema'; readonly schema: unknown }
  /** `grammar` in GBNF, the notation of llama.cpp. */
  | { readonly kind: 'grammar'; readonly grammar: string }

/** Sampling and limits; absent values take the model's defaults. What an engine cannot do is refused with `not-capable` (see `capabilities`). */
export interface GenerationOptions {
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  /** Only the so many likeliest tokens; 0: all. */
  readonly topK?: number
  /** Only tokens at least so likely, as part of the likeliest one's probability. */
  readonly minP?: number
  readonly seed?: number
  readonly frequencyPenalty?: number
  readonly presencePenalty?: number
  readonly stop?: readonly string[]
  /** Added to the logits of tokens by their numbers in the model's vocabulary, -100 (never) to 100. */
  readonly logitBias?: Readonly<Record<string, number>>
  /** Tells of each token how likely it was, and of so many alternatives (0: of none). */
  readonly logprobs?: number
  readonly output?: OutputForm
  readonly tools?: readonly Tool[]
  /** `auto` (default): the model decides. `none`: tools are only history. Else it must call: any tool, or the named one. */
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly name: string }
  /** `split`: the model's thoughts come as events of their own, without their marks. Default `inline`: as the model wrote them. */
  readonly reasoning?: 'inline' | 'split'
  /**
   * What becomes of a chat that does not fit the context with `maxTokens` (or a quarter of the context) of room for the answer. `drop-oldest`
   * leaves out the oldest messages except the system's, and says so by the event `context`. Default `fail`: `context-too-small`.
   */
  readonly whenFull?: 'fail' | 'drop-oldest'
  /**
   * Who asks. The lane `own` (the default) goes before all others, which take turns when all places are taken: served queries never keep the
   * user's own chat waiting longer than it takes for a place to become free.
   */
  readonly lane?: string
  /**
   * Whose prompt it is. A beginning shared with an earlier prompt of the same scope is not read again. Prompts of different scopes share
   * nothing but the template's opening: what is found in the cache must not tell one caller what another one wrote, or was answered. Default: `own` for the lane `own`, else none.
   */
  readonly cacheScope?: string
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

/** How likely a token was: natural logarithm of its probability after the sampling settings (temperature, penalties, grammar) of the request. */
export interface TokenLogprob {
  readonly text: string
  /** UTF-8 of `text`; null for a token that is a part of a character, whose bytes the library does not tell. */
  readonly bytes: readonly number[] | null
  readonly logprob: number
  /** The likeliest tokens at this place, the likeliest first. */
  readonly top: readonly { readonly text: string; readonly bytes: readonly number[] | null; readonly logprob: number }[]
}

export type EngineEvent =
  /**
   * `tokens`: sampled since the last event with tokens. Their sum may stay below `completionTokens` (end token, stop string).
   * `logprobs`: of those tokens, when asked for.
   */
  | { readonly type: 'text'; readonly text: string; readonly tokens: number; readonly logprobs?: readonly TokenLogprob[] }
  /** A piece of the model's thoughts; only with `reasoning: 'split'`. */
  | { readonly type: 'reasoning'; readonly text: string; readonly tokens: number }
  /** A call of one of the tools, whole; only with `tools`. The answer ends after it with `stop`. */
  | { readonly type: 'tool-call'; readonly call: ToolCall; readonly tokens: number }
  /** Comes first, only with `whenFull: 'drop-oldest'`, when messages were left out. */
  | { readonly type: 'context'; readonly droppedMessages: number; readonly promptTokens: number; readonly contextTokens: number }
  /** Always the last event, also after an abort (`cancelled`): the usage so far. */
  | { readonly type: 'done'; readonly reason: 'stop' | 'length' | 'cancelled'; readonly usage: EngineUsage }

export interface Embeddings {
  /** One for each input, in order; of length 1 by the Euclidean norm. */
  readonly vectors: readonly (readonly number[])[]
  readonly promptTokens: number
}

export type EngineState =
  | { readonly status: 'no-model' }
  | { readonly status: 'loading'; readonly model: string; readonly progress: number }
  | {
      readonly status: 'ready'
      readonly model: string
      readonly contextTokens: number
      readonly backend: string
      /** Graphics cards that the library found for its back end, as it names them; absent: none. */
      readonly devices?: readonly string[]
      /** What the model got less of than asked for, for want of memory; absent: nothing. */
      readonly notices?: readonly LoadNotice[]
    }
  /**
   * The model gave its memory back. `idle`: nothing was asked for a while, the next request brings it back. `yielded`: another program was given
   * the graphics card; requests fail, and may be tried again later.
   */
  | { readonly status: 'asleep'; readonly model: string; readonly contextTokens: number; readonly why: 'idle' | 'yielded' }
  /** `words`: the reason for other languages; undefined for a defect. */
  | { readonly status: 'restarting'; readonly reason: string; readonly words?: Words | undefined }
  /** `isCrash`: the process ended each time that it loaded the model, so that the same may work later. Nothing is loaded until somebody says so. */
  | { readonly status: 'failed'; readonly reason: string; readonly words?: Words | undefined; readonly isCrash?: boolean }

type Able = Extract<EngineState, { status: 'ready' }> | (Extract<EngineState, { status: 'asleep' }> & { readonly why: 'idle' })

/** Whether a request would be answered: a model that sleeps for want of work comes back with the first one. */
export function canAnswer(state: EngineState): state is Able {
  return state.status === 'ready' || (state.status === 'asleep' && state.why === 'idle')
}

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

/** An engine of which the caller can ask before what it can do. */
export interface CapableEngine extends Engine {
  /** Of the loaded model; `noCapabilities` while there is none. */
  readonly capabilities: EngineCapabilities
  /** Throws `Failure` as `chat`, and `not-capable`. An abort rejects with `Failure` `cancelled`. */
  embed(inputs: readonly string[], signal: AbortSignal): Promise<Embeddings>
}
