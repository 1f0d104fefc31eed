import type { Currency } from '../../preload/api/electricity.ts'
import type { Limits, PauseReason } from '../../preload/api/limits.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Conditions } from '../hardware/conditions.ts'
import type { LastHours } from './net.ts'
import { canPassOver, givingWay, noMemory, type PauseMemory, pauseOf } from './pause-rule.ts'

export interface PauseState {
  /** Why serving has to wait, in the order of the table; empty: it need not. */
  readonly reasons: readonly PauseReason[]
  /** What holds too, and was passed over by the owner until it ends. */
  readonly allowed: readonly PauseReason[]
  /** Of the program that is meant by `game` or `other-app`. */
  readonly program: string | null
  /** Of the hottest card, while it is too hot. */
  readonly temperatureC: number | null
  /** Of the last hours, while it does not pay. */
  readonly loss?: { readonly micros: number; readonly currency: Currency }
}

const unknownHours: LastHours = { pauses: false, balance: null, currency: null }

export interface PauseKeeperOptions {
  readonly conditions: Watchable<Conditions>
  /** What the owner allows; read at each look. */
  readonly limits: () => Limits
  /** What the last hours left; not known, unless given. */
  readonly lastHours?: () => LastHours
  /** On the practice network the rules that only concern earning hold where the owner says so (ui.md §13.2). */
  readonly practice: boolean
  /** Unix time in ms. */
  readonly now?: () => number
  /** The clock alone begins and ends a pause too: a program that goes on, the minute after a game, the schedule. Default 500 ms. */
  readonly tickMs?: number
}

/** Judges by the pause rule whenever something may have changed, and remembers what the rule needs and what the owner passed over. `close` it. */
export class PauseKeeper {
  readonly #options: PauseKeeperOptions
  readonly #state = new Signal<PauseState>({ reasons: [], allowed: [], program: null, temperatureC: null })
  readonly #stop: () => void
  readonly #timer: NodeJS.Timeout
  #memory: PauseMemory = noMemory
  #allowed: readonly PauseReason[] = []

  constructor(options: PauseKeeperOptions) {
    this.#options = options
    const look = (): void => this.look()
    this.#stop = options.conditions.onChange(look)
    this.#timer = setInterval(look, options.tickMs ?? 500).unref()
    this.look()
  }

  get state(): Watchable<PauseState> {
    return this.#state
  }

  /** The limits have changed. */
  look(): void {
    const { conditions, limits, lastHours = () => unknownHours, practice, now = Date.now } = this.#options
    const allows = limits()
    const { pauses, balance, currency } = lastHours()
    const facts = { ...conditions.value, lastHours: balance }
    const pause = pauseOf(facts, { ...allows, whenNotPaying: pauses }, this.#memory, new Date(now()))
    this.#memory = pause.memory
    const counts = (reason: PauseReason): boolean => !practice || allows.onPractice || givingWay.has(reason)
    const held = pause.reasons.filter(counts)
    this.#allowed = this.#allowed.filter((reason) => held.includes(reason))
    const reasons = held.filter((reason) => !this.#allowed.includes(reason))
    const next: PauseState = {
      reasons,
      allowed: this.#allowed,
      program: pause.program,
      temperatureC: reasons.includes('thermal') ? facts.gpuTemperatureC : null,
      ...(reasons.includes('not-paying') &&
        balance !== null &&
        currency !== null && { loss: { micros: -balance.netMicros, currency } }),
    }
    if (JSON.stringify(next) !== JSON.stringify(this.#state.value)) this.#state.set(next)
  }

  /** Passes over what holds now and may be passed over, until it ends. */
  anyway(): void {
    this.#allowed = [...this.#allowed, ...this.#state.value.reasons.filter((reason) => canPassOver.has(reason))]
    this.look()
  }

  close(): void {
    this.#stop()
    clearInterval(this.#timer)
  }
}
