import { Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import type { Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { Client } from '../client/client.ts'
import type { EngineState } from '../inference/engine.ts'
import type { Worker } from '../worker/worker.ts'
import { comeBackMs, mayComeBack, whenSeated } from './seat-wait.ts'

/** A question that a proxy refused because it knew of too little money, or that found another connection than was checked, is asked again after this. */
const againMs = 500

/** It does not come back by itself. */
const isGone = (engine: EngineState): boolean => engine.status === 'failed' || engine.status === 'no-model'

/** Who is asked, and what a question may have to wait for. */
export interface Asked {
  readonly client: Pick<Client, 'models'>
  readonly model: string
  /** The worker of this computer and its engine, where only they can answer: a question does not wait for what will not come. */
  readonly worker?: Pick<Worker, 'state'>
  readonly engine?: Watchable<EngineState>
  /** Puts so many nanoton more on the chat balance; rejects with the reason why that cannot be. */
  readonly refill: (missing: bigint) => Promise<void>
}

/** Whether one question that failed before its first word over the practice network may be asked again, and when. */
export class SecondChance {
  readonly #link: Asked
  readonly #signal: AbortSignal
  readonly #until = performance.now() + comeBackMs
  #refilled = false

  constructor(link: Asked, signal: AbortSignal) {
    this.#link = link
    this.#signal = signal
  }

  /**
   * Waits until the reason of `thrown` is mended, as far as it mends by itself. False: it does not, and the failure is final.
   * After the signal aborted it is true at once: the caller looks at the signal before it asks again.
   */
  async again(thrown: unknown): Promise<boolean> {
    const signal = this.#signal
    const { client, model, engine, worker, refill } = this.#link
    const missing = missingOf(thrown)
    if (missing !== undefined && performance.now() < this.#until) {
      // Test coins need no question.
      await untilAborted(refill(missing), signal).catch((failure: unknown) => {
        // What was sent goes on by itself.
        if (!signal.aborted) throw failure
      })
      this.#refilled = true
      return true
    }
    // The proxy may see later than this computer what came on its contract.
    if (this.#refilled && thrown instanceof Failure && thrown.code === 'balance-too-low' && performance.now() < this.#until) {
      await pause(againMs, signal)
      return true
    }
    // The gate is passed anew, with the connection that stands then.
    if (thrown instanceof Failure && thrown.code === 'connection-changed' && performance.now() < this.#until) {
      await pause(againMs, signal)
      return true
    }
    const hopeful = (): boolean => !worker?.state.value.paused && !(engine && isGone(engine.value))
    // Where only this computer's worker may answer: what the proxy told of keys may be of before it began.
    if (
      worker &&
      thrown instanceof Failure &&
      thrown.code === 'seal-unavailable' &&
      performance.now() < this.#until &&
      hopeful()
    ) {
      await pause(againMs, signal)
      return true
    }
    // The worker comes back by itself after a crash of its engine: the question waits for it, as it would for a slow answer.
    if (!mayComeBack(thrown)) return false
    return (await whenSeated(client, model, { until: this.#until, hopeful, signal })) || signal.aborted
  }
}

/** nanoton that the chat balance lacks for the question; undefined when that is not why it failed. */
function missingOf(thrown: unknown): bigint | undefined {
  if (!(thrown instanceof Failure) || thrown.code !== 'balance-too-low') return undefined
  const { bound, missingNano } = thrown.words.values ?? {}
  return bound === 'balance' && missingNano !== undefined ? BigInt(missingNano) : undefined
}
