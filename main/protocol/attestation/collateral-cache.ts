import { asError } from '../../base/failure.ts'
import { type Logger, silentLogger } from '../../base/logger.ts'
import { AttestationError, type AttestationErrorCode } from './attestation-error.ts'
import type { Collateral } from './collateral.ts'
import { type KeptCollateral, readKept, writeKept } from './collateral-file.ts'
import type { Platform } from './pck-extension.ts'
import { issueDatesOf } from './verify-collateral.ts'

type Model = Pick<Platform, 'fmspc' | 'authority'>

/** Where collateral comes from. */
export interface CollateralSource {
  /**
   * Gives collateral for a model of processor to `use`, which verifies it and throws when it is no good. It may be asked more than once.
   * @throws AttestationError `collateral-unavailable`, `collateral-expired`, and what `use` throws
   */
  with<T>(model: Model, use: (collateral: Collateral) => T): Promise<T>
}

export interface CollateralCacheOptions {
  readonly service: { get(model: Model): Promise<Collateral> }
  /** Keeps it over restarts; left out, only memory does. */
  readonly folder?: string
  /** Unix ms. */
  readonly now?: () => number
  /** Age at which the service is asked again; a day. */
  readonly refreshMs?: number
  /** How long a service that failed is left alone; 30 s. */
  readonly pauseMs?: number
  readonly logger?: Logger
}

/** Models of processors whose collateral is in memory. */
const mostModels = 64
/** Something about collateral itself, which other collateral may mend. */
const aboutCollateral: ReadonlySet<AttestationErrorCode> = new Set([
  'collateral-expired',
  'collateral-not-yet-valid',
  'collateral-malformed',
  'collateral-signature-wrong',
  'collateral-not-for-this-platform',
  'chain-malformed',
  'chain-broken',
  'chain-expired',
  'chain-not-yet-valid',
  'chain-wrong-purpose',
  'root-not-trusted',
  'crl-malformed',
  'crl-wrong-issuer',
  'crl-signature-wrong',
] as const)

/**
 * Keeps collateral. It is asked for anew once a day and when it has expired; when the service gives none, or none that is good, what is kept
 * serves until it expires. Only what passed a verification is kept, and never something older than what is kept already.
 */
export class CollateralCache implements CollateralSource {
  readonly #options: CollateralCacheOptions
  readonly #now: () => number
  readonly #kept = new Map<string, KeptCollateral>()
  readonly #asking = new Map<string, Promise<KeptCollateral>>()
  readonly #failed = new Map<string, { readonly atMs: number; readonly error: unknown }>()

  constructor(options: CollateralCacheOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  async with<T>(model: Model, use: (collateral: Collateral) => T): Promise<T> {
    const kept = this.#keptFor(model)
    const old = kept && attempt(() => use(kept.collateral))
    if (old !== undefined && kept !== undefined && !this.#isDue(kept) && !isAboutCollateral(old)) return resultOf(old)
    const fresh = await this.#askFor(model).catch((error: unknown) => ({ error }))
    if ('error' in fresh) {
      this.#options.logger?.warn('no fresh collateral', { reason: asError(fresh.error).message, kept: kept !== undefined })
      if (old === undefined) throw fresh.error
      return resultOf(old)
    }
    const used = attempt(() => use(fresh.collateral))
    const standsAgainst = kept !== undefined && old !== undefined && !isAboutCollateral(old)
    if (isAboutCollateral(used) || (standsAgainst && isOlder(fresh.collateral, kept.collateral))) {
      this.#rememberFailure(keyOf(model), 'thrown' in used ? used.thrown : outrun)
      return resultOf(old ?? used)
    }
    this.#keep(model, fresh)
    return resultOf(used)
  }

  #isDue({ fetchedAtMs }: KeptCollateral): boolean {
    const ageMs = this.#now() - fetchedAtMs
    return ageMs < 0 || ageMs > (this.#options.refreshMs ?? 86_400_000)
  }

  #keptFor(model: Model): KeptCollateral | undefined {
    const key = keyOf(model)
    const known = this.#kept.get(key)
    if (known !== undefined || this.#options.folder === undefined) return known
    const stored = readKept(this.#options.folder, model)
    if (stored !== undefined) this.#hold(key, stored)
    return stored
  }

  #keep(model: Model, fresh: KeptCollateral): void {
    this.#hold(keyOf(model), fresh)
    if (this.#options.folder === undefined) return
    try {
      writeKept(this.#options.folder, model, fresh)
    } catch (error) {
      // It is in memory; only the next start will have to ask again.
      const logger = this.#options.logger ?? silentLogger
      logger.warn('collateral was not stored', { reason: asError(error).message })
    }
  }

  #hold(key: string, kept: KeptCollateral): void {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostModels) break
      this.#kept.delete(oldest)
    }
  }

  /** Asks once for all who want the same. */
  #askFor(model: Model): Promise<KeptCollateral> {
    const key = keyOf(model)
    const failure = this.#failed.get(key)
    if (failure !== undefined && Math.abs(this.#now() - failure.atMs) < (this.#options.pauseMs ?? 30_000))
      return Promise.reject(failure.error)
    this.#failed.delete(key)
    const running = this.#asking.get(key)
    if (running !== undefined) return running
    const asked = this.#options.service
      .get(model)
      .then((collateral) => ({ collateral, fetchedAtMs: this.#now() }))
      .catch((error: unknown) => {
        this.#rememberFailure(key, error)
        throw error
      })
      .finally(() => this.#asking.delete(key))
    this.#asking.set(key, asked)
    return asked
  }

  #rememberFailure(key: string, error: unknown): void {
    if (this.#failed.size >= mostModels) this.#failed.clear()
    this.#failed.set(key, { atMs: this.#now(), error })
  }
}

const outrun = new AttestationError('collateral-unavailable', 'The collateral service says what Intel said before', {
  retryable: true,
})

/** What a use returned or threw. */
type Attempt<T> = { readonly value: T } | { readonly thrown: unknown }

function attempt<T>(run: () => T): Attempt<T> {
  try {
    return { value: run() }
  } catch (thrown) {
    return { thrown }
  }
}

function resultOf<T>(attempted: Attempt<T>): T {
  if ('thrown' in attempted) throw attempted.thrown
  return attempted.value
}

function isAboutCollateral(attempted: Attempt<unknown>): boolean {
  return 'thrown' in attempted && attempted.thrown instanceof AttestationError && aboutCollateral.has(attempted.thrown.code)
}

/** A service may not lead back to what Intel said before, in no part: a list of revoked certificates, or bad news of a platform, stays heard. */
function isOlder(fresh: Collateral, kept: Collateral): boolean {
  const before = issueDatesOf(kept)
  return issueDatesOf(fresh).some((date, part) => (date ?? Number.POSITIVE_INFINITY) < (before[part] ?? Number.NEGATIVE_INFINITY))
}

function keyOf({ fmspc, authority }: Model): string {
  return `${fmspc} ${authority}`
}
