import type { Failure } from '../base/failure.ts'
import type { AdjustedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import type { HttpResponseHead } from '../protocol/http/http-message.ts'
import type { AnswerOpener, AnswerPiece } from '../protocol/sealed/direct/answer-opener.ts'
import { sealedErrorIn } from '../protocol/sealed/direct/refusals.ts'
import { SealBroken } from '../protocol/sealed/direct/seal-errors.ts'
import type { AnswerSeal, DirectOutcome, SealedWorker, UsageEvidence } from '../protocol/sealed/outcome.ts'
import { type Asked, judgeSealedUsage, TextCount } from '../protocol/sealed/recount.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { localFailure, type QueryFailureCode } from './query-failure.ts'

const nothing = new Uint8Array(0)

/** The answer to one sealed question as it is opened, and what is learnt of its seal on the way. */
export class Opening {
  readonly #opener: AnswerOpener
  readonly #worker: SealedWorker
  readonly #asked: Asked
  readonly #requestBytes: number
  readonly #deviates: (usage: UsageEvidence) => void
  readonly #text = new TextCount()
  #answer: AnswerSeal = { state: 'pending' }
  #end: TlObject<'sealed.end'> | undefined
  #usage: UsageEvidence | null = null

  constructor(sealed: {
    readonly opener: AnswerOpener
    readonly worker: SealedWorker
    readonly asked: Asked
    readonly requestBytes: number
    /** Told when the bill does not fit to what came. */
    readonly deviates: (usage: UsageEvidence) => void
  }) {
    this.#opener = sealed.opener
    this.#worker = sealed.worker
    this.#asked = sealed.asked
    this.#requestBytes = sealed.requestBytes
    this.#deviates = sealed.deviates
  }

  get outcome(): DirectOutcome {
    return {
      scheme: 'direct',
      worker: this.#worker,
      requestBytes: this.#requestBytes,
      answer: this.#answer,
      usage: this.#usage,
    }
  }

  /** The part of the answer's body in these bytes; a failure where they are not what the worker sealed. */
  push(
    bytes: Uint8Array,
    isLast: boolean,
  ): { readonly head?: HttpResponseHead; readonly body: Uint8Array } | Failure<QueryFailureCode> {
    try {
      const pieces = this.#opener.push(bytes)
      if (isLast) this.#opener.finish()
      return this.#take(pieces, isLast)
    } catch (thrown) {
      if (thrown instanceof SealBroken) return this.#broken(thrown)
      throw thrown
    }
  }

  #take(pieces: readonly AnswerPiece[], isLast: boolean): { readonly head?: HttpResponseHead; readonly body: Uint8Array } {
    const data: Uint8Array[] = []
    let head: HttpResponseHead | undefined
    for (const piece of pieces) {
      if (piece.kind === 'head') head = piece.head
      else if (piece.kind === 'data') {
        data.push(piece.bytes)
        this.#text.push(piece.bytes)
      } else if (piece.kind === 'end') this.#end = piece.end
      // A worker that gives up says so in an error, never in a part.
      else throw new SealBroken('malformed', 'an error came as a part of an answer')
    }
    if (isLast) this.#answer = { state: 'whole' }
    const [first] = data
    const body = first === undefined ? nothing : data.length === 1 ? first : Buffer.concat(data)
    return head === undefined ? { body } : { head, body }
  }

  /** The worker's own words in an error, where it has sealed some; a failure where they are not the worker's. */
  error(code: number, text: string): { readonly code: number; readonly text: string } | Failure<QueryFailureCode> {
    const sealed = sealedErrorIn(text)
    this.#answer = { state: 'refused' }
    if (sealed === undefined) return { code, text }
    try {
      const [piece] = this.#opener.push(sealed)
      if (piece?.kind !== 'error') throw new SealBroken('malformed', 'a sealed error holds none')
      // As it stands in an error that is not sealed.
      return { code: piece.code, text: `worker: ${piece.text}` }
    } catch (thrown) {
      if (thrown instanceof SealBroken) return this.#broken(thrown)
      throw thrown
    }
  }

  /** Holds the proxy's bill against the worker's word and the text. */
  judge(stated: AdjustedTokens): void {
    if (this.#end === undefined) return
    this.#usage = judgeSealedUsage(stated, this.#end, this.#text, this.#asked)
    if (this.#usage.deviations.length > 0) this.#deviates(this.#usage)
  }

  /** Nothing more is expected. */
  closed(): void {
    if (this.#answer.state === 'pending') this.#answer = { state: 'unread' }
  }

  #broken({ reason, message }: SealBroken): Failure<QueryFailureCode> {
    this.#answer = { state: 'broken', reason }
    return localFailure('seal-broken', 'The answer is not what the worker sealed: somebody on the way has touched it.', message)
  }
}
