import type { SealedWorker } from '../protocol/sealed/outcome.ts'

interface Told {
  readonly worker: Pick<SealedWorker, 'keyId' | 'expiresAtMs'>
  /** Thousandths. */
  readonly coefficient: number
}

interface Known {
  /** Lowest price factor that it was told with, in thousandths. */
  readonly coefficient: number
  readonly untilMs: number
}

/** How long a key that is told no more holds questions back that may also leave readable. */
const holdMs = 3_600_000
/** Models of one proxy, and keys of one model, that are remembered. */
const mostModels = 50
const mostKeys = 256

/**
 * The good sealing keys that proxies have told, over all connections to them. A proxy that hides its workers would get questions to read that
 * are sealed otherwise: such a question waits as long as a key holds it back, which is at most an hour after the key was told last.
 */
export class KnownKeys {
  /** By proxy contract, model, and id of the key. */
  readonly #known = new Map<string, Map<string, Map<string, Known>>>()

  /** What one proxy tells of one model now. */
  told(proxy: string, model: string, workers: readonly Told[], nowMs: number): void {
    const models = this.#known.get(proxy) ?? new Map<string, Map<string, Known>>()
    const keys = models.get(model) ?? new Map<string, Known>()
    for (const [id, { untilMs }] of keys) if (untilMs <= nowMs) keys.delete(id)
    for (const { worker, coefficient } of workers) {
      const before = keys.get(worker.keyId)
      // A dearer price does not unsay a lower one.
      if (before === undefined ? keys.size >= mostKeys : before.coefficient < coefficient) continue
      keys.set(worker.keyId, { coefficient, untilMs: Math.min(worker.expiresAtMs, nowMs + holdMs) })
    }
    if (keys.size === 0) models.delete(model)
    else if (models.has(model) || models.size < mostModels) models.set(model, keys)
    this.#known.set(proxy, models)
  }

  /** Whether this proxy has told a key, within a limit of price, that holds a question back. */
  holdsBack(proxy: string, model: string, maxCoefficient: number, nowMs: number): boolean {
    const keys = [...(this.#known.get(proxy)?.get(model)?.values() ?? [])]
    return keys.some(({ coefficient, untilMs }) => untilMs > nowMs && coefficient <= maxCoefficient)
  }
}
