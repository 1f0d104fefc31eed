import type { LevelState, PrivacyLevel } from '../../../preload/api/chat.ts'
import type { TurnSeal } from '../../../preload/api/seal.ts'
import { Signal } from '../../base/signal.ts'
import type { ChatMessage, EngineUsage } from '../../inference/engine.ts'
import type { BackendEvent, ChatBackend } from '../backend.ts'
import { passed, unsent } from '../privacy/passed.ts'
import type { Gate } from '../privacy/seal-keeper.ts'

export const someUsage: EngineUsage = { promptTokens: 10, cachedTokens: 2, completionTokens: 5, reasoningTokens: 0 }

/** A backend whose answers a test writes step by step. */
export class ControlledBackend implements ChatBackend {
  readonly level: PrivacyLevel
  readonly state: Signal<LevelState>
  /** What was asked, per answer. */
  readonly asked: ChatMessage[][] = []
  /** Thrown by the next answers before their first event, first in first out. */
  readonly refusals: unknown[] = []
  /** Happens after a question was accepted and before it is sent. */
  beforeAnswer: (() => void) | undefined
  /** Whether an abort ends the answer with `final`, as the interface demands. */
  obedient = true
  #steps: (BackendEvent | { type: 'throw'; error: unknown } | { type: 'end' })[] = []
  #wake: (() => void) | undefined

  constructor(level: PrivacyLevel = 'computer') {
    this.level = level
    this.state = new Signal<LevelState>({ level, state: 'ready', model: 'test-model' })
  }

  text(text: string): void {
    this.#add({ type: 'text', text })
  }

  seal(seal: TurnSeal): void {
    this.#add({ type: 'seal', seal })
  }

  finish(extra: Partial<Extract<BackendEvent, { type: 'final' }>> = {}): void {
    this.#add({ type: 'final', usage: someUsage, reason: 'stop', ...extra })
  }

  fail(error: unknown): void {
    this.#add({ type: 'throw', error })
  }

  cutOff(): void {
    this.#add({ type: 'end' })
  }

  async *answer(messages: readonly ChatMessage[], signal: AbortSignal, gate: Gate): AsyncGenerator<BackendEvent> {
    this.#steps = []
    this.beforeAnswer?.()
    if (!(await passed(gate, signal))) return yield unsent
    this.asked.push([...messages])
    if (this.refusals.length > 0) throw this.refusals.shift()
    signal.addEventListener('abort', () => this.#wake?.())
    for (;;) {
      if (signal.aborted && this.obedient) {
        yield { type: 'final', usage: someUsage, reason: 'cancelled', stop: 'ended' }
        return
      }
      const step = this.#steps.shift()
      if (step?.type === 'throw') throw step.error
      if (step?.type === 'end') return
      if (step !== undefined) yield step
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }

  #add(step: BackendEvent | { type: 'throw'; error: unknown } | { type: 'end' }): void {
    this.#steps.push(step)
    this.#wake?.()
  }
}
