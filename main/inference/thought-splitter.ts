import type { ThoughtMarks } from './reasoning-counter.ts'

/** `mark`: what the model writes around its thoughts. */
export interface AnswerPart {
  readonly kind: 'text' | 'thought' | 'mark'
  readonly text: string
}

/** Cuts the text of an answer into the model's thoughts and the rest, whatever pieces it comes in. */
export class ThoughtSplitter {
  readonly #marks: ThoughtMarks | undefined
  #inside: boolean
  /** Text that may be the beginning of a mark. */
  #held = ''

  /** `promptEnd` is the end of the prompt as text: some templates open the thought themselves. */
  constructor(marks: ThoughtMarks | undefined, promptEnd: string) {
    this.#marks = marks && { open: marks.open.trim(), close: marks.close.trim() }
    if (this.#marks?.open === '' || this.#marks?.close === '') this.#marks = undefined
    this.#inside = this.#marks !== undefined && promptEnd.trimEnd().endsWith(this.#marks.open)
  }

  push(text: string): AnswerPart[] {
    if (this.#marks === undefined) return part('text', text)
    const parts: AnswerPart[] = []
    let rest = this.#held + text
    for (;;) {
      const mark = this.#inside ? this.#marks.close : this.#marks.open
      const at = rest.indexOf(mark)
      if (at < 0) {
        const keep = beginningOf(mark, rest)
        this.#held = rest.slice(rest.length - keep)
        return [...parts, ...part(this.#kind, rest.slice(0, rest.length - keep))]
      }
      parts.push(...part(this.#kind, rest.slice(0, at)), { kind: 'mark', text: mark })
      this.#inside = !this.#inside
      rest = rest.slice(at + mark.length)
    }
  }

  /** What is still held when the answer ends. */
  flush(): AnswerPart[] {
    const held = this.#held
    this.#held = ''
    return part(this.#kind, held)
  }

  get #kind(): 'text' | 'thought' {
    return this.#inside ? 'thought' : 'text'
  }
}

/** Length of the longest end of `text` that `mark` begins with. */
export function beginningOf(mark: string, text: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--)
    if (mark.startsWith(text.slice(text.length - length))) return length
  return 0
}

function part(kind: AnswerPart['kind'], text: string): AnswerPart[] {
  return text === '' ? [] : [{ kind, text }]
}
