import type { z } from 'zod'
import { chatCalls, chatStreams } from './chat.ts'
import { devicesCalls, devicesStreams } from './devices.ts'
import { earnCalls, earnStreams } from './earn.ts'
import { electricityCalls } from './electricity.ts'
import { enginesCalls, enginesStreams } from './engines.ts'
import { gatewayCalls, gatewayStreams } from './gateway.ts'
import { limitsCalls, limitsStreams } from './limits.ts'
import type { Words } from './scalars.ts'
import { systemCalls, systemStreams } from './system.ts'

/** Every call the page may make. Input and output are parsed on both sides; what is not listed here does not exist. */
export const calls = {
  ...chatCalls,
  ...earnCalls,
  ...systemCalls,
  ...gatewayCalls,
  ...devicesCalls,
  ...enginesCalls,
  ...limitsCalls,
  ...electricityCalls,
} as const

/** Every subscription. Each starts with the present state, so that a page that reconnects needs no other question. */
export const streams = {
  ...chatStreams,
  ...earnStreams,
  ...systemStreams,
  ...gatewayStreams,
  ...devicesStreams,
  ...enginesStreams,
  ...limitsStreams,
} as const

export type CallName = keyof typeof calls
export type StreamName = keyof typeof streams
export type CallInput<N extends CallName> = z.output<(typeof calls)[N]['input']>
export type CallOutput<N extends CallName> = z.output<(typeof calls)[N]['output']>
export type StreamInput<N extends StreamName> = z.output<(typeof streams)[N]['input']>
export type StreamEvent<N extends StreamName> = z.output<(typeof streams)[N]['event']>

/** What the page sees. The same object in the desktop window and in the browser. */
export interface CocoonApi {
  call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>>
  /**
   * Subscribes until the returned function is called. Reconnects by itself; after a reconnect the present state comes again.
   * @param onError a typed refusal (unknown id, malformed input); connection loss is not an error here, see `onConnection`.
   */
  subscribe<N extends StreamName>(
    name: N,
    input: StreamInput<N>,
    onEvent: (event: StreamEvent<N>) => void,
    onError?: (error: ApiError) => void,
  ): () => void
  /** Whether the link to the core stands; called at once with the present value. */
  onConnection(listener: (connected: boolean) => void): () => void
}

/** What the core implements, one function a call and one async iterable a stream. */
export type CallHandlers = { [N in CallName]: (input: CallInput<N>) => Promise<CallOutput<N>> | CallOutput<N> }
export type StreamHandlers = {
  /** The iterable ends when `signal` aborts. */
  [N in StreamName]: (input: StreamInput<N>, signal: AbortSignal) => AsyncIterable<StreamEvent<N>>
}

export type ApiErrorCode =
  /** The message is no call at all, or its input does not fit the schema. */
  | 'malformed'
  /** No call or stream of that name. */
  | 'unknown-name'
  | 'not-found'
  /** It cannot be done now; the message says what to wait for. */
  | 'busy'
  | 'not-ready'
  | 'nothing-to-settle'
  | 'refused'
  /** A check failed: nothing was sent. */
  | 'not-verified'
  /** The user has to choose what goes along to a wider level. */
  | 'needs-choice'
  /** The Open network needs the user's consent in this chat. */
  | 'needs-consent'
  /** The message looks like it holds a secret. */
  | 'looks-secret'
  /** A defect of ours; details are in the log, without contents. */
  | 'internal'
  | 'disconnected'

/** The only kind of failure that crosses the link. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  /** The message for other languages. */
  readonly words: Words | undefined
  constructor(code: ApiErrorCode, message: string, options: ErrorOptions & { words?: Words | undefined } = {}) {
    super(message, options)
    this.name = 'ApiError'
    this.code = code
    this.words = options.words
  }
}
