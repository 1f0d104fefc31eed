/**
 * A failure that a person will read: every room throws subclasses or instances of this with its own codes.
 * `message` says what happened in one sentence; `advice` what to do; `money` what became of money, where money was involved.
 */
export class Failure<Code extends string = string> extends Error {
  readonly code: Code
  readonly advice: string | undefined
  readonly money: string | undefined
  /** True when the same thing may work if it is tried again unchanged. */
  readonly retryable: boolean

  constructor(
    code: Code,
    message: string,
    options: { advice?: string; money?: string; retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Failure'
    this.code = code
    this.advice = options.advice
    this.money = options.money
    this.retryable = options.retryable ?? false
  }
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** What happened and, where it is known, what to do: for a place that shows one text. */
export function messageAndAdvice(thrown: unknown): string {
  const { message } = asError(thrown)
  return thrown instanceof Failure && thrown.advice ? `${message} ${thrown.advice}` : message
}
