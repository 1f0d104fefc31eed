import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { SealState, Sentence } from '../../../preload/api/privacy.ts'
import { placesOf } from '../../base/error-places.ts'
import { asError, Failure, messageAndAdvice } from '../../base/failure.ts'
import { type Logger, silentLogger } from '../../base/logger.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from './checker.ts'
import { freshMs, newSeal, type Refusal, type SealEffect, type SealEvent, type SealMachine, step } from './seal-machine.ts'

/** A check that takes longer has failed. */
export const checkLimitMs = 30_000

export interface SealKeeperOptions {
  readonly checker: LevelChecker
  readonly logger?: Logger
  /** Unix time in ms. */
  readonly now?: () => number
  /** A check that takes longer has failed; `checkLimitMs`. */
  readonly mostCheckMs?: number
}

/** Leave to send over the named connection, given now; it says nothing about the next message. */
export interface Permit {
  readonly level: PrivacyLevel
  readonly connection: string
  /** At the Open network: that it may leave so that the proxy's owner could read it too. Only a consent that said so gives it. */
  readonly mayBeReadable?: boolean
}

/** What a backend asks right before each sending. Throws `Failure` `not-verified`, `not-ready` or `stopped`. */
export type Gate = (signal: AbortSignal) => Promise<Permit>

interface Wish {
  permit(connection: string): void
  refuse(because: Refusal): void
}

/**
 * Runs the seal of one level: begins checks, gives up old ones, and lets nothing through that was not earned. Used alike by the chats, the local API
 * and the command line. `close` it.
 */
export class SealKeeper {
  readonly level: PrivacyLevel
  readonly #checker: LevelChecker
  readonly #logger: Logger
  readonly #now: () => number
  readonly #mostCheckMs: number
  readonly #state: Signal<SealState>
  readonly #wishes = new Map<number, Wish>()
  readonly #unwatch: () => void
  #machine: SealMachine
  #findings: Findings | undefined
  #check: AbortController | undefined
  #ageTimer: NodeJS.Timeout | undefined
  #lastWish = 0

  constructor({ checker, logger = silentLogger, now = Date.now, mostCheckMs = checkLimitMs }: SealKeeperOptions) {
    this.level = checker.level
    this.#checker = checker
    this.#logger = logger
    this.#now = now
    this.#mostCheckMs = mostCheckMs
    this.#machine = newSeal(checker.level)
    this.#state = new Signal(this.#machine.state)
    this.#unwatch = checker.connection.onChange((connection) => this.#handle({ type: 'connection', connection }))
    this.#handle({ type: 'connection', connection: checker.connection.value })
  }

  get state(): Watchable<SealState> {
    return this.#state
  }

  /** Inputs of the checks that stand now, for a third party; undefined when none stand, or there is nothing to verify again. */
  get inputs(): unknown {
    const { phase } = this.#machine.state
    return phase === 'earned' || phase === 'aging' || phase === 'failed' ? this.#findings?.inputs : undefined
  }

  /** The user picked this level for a chat. */
  picked(): void {
    this.#handle({ type: 'picked', nowMs: this.#now() })
  }

  /** The app came to the front. */
  focused(): void {
    this.#handle({ type: 'focused', nowMs: this.#now() })
  }

  /** The user wants to see it checked now. */
  checkAgain(): void {
    this.#handle({ type: 'again', nowMs: this.#now() })
  }

  /**
   * Resolves when something may be sent: at once with a fresh seal, after the check otherwise. Nothing may be sent before, nor over another
   * connection than the permit names. Throws `Failure`: `not-verified`, `not-ready` (no connection), `stopped` (by the signal). All say that
   * nothing was sent; none of them names a wider level.
   */
  readonly permit: Gate = (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(stopped())
      const wish = ++this.#lastWish
      const end = (): void => {
        this.#wishes.delete(wish)
        signal.removeEventListener('abort', withdraw)
      }
      const withdraw = (): void => {
        end()
        this.#handle({ type: 'withdrawn', wish })
        reject(stopped())
      }
      this.#wishes.set(wish, {
        permit: (connection) => {
          end()
          resolve({ level: this.level, connection })
        },
        refuse: (because) => {
          end()
          reject(refusal(because))
        },
      })
      signal.addEventListener('abort', withdraw)
      this.#handle({ type: 'wish', wish, nowMs: this.#now() })
    })

  /** Before `permit`: a connection that rests until something is asked comes back, and is checked then. Throws as `LevelChecker.wake`. */
  async wake(signal: AbortSignal): Promise<void> {
    await this.#checker.wake?.(signal)
  }

  /** Gives up a check that runs; whoever waits for it is refused. */
  close(): void {
    this.#unwatch()
    this.#handle({ type: 'connection', connection: null })
    clearTimeout(this.#ageTimer)
  }

  #handle(event: SealEvent): void {
    const { machine, effects } = step(this.#machine, event)
    this.#machine = machine
    for (const effect of effects) this.#apply(effect)
    this.#watchAge()
    // Said last: whoever hears of a state finds its consequences done.
    this.#state.set(this.#machine.state)
  }

  #apply(effect: SealEffect): void {
    switch (effect.type) {
      case 'check':
        return this.#begin(effect.run, effect.connection)
      case 'abandon':
        return this.#abandon()
      case 'permit':
        return this.#wishes.get(effect.wish)?.permit(effect.connection)
      case 'refuse':
        return this.#wishes.get(effect.wish)?.refuse(effect.because)
    }
  }

  #abandon(): void {
    this.#check?.abort()
    this.#check = undefined
  }

  #begin(run: number, connection: string): void {
    this.#abandon()
    const check = new AbortController()
    this.#check = check
    const timer = setTimeout(() => {
      check.abort()
      this.#findings = undefined
      this.#handle({ type: 'broken', run, reason: tooSlow })
    }, this.#mostCheckMs)
    // What ends after it was given up is of no use, and its failure is no defect.
    // Begun in a turn of its own, so that a check which throws at once is no different from one that fails later.
    Promise.resolve()
      .then(() => this.#checker.check(connection, check.signal))
      .then(
        (findings) => {
          if (check.signal.aborted) return
          this.#findings = findings
          this.#handle({ type: 'found', run, findings, nowMs: this.#now() })
        },
        (thrown: unknown) => {
          if (check.signal.aborted) return
          this.#findings = undefined
          this.#handle({ type: 'broken', run, reason: this.#reasonOf(thrown) })
        },
      )
      .finally(() => clearTimeout(timer))
  }

  #reasonOf(thrown: unknown): Sentence {
    if (thrown instanceof Failure) return { text: messageAndAdvice(thrown), words: { ...thrown.words } }
    const defect = asError(thrown)
    this.#logger.error('a check failed by a defect', { level: this.level, kind: defect.name, at: placesOf(defect) })
    return { text: 'The check itself failed. The log says where.', words: { code: 'check-defect' } }
  }

  /** So that a page sees the age without asking. */
  #watchAge(): void {
    clearTimeout(this.#ageTimer)
    const { state } = this.#machine
    if (state.phase !== 'earned') return
    const restMs = Math.max(0, Math.min(freshMs, state.report.checkedAtMs + freshMs - this.#now()))
    this.#ageTimer = setTimeout(() => this.#handle({ type: 'tick', nowMs: this.#now() }), restMs + 1)
    this.#ageTimer.unref()
  }
}

const tooSlow: Sentence = { text: 'The check took too long.', words: { code: 'check-too-slow' } }

const stopped = (): Failure =>
  new Failure('stopped', 'It was given up before anything was sent.', { words: { code: 'send-given-up' } })

function refusal(because: Refusal): Failure {
  if (because.kind === 'no-connection')
    return new Failure('not-ready', 'There is no connection to check. Nothing was sent.', {
      retryable: true,
      words: { code: 'seal-no-connection' },
    })
  const { text, words } = because.reason
  return new Failure('not-verified', text, {
    advice: 'Nothing was sent.',
    words: { code: words?.code ?? 'not-verified', ...(words?.values && { values: words.values }) },
  })
}
