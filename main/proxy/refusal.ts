import { QueryRefused } from '../protocol/wire/wire-error.ts'

/** What a peer is told when the proxy says no. The text travels, so it never holds prompts or secrets. */
export class Refusal extends QueryRefused {
  /** True when the connection is closed after the error was sent (50 §2.2). */
  readonly closes: boolean

  constructor(code: number, message: string, closes = false) {
    super(code, message)
    this.name = 'Refusal'
    this.closes = closes
  }
}
