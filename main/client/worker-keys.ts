import { randomInt } from 'node:crypto'
import type { Address } from '@ton/core'
import { asError } from '../base/failure.ts'
import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import { checkPolicy, type Policy } from '../protocol/attestation/policy.ts'
import { KeyRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { type ReadKey, readKey, verifyKey } from '../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { sealedWorkerOf } from '../protocol/sealed/sealed-worker.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { KnownKeys } from './known-keys.ts'

/** A worker whose key was verified, as one that questions can be sealed to. */
export interface SealableWorker {
  readonly key: ReadKey
  readonly worker: SealedWorker
  /** Thousandths. */
  readonly coefficient: number
  readonly hasRoom: boolean
  /** Neither paused, nor without its engine. One that is full takes questions soon. */
  readonly takesQuestions: boolean
}

/** What a question asks of the worker that it is sealed to. */
export interface KeyLimits {
  /** Thousandths. */
  readonly maxCoefficient: number
  /** Whether a quote must have been verified. */
  readonly attested: boolean
  /** Why a worker may not read it; undefined for one that may. */
  readonly objectionTo?: ((worker: SealedWorker) => string | undefined) | undefined
  /** Decides between equals by the id of their keys: the greatest. Without it chance does. */
  readonly rankOf?: ((keyId: Uint8Array) => string) | undefined
}

/** What a proxy told about a model's workers. */
export interface KeyList {
  readonly workers: readonly SealableWorker[]
  /** Why keys were not taken, one for each. */
  readonly refused: readonly string[]
}

export interface WorkerKeysContext {
  readonly root: Address
  /** The proxy contract. */
  readonly proxy: string
  /** What proxies told before, over former connections too. */
  readonly known: KnownKeys
  readonly ask: (model: string) => Promise<TlObject<'client.workerKeys'>>
  /** How a worker's quote is judged now; without a policy quotes are not checked. */
  readonly policy: () => Policy | undefined
  readonly logger: Logger
  readonly now: () => number
}

/** A list that is not older is used again. */
const freshMs = 20_000
/** One without a key is asked for again soon: a worker may just be on its way. Not before each question, which doubled the messages of each. */
const freshEmptyMs = 1_000
/** Models whose lists are held. */
const mostModels = 50
/** No honest proxy tells more keys at once. */
const mostKeys = 256

/** The workers' keys that one proxy tells, each verified here: the proxy's word counts for nothing but how busy they are. */
export class WorkerKeys {
  readonly #context: WorkerKeysContext
  readonly #lists = new Map<string, { readonly list: Promise<KeyList>; readonly askedAtMs: number; freshUntilMs: number }>()
  /** Keys by which a question was refused, until they are told no more. By model. */
  readonly #refusing = new Map<string, Set<string>>()

  constructor(context: WorkerKeysContext) {
    this.#context = context
  }

  /** @throws what ended the question to the proxy */
  async of(model: string): Promise<KeyList> {
    const nowMs = this.#context.now()
    const known = this.#lists.get(model)
    // A clock that was put back says nothing of how old a list is.
    if (known !== undefined && nowMs >= known.askedAtMs && nowMs < known.freshUntilMs) return known.list
    const list = this.#ask(model)
    const entry = { list, askedAtMs: nowMs, freshUntilMs: nowMs + freshMs }
    this.#lists.delete(model)
    this.#lists.set(model, entry)
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= mostModels) break
      this.#lists.delete(oldest)
    }
    list.then(
      ({ workers }) => {
        if (workers.length === 0) entry.freshUntilMs = nowMs + freshEmptyMs
      },
      () => this.forget(model),
    )
    return list
  }

  /** The next question asks the proxy again. */
  forget(model: string): void {
    this.#lists.delete(model)
  }

  /** A worker did not take what was sealed to its key: the next question goes to another one, if there is any. */
  refusedBy(model: string, keyId: string): void {
    this.#refusing.set(model, (this.#refusing.get(model) ?? new Set()).add(keyId))
    this.forget(model)
  }

  /** See `chooseKey`; workers that refused are taken when there are no others. */
  choose(model: string, workers: readonly SealableWorker[], limits: KeyLimits): SealableWorker | undefined {
    const refusing = this.#refusing.get(model)
    const willing = workers.filter(({ worker }) => !refusing?.has(worker.keyId))
    return chooseKey(willing, limits) ?? chooseKey(workers, limits)
  }

  /** Whether a worker would do if it took questions now. */
  isOnlyResting(workers: readonly SealableWorker[], limits: KeyLimits): boolean {
    return (
      chooseKey(
        workers.map((one) => ({ ...one, takesQuestions: true })),
        limits,
      ) !== undefined
    )
  }

  /** Whether the proxy has told a key before that a question of this price was to be sealed to: it may only have left for a moment, or is hidden. */
  holdsBack(model: string, maxCoefficient: number): boolean {
    const { known, proxy, now } = this.#context
    return known.holdsBack(proxy, model, maxCoefficient, now())
  }

  async #ask(model: string): Promise<KeyList> {
    const { keys } = await this.#context.ask(model)
    const judged = await Promise.all(keys.slice(0, mostKeys).map((told) => this.#judge(told, model)))
    const workers = judged.filter((one) => typeof one !== 'string')
    const { known, proxy, now } = this.#context
    known.told(proxy, model, workers, now())
    const stillTold = workers.flatMap(({ worker }) => (this.#refusing.get(model)?.has(worker.keyId) ? [worker.keyId] : []))
    if (stillTold.length === 0) this.#refusing.delete(model)
    else this.#refusing.set(model, new Set(stillTold))
    return { workers, refused: judged.filter((one) => typeof one === 'string') }
  }

  /** The worker of a key, or why the key is not taken. One key must not spoil the others, whatever is the matter with it. */
  async #judge(told: TlObject<'client.workerKey'>, model: string): Promise<SealableWorker | string> {
    const { root, logger, now } = this.#context
    try {
      const key = readKey(told.signed_key)
      verifyKey(key, { root, model, nowMs: now() })
      return {
        key,
        worker: sealedWorkerOf(key, await this.#attestationOf(key)),
        coefficient: told.coefficient,
        hasRoom: told.active_requests < told.max_active_requests,
        takesQuestions: told.max_active_requests > 0,
      }
    } catch (thrown) {
      const reason = thrown instanceof KeyRefused ? thrown.reason : thrown instanceof AttestationError ? thrown.code : 'unknown'
      logger.warn('a worker’s key was not taken', { reason, ...(reason === 'unknown' ? { error: asError(thrown).message } : {}) })
      return reason
    }
  }

  /** @throws AttestationError for a quote that does not hold: such a worker claims what is not so */
  async #attestationOf({ quote, statement }: ReadKey): Promise<SealedWorker['attestation']> {
    if (quote === undefined) return { kind: 'none' }
    const policy = this.#context.policy()
    if (policy === undefined || policy.kind === 'any') return { kind: 'not-checked' }
    const { attestation, imageHash } = await checkPolicy(policy, statement, { quote, hasSevSnp: false })
    return attestation === 'none' ? { kind: 'none' } : { kind: attestation, imageHash: hexOf(imageHash) }
  }
}

/**
 * The worker that a question goes to: one with room if there is any, the cheapest of them, and among equals any, or the one that a conversation was
 * with before. Undefined when none that takes questions is within the price limit.
 */
export function chooseKey(workers: readonly SealableWorker[], limits: KeyLimits): SealableWorker | undefined {
  const able = workers.filter(
    ({ coefficient, worker, takesQuestions }) =>
      takesQuestions &&
      coefficient <= limits.maxCoefficient &&
      (!limits.attested || worker.attestation.kind === 'tdx') &&
      limits.objectionTo?.(worker) === undefined,
  )
  const free = able.filter(({ hasRoom }) => hasRoom)
  const pool = free.length > 0 ? free : able
  const least = Math.min(...pool.map(({ coefficient }) => coefficient))
  const cheapest = pool.filter(({ coefficient }) => coefficient === least)
  if (cheapest.length < 2) return cheapest[0]
  const { rankOf } = limits
  if (rankOf === undefined) return cheapest[randomInt(cheapest.length)]
  return cheapest.reduce((best, one) => (rankOf(one.key.id) > rankOf(best.key.id) ? one : best))
}
