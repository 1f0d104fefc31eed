import { type Turn, usage as usageSchema } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
import type { BackendEvent, ChatBackend } from './backend.ts'
import { isTold, isTooMuch, messagesFor, newerHalf } from './context.ts'
import type { Gate } from './privacy/seal-keeper.ts'
import { turnErrorFrom, unknownMoney } from './turn-errors.ts'

export interface LiveTurnEvents {
  /** The first text is about to come. */
  streaming(turn: Turn): void
  /** Text to append; comes at most every 30 ms, the first at once. */
  delta(turnId: string, text: string): void
  /** Time to save the text so far; at most every 500 ms. */
  draft(turn: Turn): void
  /** Unexpected error of a backend, for the log; its text may hold contents. */
  defect(error: unknown): void
}

const deltaEveryMs = 30
const draftEveryMs = 500
/** A backend that does not end after an abort is left to itself: its answer is only hidden. */
const stopGraceMs = 3_000

type Final = Extract<BackendEvent, { type: 'final' }>
type Outcome = Final | 'left'

/** Where a turn is answered. */
export interface Way {
  readonly backend: ChatBackend
  readonly gate: Gate
  /** See `ChatBackend.answer`. */
  readonly conversation: string
}

export interface EndedTurn {
  readonly turn: Turn
  readonly receipt: Final['receipt']
}

/** A turn while it is being answered: gathers the text, tells it on in steps, and ends as done, stopped or failed. */
export class LiveTurn {
  #turn: Turn
  readonly #events: LiveTurnEvents
  readonly #control = new AbortController()
  readonly #startedAt = performance.now()
  #firstAt: number | undefined
  #untold = ''
  #tellTimer: NodeJS.Timeout | undefined
  #draftTimer: NodeJS.Timeout | undefined
  #lastDraftAt = -Infinity

  constructor(turn: Turn, events: LiveTurnEvents) {
    this.#turn = turn
    this.#events = events
  }

  /** With all text so far; call `tell` first if it goes to somebody who also gets the deltas. */
  get turn(): Turn {
    return this.#turn
  }

  /** Asks the backend to end; the promise of `start` resolves soon after. */
  stop(): void {
    this.#control.abort()
  }

  /** Hands on the text that waits for the next step. */
  tell(): void {
    clearTimeout(this.#tellTimer)
    this.#tellTimer = undefined
    const text = this.#untold
    this.#untold = ''
    if (text !== '') this.#events.delta(this.#turn.id, text)
  }

  /** Never rejects. Resolves with the ended turn, after the last delta was told. */
  async start(way: Way, earlier: readonly Turn[]): Promise<EndedTurn> {
    let end: Partial<Turn>
    let receipt: Final['receipt']
    try {
      const told = earlier.filter(isTold)
      const outcome = await this.#answer(way, told, told.length)
      if (outcome !== 'left') receipt = outcome.receipt
      end = this.#ending(outcome)
    } catch (thrown) {
      if (!(thrown instanceof Failure)) this.#events.defect(thrown)
      end = this.#control.signal.aborted
        ? { status: 'stopped', stop: 'hidden' }
        : { status: 'failed', error: turnErrorFrom(thrown, this.#turn.level) }
      // What a refused question would have left out is of no interest.
      if (this.#turn.answer === '') this.#turn = withoutLeftOut(this.#turn)
    }
    clearTimeout(this.#draftTimer)
    this.tell()
    this.#turn = { ...this.#turn, ...end }
    return { turn: this.#turn, receipt }
  }

  /** Leaves out the older half of the history as often as the backend says that it is too much; the turn keeps how many were left out. */
  async #answer(way: Way, history: readonly Turn[], all: number): Promise<Outcome> {
    const { backend, gate, conversation } = way
    if (history.length < all) this.#turn = { ...this.#turn, leftOut: all - history.length }
    try {
      const messages = messagesFor(history, this.#turn.question)
      return await this.#read(backend.answer(messages, this.#control.signal, gate, conversation))
    } catch (thrown) {
      if (!isTooMuch(thrown) || this.#turn.answer !== '' || history.length === 0 || this.#control.signal.aborted) throw thrown
    }
    return this.#answer(way, newerHalf(history), all)
  }

  async #read(events: AsyncIterable<BackendEvent>): Promise<Outcome> {
    const { signal } = this.#control
    const iterator = events[Symbol.asyncIterator]()
    const grace = Promise.withResolvers<'left'>()
    let graceTimer: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      graceTimer = setTimeout(() => grace.resolve('left'), stopGraceMs)
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    try {
      for (;;) {
        const next = iterator.next()
        const step = await Promise.race([next, grace.promise])
        if (step === 'left') {
          next.catch(() => undefined)
          return step
        }
        if (step.done === true)
          throw new Failure('answer-cut-off', 'The answer ended early.', {
            advice: 'Try again.',
            money: unknownMoney(this.#turn.level),
            retryable: true,
          })
        if (step.value.type === 'final') return step.value
        if (step.value.type === 'seal') this.#turn = { ...this.#turn, seal: step.value.seal }
        else if (!signal.aborted) this.#append(step.value.text)
      }
    } finally {
      clearTimeout(graceTimer)
      signal.removeEventListener('abort', onAbort)
      // The backend is not asked for more, so it has to hear that it may let go of what it holds for this answer.
      iterator.return?.()?.catch(() => undefined)
    }
  }

  #append(text: string): void {
    if (text === '') return
    const first = this.#firstAt === undefined
    if (first) {
      this.#firstAt = performance.now()
      this.#turn = { ...this.#turn, status: 'streaming', firstTokenMs: this.#firstAt - this.#startedAt }
      this.#events.streaming(this.#turn)
    }
    this.#turn = { ...this.#turn, answer: this.#turn.answer + text }
    this.#untold += text
    if (first) this.tell()
    else this.#tellTimer ??= setTimeout(() => this.tell(), deltaEveryMs)
    this.#draftTimer ??= setTimeout(() => this.#saveDraft(), Math.max(0, this.#lastDraftAt + draftEveryMs - performance.now()))
  }

  #saveDraft(): void {
    this.#draftTimer = undefined
    this.#lastDraftAt = performance.now()
    this.#events.draft(this.#turn)
  }

  #ending(outcome: Outcome): Partial<Turn> {
    if (outcome === 'left') return { status: 'stopped', stop: 'hidden' }
    const end: Partial<Turn> = {
      ...(outcome.reason === 'cancelled' ? { status: 'stopped', stop: outcome.stop ?? 'hidden' } : { status: 'done' }),
      ...(outcome.reason === 'length' && { cut: true }),
    }
    if (outcome.usage === undefined) return end
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = outcome.usage
    const counts = { promptTokens, cachedTokens, completionTokens, reasoningTokens }
    // The counts of a network level come from a peer; what the page's schema refuses must not get into the transcript.
    const usage = usageSchema.safeEncode({ ...counts, ...outcome.money })
    if (!usage.success)
      throw new Failure('answer-malformed', 'The answer came with impossible counts.', {
        money: unknownMoney(this.#turn.level),
        retryable: true,
      })
    const seconds = this.#firstAt === undefined ? 0 : (performance.now() - this.#firstAt) / 1000
    return {
      usage: { ...counts, ...outcome.money },
      ...(completionTokens > 1 && seconds > 0 && { tokensPerSecond: (completionTokens - 1) / seconds }),
      ...end,
    }
  }
}

function withoutLeftOut({ leftOut: _, ...turn }: Turn): Turn {
  return turn
}
