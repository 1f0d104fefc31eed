/**
 * By what the page says a sentence of the core in its reader's language: a code, and what fills its places. Amounts are nanoton in decimal under
 * names that end in `Nano`.
 */
export interface Words {
  readonly code: string
  readonly values?: Readonly<Record<string, string | number>> | undefined
}

/** A sentence in English and the words for other languages. */
export interface Sentence {
  readonly text: string
  readonly words: Words
}

export interface FailureOptions {
  readonly advice?: string
  readonly money?: string | Sentence
  readonly retryable?: boolean
  readonly cause?: unknown
  /** What fills the places of the sentence of this code in other languages. */
  readonly values?: Words['values']
  /** Where the sentence is another one than that of the code. */
  readonly words?: Words | undefined
}

/**
 * A failure that a person will read: every room throws subclasses or instances of this with its own codes.
 * `message` says what happened in one sentence; `advice` what to do; `money` what became of money, where money was involved.
 */
export class Failure<Code extends string = string> extends Error {
  readonly code: Code
  readonly advice: string | undefined
  readonly money: string | undefined
  readonly moneyWords: Words | undefined
  /** Message and advice for other languages. */
  readonly words: Words
  /** True when the same thing may work if it is tried again unchanged. */
  readonly retryable: boolean

  constructor(code: Code, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Failure'
    this.code = code
    this.advice = options.advice
    this.money = typeof options.money === 'string' ? options.money : options.money?.text
    this.moneyWords = typeof options.money === 'string' ? undefined : options.money?.words
    this.words = options.words ?? (options.values === undefined ? { code } : { code, values: options.values })
    this.retryable = options.retryable ?? false
  }
}

/** The same failure with something about it said otherwise, e.g. what became of the money; the one of before is its cause. */
export function retold<Code extends string>(failure: Failure<Code>, change: FailureOptions): Failure<Code> {
  const { code, message, advice, money, moneyWords, retryable, words } = failure
  const said = money !== undefined && moneyWords !== undefined ? { text: money, words: moneyWords } : money
  return new Failure(code, message, {
    ...(advice === undefined ? {} : { advice }),
    ...(said === undefined ? {} : { money: said }),
    retryable,
    words,
    cause: failure,
    ...change,
  })
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** What happened and, where it is known, what to do: for a place that shows one text. */
export function messageAndAdvice(thrown: unknown): string {
  const { message } = asError(thrown)
  return thrown instanceof Failure && thrown.advice ? sentences(message, thrown.advice) : message
}

/** Several sentences as one text. What another program said may come without a full stop. */
export function sentences(...parts: readonly string[]): string {
  return parts.map((part, index) => (index === parts.length - 1 || /[.!?…]$/.test(part) ? part : `${part}.`)).join(' ')
}

/** A sentence for the page, with its words where there are some. */
export interface Told {
  readonly text: string
  readonly words?: Words | undefined
}

/** What happened and what to do, as `messageAndAdvice`, and the words of it. */
export function toldOf(thrown: unknown): Told {
  return { text: messageAndAdvice(thrown), words: wordsOf(thrown) }
}

/** The words of a failure; undefined for a defect, whose text no catalogue knows. */
export function wordsOf(thrown: unknown): Words | undefined {
  return thrown instanceof Failure ? thrown.words : undefined
}
