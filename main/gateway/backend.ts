import type { PrivacyLevel } from '../../preload/api/chat.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { ApiRequest } from './api-request.ts'

/** A model that can be asked at one place now. */
export interface Offer {
  /** Base name; in the API the back end's prefix stands before it. */
  readonly model: string
  /** Null for a model that was not loaded yet, which is known to be there and no more. */
  readonly capabilities: EngineCapabilities | null
  /** Of a model of this computer: false where its first request loads it. */
  readonly isLoaded?: boolean
}

/** A model that can be asked for nothing is no offer: its engine is loading another one. */
export const canBeAsked = ({ chat, complete, embeddings }: EngineCapabilities): boolean => chat || complete || embeddings

export interface AnswerHead {
  readonly status: number
  readonly contentType: string
}

/** How an answer ended, also one that failed. */
export interface AnswerEnd {
  /** nanoton; undefined where nobody told: it may be anything up to the worst case. */
  readonly costNano: bigint | undefined
  /** Real tokens, where the answer itself did not tell them. */
  readonly usage?: { readonly promptTokens: number; readonly completionTokens: number }
}

/** An answer under way. */
export interface RunningAnswer {
  /** Rejects with a `Failure` when there is no answer. */
  readonly head: Promise<AnswerHead>
  /**
   * OpenAI's form: one JSON document, or server-sent events whose last one before `[DONE]` tells the usage. Ends early when the signal aborts. To be read
   * to its end or given up; only after `head` resolved.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Never rejects. Settles when the body was read to its end or given up, or `head` rejected. */
  readonly end: Promise<AnswerEnd>
}

/** Passed right before each sending; rejects with a `Failure` when the place has not been verified. Nothing was sent then. */
export type Permission = (signal: AbortSignal) => Promise<unknown>

export interface PreparedAnswer {
  /** Most that it may cost, in nanoton; 0 for what is free. */
  readonly worstCaseNano: bigint
  /** Called once at most, and only after that much was put aside. */
  run(signal: AbortSignal): RunningAnswer
}

/** One place where requests are answered: this computer, or a network. */
export interface GatewayBackend {
  readonly level: PrivacyLevel
  /** Stands before its models' names, e.g. `local` in `local/SmolLM2`. */
  readonly prefix: string
  /** Whether the user has to agree once for each key before requests go there (ui.md §3.5). */
  readonly needsConsent: boolean
  /** A wider level whose readers read what is asked here now, so that a key needs the user's word for that too; undefined: none, as when left out. */
  readAlsoAt?(): PrivacyLevel | undefined
  /** Most that the smallest request there may cost, in nanoton; undefined where nothing is paid, or it is not known now. */
  leastAside?(): bigint | undefined
  /** Empty while nothing answers there. */
  offers(): readonly Offer[]
  /** Left out: while there are offers. */
  isReady?(): boolean
  /** A sentence for callers: why `offers` is empty. */
  trouble(): string
  /** Why a model of this place that is no offer now cannot be asked; undefined where there is none of that name. */
  troubleOf?(model: string): string | undefined
  /** In how many seconds such trouble may be over; null: not by itself. Default: in a second. */
  retryAfterS?(model: string): number | null
  /**
   * Loads an offer that is not loaded; afterwards its capabilities are known. Resolves, with nothing done, when `signal` aborts.
   * @throws ApiRefusal, Failure
   */
  bring?(offer: Offer, signal: AbortSignal): Promise<void>
  /**
   * @param request judged already by the offer's capabilities
   * @param keyId whose request it is; what an engine keeps of one key's prompts must not show in the answers to another
   * @throws ApiRefusal, Failure for what this place does not take; nothing was sent then
   */
  prepare(request: ApiRequest, offer: Offer, keyId: string): PreparedAnswer
}
