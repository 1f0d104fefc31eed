import { adjustUsage, type Multipliers } from '../protocol/accounting/adjusted-tokens.ts'
import { Rate } from '../proxy/rates.ts'
import type { Worker } from '../worker/worker.ts'

/** Counts what a worker does, for its status (protocol 40 §9). */
export class WorkerMeter {
  readonly #rates = {
    queries: newRate(),
    success: newRate(),
    failed: newRate(),
    bytes_received: newRate(),
    bytes_sent: newRate(),
    time: newRate(),
    total_adjusted_tokens_used: newRate(),
    prompt_adjusted_tokens_used: newRate(),
    cached_adjusted_tokens_used: newRate(),
    completion_adjusted_tokens_used: newRate(),
    reasoning_adjusted_tokens_used: newRate(),
  }

  /** @param terms price factor of the worker (thousandths) and the network's multipliers, as they are now */
  constructor(worker: Worker, terms: () => { readonly coefficient: number; readonly multipliers: Multipliers } | undefined) {
    worker.events.on((event) => {
      const nowMs = Date.now()
      if (event.type === 'started') this.#rates.queries.add(1, nowMs)
      if (event.type !== 'finished') return
      this.#rates[event.result === 'failed' ? 'failed' : 'success'].add(1, nowMs)
      this.#rates.bytes_received.add(event.bytesReceived, nowMs)
      this.#rates.bytes_sent.add(event.bytesSent, nowMs)
      this.#rates.time.add(event.tookMs / 1000, nowMs)
      const now = terms()
      if (now === undefined || event.result === 'failed') return
      const used = adjustUsage(event, now.coefficient, now.multipliers)
      this.#rates.total_adjusted_tokens_used.add(Number(event.adjustedTokens), nowMs)
      this.#rates.prompt_adjusted_tokens_used.add(Number(used.prompt), nowMs)
      this.#rates.cached_adjusted_tokens_used.add(Number(used.cached), nowMs)
      this.#rates.completion_adjusted_tokens_used.add(Number(used.completion), nowMs)
      this.#rates.reasoning_adjusted_tokens_used.add(Number(used.reasoning), nowMs)
    })
  }

  values(): Record<string, number[]> {
    return Object.fromEntries(Object.entries(this.#rates).map(([name, rate]) => [name, rate.values(Date.now())]))
  }
}

const newRate = (): Rate => new Rate(Date.now())
