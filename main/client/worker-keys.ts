import { randomInt } from 'node:crypto'
import type { Address } from '@ton/core'
import type { Logger } from '../base/logger.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import { checkPolicy, type Policy } from '../protocol/attestation/policy.ts'
import { KeyRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { type ReadKey, readKey, verifyKey } from '../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { TlObject } from '../protocol/tl/types.ts'

/** A worker whose key was verified, as one that questions can be sealed to. */
export interface SealableWorker {
  readonly key: ReadKey
  readonly worker: SealedWorker
  /** Thousandths. */
  readonly coefficient: number
  readonly hasRoom: boolean
}

/** What a proxy told about a model's workers. */
export interface KeyList {
  readonly workers: readonly SealableWorker[]
  /** Keys that were not taken. */
  readonly refused: number
  /** Whether this proxy has told a good key of this model before: then its workers only left for a moment, or it hides them. */
  readonly hadKeys: boolean
}

export interface WorkerKeysContext {
  readonly root: Address
  readonly ask: (model: string) => Promise<TlObject<'client.workerKeys'>>
  /** How a worker's quote is judged; without it quotes are not checked. */
  readonly policy: Policy | undefined
  readonly logger: Logger
  readonly now: () => number
}

/** A list that is not older is used again. */
const freshMs = 20_000
/** Models whose lists are held. */
const mostModels = 50
/** No honest proxy tells more keys at once. */
const mostKeys = 256

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The workers' keys that one proxy tells, each verified here: the proxy's word counts for nothing but how busy they are. */
export class WorkerKeys {
  readonly #context: WorkerKeysContext
  readonly #lists = new Map<string, { readonly list: Promise<KeyList>; readonly askedAtMs: number }>()

  /** Models of which a good key was told. */
  readonly #known = new Set<string>()

  constructor(context: WorkerKeysContext) {
    this.#context = context
  }

  /** @throws what ended the question to the proxy */
  async of(model: string): Promise<KeyList> {
    const nowMs = this.#context.now()
    const known = this.#lists.get(model)
    if (known !== undefined && nowMs - known.askedAtMs < freshMs) return known.list
    const list = this.#ask(model)
    this.#lists.delete(model)
    this.#lists.set(model, { list, askedAtMs: nowMs })
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size <= mostModels) break
      this.#lists.delete(oldest)
    }
    // What failed, or knew nobody, is asked for again: a worker may just be on its way.
    list.then(
      ({ workers }) => workers.length === 0 && this.forget(model),
      () => this.forget(model),
    )
    return list
  }

  /** The next question asks the proxy again. */
  forget(model: string): void {
    this.#lists.delete(model)
  }

  async #ask(model: string): Promise<KeyList> {
    const { keys } = await this.#context.ask(model)
    const judged = await Promise.all(keys.slice(0, mostKeys).map((told) => this.#judge(told, model)))
    const workers = judged.filter((one) => one !== undefined)
    const hadKeys = this.#known.has(model)
    if (workers.length > 0 && this.#known.size < mostModels) this.#known.add(model)
    return { workers, refused: judged.length - workers.length, hadKeys }
  }

  async #judge(told: TlObject<'client.workerKey'>, model: string): Promise<SealableWorker | undefined> {
    const { root, logger, now } = this.#context
    try {
      const key = readKey(told.signed_key)
      verifyKey(key, { root, model, nowMs: now() })
      return {
        key,
        worker: {
          keyId: hex(key.id),
          owner: key.owner.toRawString(),
          ownerProof: key.wallet['@type'] === 'sealed.walletW5' ? 'w5' : 'cocoon-wallet',
          model: key.model,
          createdAtMs: key.createdAtMs,
          expiresAtMs: key.expiresAtMs,
          attestation: await this.#attestationOf(key),
          signedKey: hex(key.signedKey),
        },
        coefficient: told.coefficient,
        hasRoom: told.active_requests < told.max_active_requests,
      }
    } catch (thrown) {
      if (!(thrown instanceof KeyRefused) && !(thrown instanceof AttestationError)) throw thrown
      logger.warn('a worker’s key was not taken', { reason: thrown instanceof KeyRefused ? thrown.reason : thrown.code })
      return undefined
    }
  }

  /** @throws AttestationError for a quote that does not hold: such a worker claims what is not so */
  async #attestationOf({ quote, statement }: ReadKey): Promise<SealedWorker['attestation']> {
    if (quote === undefined) return { kind: 'none' }
    const { policy } = this.#context
    if (policy === undefined || policy.kind === 'any') return { kind: 'not-checked' }
    const { attestation, imageHash } = await checkPolicy(policy, statement, { quote, hasSevSnp: false })
    return attestation === 'none' ? { kind: 'none' } : { kind: attestation, imageHash: hex(imageHash) }
  }
}

/**
 * The worker that a question goes to: one with room if there is any, the cheapest of them, and among equals any. Undefined when none is within
 * the price limit.
 */
export function chooseKey(
  workers: readonly SealableWorker[],
  limits: { readonly maxCoefficient: number; readonly attested: boolean },
): SealableWorker | undefined {
  const able = workers.filter(
    ({ coefficient, worker }) => coefficient <= limits.maxCoefficient && (!limits.attested || worker.attestation.kind === 'tdx'),
  )
  const free = able.filter(({ hasRoom }) => hasRoom)
  const pool = free.length > 0 ? free : able
  const least = Math.min(...pool.map(({ coefficient }) => coefficient))
  const cheapest = pool.filter(({ coefficient }) => coefficient === least)
  return cheapest.length === 0 ? undefined : cheapest[randomInt(cheapest.length)]
}
