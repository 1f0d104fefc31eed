/** Marks that a model puts around its thoughts, as text. */
export interface ThoughtMarks {
  readonly open: string
  readonly close: string
}

/** Counts the tokens of an answer that lie inside the model's thoughts, marks included. */
export class ReasoningCounter {
  readonly #marks: ThoughtMarks | undefined
  #inside: boolean
  #recent = ''
  #tokens = 0

  /** `promptEnd` is the end of the prompt as text: some templates open the thought themselves. */
  constructor(marks: ThoughtMarks | undefined, promptEnd: string) {
    this.#marks = marks === undefined || marks.open.trim() === '' || marks.close.trim() === '' ? undefined : marks
    this.#inside = this.#marks !== undefined && promptEnd.trimEnd().endsWith(this.#marks.open.trim())
  }

  get tokens(): number {
    return this.#tokens
  }

  push(tokenText: string): void {
    if (this.#marks === undefined) return
    const mark = (this.#inside ? this.#marks.close : this.#marks.open).trim()
    this.#recent = (this.#recent + tokenText).slice(-Math.max(mark.length + tokenText.length, 64))
    const hit = this.#recent.includes(mark)
    if (this.#inside || hit) this.#tokens++
    if (!hit) return
    this.#inside = !this.#inside
    this.#recent = ''
  }
}
