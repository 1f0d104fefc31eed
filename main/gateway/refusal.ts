import { Failure, sentences } from '../base/failure.ts'

/** The kinds of errors that OpenAI's clients know. */
export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'insufficient_quota'
  | 'server_error'

export interface RefusalOptions {
  readonly param?: string
  readonly code?: string
  readonly status?: number
  readonly type?: ApiErrorType
  /** Whether a client that repeats requests by itself should repeat this one. */
  readonly retry?: boolean
  /** When that may help, in seconds from now. Default: in a second. */
  readonly retryAfterS?: number
  readonly cause?: unknown
}

/** A request that is not answered, as the caller is told: one form for every error of the local API. */
export class ApiRefusal extends Error {
  readonly status: number
  readonly type: ApiErrorType
  readonly param: string | null
  readonly code: string | null
  readonly retry: boolean
  readonly retryAfterS: number

  constructor(message: string, options: RefusalOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ApiRefusal'
    this.status = options.status ?? 400
    this.type = options.type ?? 'invalid_request_error'
    this.param = options.param ?? null
    this.code = options.code ?? null
    this.retry = options.retry ?? false
    this.retryAfterS = options.retryAfterS ?? 1
  }
}

/** Body of an error as OpenAI's clients read it. */
export interface ApiErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

export function errorBody({ message, type, param, code }: ApiRefusal): ApiErrorBody {
  return { error: { message, type, param, code } }
}

type Kind = Required<Pick<RefusalOptions, 'status' | 'type'>> & Pick<RefusalOptions, 'code' | 'param'>
const later: Kind = { status: 503, type: 'server_error' }
const badAnswer: Kind = { status: 502, type: 'server_error' }
const noMoney: Kind = { status: 402, type: 'insufficient_quota', code: 'insufficient_balance' }

/** How the failures of engine and client are told. What is not listed is a defect or a full disk. */
const kinds: Readonly<Record<string, Kind>> = {
  'body-too-large': { status: 413, type: 'invalid_request_error', code: 'request_too_large' },
  'context-too-small': { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' },
  'invalid-request': { status: 400, type: 'invalid_request_error' },
  'not-capable': { status: 400, type: 'invalid_request_error', code: 'unsupported_parameter' },
  'unknown-model': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  'model-does-not-fit': { status: 400, type: 'invalid_request_error', param: 'model' },
  'too-little-memory': later,
  'engine-not-ready': later,
  'engine-crashed': later,
  'engine-busy': later,
  'engine-yielded': later,
  'engine-answer-bad': badAnswer,
  'engine-key-refused': badAnswer,
  'engine-silent': { status: 504, type: 'server_error' },
  'not-ready': later,
  'no-connection': later,
  'no-worker': later,
  'worker-busy': later,
  'proxy-not-ready': later,
  'contract-closing': later,
  'too-expensive': later,
  'unknown-key': later,
  'not-verified': later,
  'seal-unavailable': later,
  'connection-changed': later,
  'worker-gone': later,
  'disk-full': later,
  refused: later,
  'balance-too-low': noMoney,
  'above-credit': noMoney,
  timeout: { status: 504, type: 'server_error' },
  'connection-lost': badAnswer,
  'answer-malformed': badAnswer,
  'answer-too-large': badAnswer,
  'engine-refused': badAnswer,
  'engine-unreachable': badAnswer,
  'query-failed': badAnswer,
  'seal-refused': badAnswer,
  'seal-broken': badAnswer,
  cancelled: badAnswer,
  stopped: badAnswer,
}

/** Anything thrown as a refusal. A defect's own text may hold contents, so it is not told. */
export function asRefusal(thrown: unknown): ApiRefusal {
  if (thrown instanceof ApiRefusal) return thrown
  if (thrown instanceof Failure) {
    const kind = kinds[thrown.code] ?? { status: 500, type: 'server_error' as const }
    const message = sentences(...[thrown.message, thrown.money, thrown.advice].filter((part) => part !== undefined))
    return new ApiRefusal(message, {
      ...kind,
      code: kind.code ?? thrown.code.replaceAll('-', '_'),
      retry: thrown.retryable && kind.status >= 500,
      cause: thrown,
    })
  }
  return new ApiRefusal('Something in the app itself failed. Its log says where.', {
    status: 500,
    type: 'server_error',
    code: 'internal_error',
    cause: thrown,
  })
}

export const unknownKey = (message: string): ApiRefusal =>
  new ApiRefusal(message, { status: 401, type: 'authentication_error', code: 'invalid_api_key' })

/** A caller that left before the end, as servers write it in their logs. */
export const callerLeft = 499

/** Why a request was given up: the refusal that ended it, or that its caller left. */
export function aborted({ reason }: AbortSignal): ApiRefusal {
  return reason instanceof ApiRefusal
    ? reason
    : new ApiRefusal('The request was given up.', { status: callerLeft, code: 'cancelled', cause: reason })
}
