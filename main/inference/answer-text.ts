/** Text that may go out now, with the number of tokens sampled since the last piece. */
export interface AnswerPiece {
  readonly text: string
  readonly tokens: number
}

/** A character of UTF-8 has at most four bytes, so a token that broke one is completed by three more at the latest. */
const longestSplit = 4
const broken = '\uFFFD'

/**
 * Turns sampled tokens into text that is safe to send: whole characters only, and nothing that may turn out to be a stop string.
 * `detokenize` gets the tokens to turn into text and the tokens right before them.
 */
export class AnswerText<Token> {
  readonly #detokenize: (tokens: readonly Token[], before: readonly Token[]) => string
  readonly #stops: readonly string[]
  /** Tokens whose text ends inside a character. */
  #open: Token[] = []
  #before: Token[]
  /** Text that may be the beginning of a stop string. */
  #held = ''
  #tokensSinceLast = 0
  #stopped = false

  constructor(
    detokenize: (tokens: readonly Token[], before: readonly Token[]) => string,
    stops: readonly string[],
    promptEnd: readonly Token[],
  ) {
    this.#detokenize = detokenize
    this.#stops = stops.filter((stop) => stop !== '')
    this.#before = [...promptEnd]
  }

  /** True once a stop string was completed: nothing more comes out. */
  get stopped(): boolean {
    return this.#stopped
  }

  push(token: Token): AnswerPiece | undefined {
    if (this.#stopped) return undefined
    this.#tokensSinceLast++
    this.#open.push(token)
    const text = this.#detokenize(this.#open, this.#before)
    if (text.endsWith(broken) && this.#open.length < longestSplit) return undefined
    return this.#release(text, false)
  }

  /** What is still held when the generation ends by itself. */
  flush(): AnswerPiece | undefined {
    if (this.#stopped) return undefined
    return this.#release(this.#open.length === 0 ? '' : this.#detokenize(this.#open, this.#before), true)
  }

  #release(text: string, last: boolean): AnswerPiece | undefined {
    this.#before = [...this.#before, ...this.#open].slice(-8)
    this.#open = []
    const all = this.#held + text
    const found = this.#stops.map((stop) => all.indexOf(stop)).filter((index) => index >= 0)
    if (found.length > 0) {
      this.#stopped = true
      return this.#piece(all.slice(0, Math.min(...found)))
    }
    const keep = last ? 0 : this.#possibleStop(all)
    this.#held = all.slice(all.length - keep)
    return this.#piece(all.slice(0, all.length - keep))
  }

  #piece(text: string): AnswerPiece | undefined {
    if (text === '') return undefined
    const tokens = this.#tokensSinceLast
    this.#tokensSinceLast = 0
    return { text, tokens }
  }

  /** Length of the longest end of `text` that a stop string begins with. */
  #possibleStop(text: string): number {
    let longest = 0
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (stop.startsWith(text.slice(text.length - length))) longest = length
    return longest
  }
}
