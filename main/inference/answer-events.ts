import { AnswerText } from './answer-text.ts'
import type { EngineEvent, GenerationOptions, TokenLogprob } from './engine.ts'
import type { ThoughtMarks } from './reasoning-counter.ts'
import { beginningOf, ThoughtSplitter } from './thought-splitter.ts'
import { type CallForms, readCall } from './tool-calls.ts'

export interface AnswerEventsOptions<Token> {
  readonly detokenize: (tokens: readonly Token[], before: readonly Token[]) => string
  readonly stops: readonly string[]
  readonly promptEnd: readonly Token[]
  readonly promptEndText: string
  readonly thoughts: ThoughtMarks | undefined
  readonly calls: CallForms | undefined
  readonly reasoning: GenerationOptions['reasoning']
}

/** Turns the tokens of an answer into its events: text, thoughts and calls of tools. */
export class AnswerEvents<Token> {
  readonly #text: AnswerText<Token>
  readonly #thoughts: ThoughtSplitter
  readonly #split: boolean
  #calls: CallForms | undefined
  /** What was written of a call so far. */
  #call: string | undefined
  /** Text that may be the beginning of a call. */
  #held = ''
  /** Spaces at the beginning of a section belong to the mark before it. */
  #trim: boolean
  #tokens = 0
  #logprobs: TokenLogprob[] = []

  constructor({ detokenize, stops, promptEnd, promptEndText, thoughts, calls, reasoning }: AnswerEventsOptions<Token>) {
    this.#text = new AnswerText(detokenize, stops, promptEnd)
    this.#split = reasoning === 'split'
    // Without either the marks are text as any other.
    this.#thoughts = new ThoughtSplitter(this.#split || calls !== undefined ? thoughts : undefined, promptEndText)
    this.#trim = this.#split
    this.#calls = calls
    this.#call = calls?.isRequired ? '' : undefined
  }

  /** True once a stop string was completed: nothing more comes out. */
  get stopped(): boolean {
    return this.#text.stopped
  }

  /** What was written of a call so far; undefined while there is none. */
  get call(): string | undefined {
    return this.#call
  }

  /** What looked like a call is none. Its text comes with the next events. */
  abandonCall(): void {
    this.#held = this.#call ?? ''
    this.#call = undefined
    this.#calls = undefined
  }

  push(token: Token, logprob?: TokenLogprob): EngineEvent[] {
    if (logprob !== undefined) this.#logprobs.push(logprob)
    const piece = this.#text.push(token)
    if (piece === undefined) return []
    this.#tokens += piece.tokens
    return this.#thoughts.push(piece.text).flatMap((part) => this.#part(part.kind, part.text))
  }

  /** What is still held when the generation ends. `isWhole`: by itself, not by a limit. */
  end(isWhole: boolean): EngineEvent[] {
    const last = this.#text.flush()
    this.#tokens += last?.tokens ?? 0
    const parts = [...this.#thoughts.push(last?.text ?? ''), ...this.#thoughts.flush()]
    const events = parts.flatMap((part) => this.#part(part.kind, part.text))
    if (this.#call === undefined || this.#calls === undefined) {
      const held = this.#held
      this.#held = ''
      return [...events, ...this.#asText(held)]
    }
    const call = readCall(this.#calls, this.#call)
    if (call !== undefined) return [...events, { type: 'tool-call', call, tokens: this.#takeTokens() }]
    return isWhole ? [...events, ...this.#asText(this.#call)] : events
  }

  #part(kind: 'text' | 'thought' | 'mark', text: string): EngineEvent[] {
    if (kind === 'text') return this.#answer(text)
    if (!this.#split) return this.#asText(text)
    if (kind === 'mark') {
      this.#trim = true
      return []
    }
    const thought = this.#trimmed(text)
    if (thought === '') return []
    this.#logprobs = []
    return [{ type: 'reasoning', text: thought, tokens: this.#takeTokens() }]
  }

  #answer(text: string): EngineEvent[] {
    if (this.#call !== undefined) {
      this.#call += text
      return []
    }
    const all = this.#held + text
    this.#held = ''
    if (this.#calls === undefined) return this.#asText(this.#trimmed(all))
    const { trigger } = this.#calls
    const at = all.indexOf(trigger)
    if (at < 0) {
      const keep = beginningOf(trigger, all)
      this.#held = all.slice(all.length - keep)
      return this.#asText(this.#trimmed(all.slice(0, all.length - keep)))
    }
    this.#call = all.slice(at)
    // Models put line ends before a call that belong to neither.
    return this.#asText(this.#trimmed(all.slice(0, at)).trimEnd())
  }

  #trimmed(text: string): string {
    if (!this.#trim) return text
    const rest = text.trimStart()
    if (rest !== '') this.#trim = false
    return rest
  }

  #asText(text: string): EngineEvent[] {
    if (text === '') return []
    const logprobs = this.#logprobs
    this.#logprobs = []
    return [{ type: 'text', text, tokens: this.#takeTokens(), ...(logprobs.length > 0 && { logprobs }) }]
  }

  #takeTokens(): number {
    const tokens = this.#tokens
    this.#tokens = 0
    return tokens
  }
}
