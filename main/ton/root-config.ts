import type { Address } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { parseRootState, type RootState } from '../../contracts/root.ts'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { AccountState, Chain } from './chain.ts'
import { besides, type Dispute, EndpointsDisagree, type OtherReading, readAgreed } from './root-agreement.ts'

/** The root contract as it was at `readAtMs` (Unix milliseconds of this computer). */
export interface RootConfig extends RootState {
  readonly address: Address
  readonly readAtMs: number
  /** Where it was read; left out when it was not read from a chain. */
  readonly source?: {
    readonly endpoint: string
    readonly block?: NonNullable<AccountState['block']>
    /** The other endpoints that were asked; left out or empty when there is one alone. */
    readonly others?: readonly OtherReading[]
  }
  /** Set while two endpoints disagree since this reading: its terms are the last that they agreed on, but it vouches for nobody. */
  readonly disputed?: Dispute
}

export interface RootWatcher {
  /** The newest good reading; it stays when later readings fail, so look at its `readAtMs`, and is marked when endpoints disagree. */
  readonly config: Watchable<RootConfig | null>
  /** Why the newest reading failed; null when it did not. */
  readonly failure: Watchable<Failure | null>
  start(): void
  stop(): Promise<void>
  /** Reads now. Throws as `readRoot`, `endpoints-disagree`, or the reason of `signal` when that aborts. */
  refresh(signal?: AbortSignal): Promise<RootConfig>
}

export interface WatchRootOptions {
  /** Pause between readings. */
  readonly intervalMs: number
  /** Other endpoints that each reading is compared with; see `readAgreed`. The one that is read through is left out. */
  readonly others?: readonly Chain[]
  /** After which pauses endpoints that differ are asked again. */
  readonly pausesMs?: readonly number[]
  readonly logger?: Logger
  /** Unix milliseconds. */
  readonly now?: () => number
}

/**
 * Reads a root contract once (protocol 60 §3.1: the data cell, not getters).
 * @throws Failure `root-absent`, `root-malformed`, `root-newer` (an update of this software is needed), or a code of `Chain`.
 */
export async function readRoot(chain: Chain, address: Address): Promise<RootConfig> {
  return (await readAgreedRoot(chain, address)).config
}

/**
 * The same, compared with what others say (see `readAgreed`), and the account that says it.
 * @throws Failure as `readRoot`, and `endpoints-disagree`
 */
export async function readAgreedRoot(
  chain: Chain,
  address: Address,
  others: readonly Chain[] = [],
): Promise<{ readonly config: RootConfig; readonly account: AccountState }> {
  return read(chain, address, { now: Date.now, others })
}

/** Keeps a root contract's state at hand, read every `intervalMs` from `start` to `stop`. */
export function watchRoot(chain: Chain, address: Address, options: WatchRootOptions): RootWatcher {
  const now = options.now ?? Date.now
  const logger = options.logger ?? silentLogger
  // Looked at anew each time: the local chain's own endpoint may be another by then.
  const others = () => besides(chain, options.others ?? [])
  const config = new Signal<RootConfig | null>(null)
  const failure = new Signal<Failure | null>(null)
  /** Beside `config`, for a disagreement at the first reading counts as any later one. */
  const contradicting = new Set<string>()
  let newestLt = -1n
  let running: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined

  const refresh = async (signal?: AbortSignal): Promise<RootConfig> => {
    try {
      const answer = read(chain, address, { now, others: others(), pausesMs: options.pausesMs, signal, contradicting })
      const reading = await (signal === undefined ? answer : untilAborted(answer, signal))
      const present = config.value
      // Endpoints with several servers answer from older blocks at times; what is older than known is not news.
      const lt = reading.account.last?.lt ?? 0n
      if (present !== null && lt < newestLt) return present
      newestLt = lt
      config.set(reading.config)
      failure.set(null)
      return reading.config
    } catch (thrown) {
      if (signal?.aborted) throw thrown
      const error = thrown instanceof Failure ? thrown : new Failure('root-malformed', asError(thrown).message, { cause: thrown })
      if (failure.value?.code !== error.code) logger.warn('root contract not read', { code: error.code, message: error.message })
      if (error instanceof EndpointsDisagree) config.update((present) => present && { ...present, disputed: error.dispute })
      failure.set(error)
      throw error
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      // The failure is kept in `failure`; the next round tries again.
      await refresh(signal).catch(() => undefined)
      await pause(options.intervalMs, signal)
    }
  }

  return {
    config,
    failure,
    refresh,
    start: () => {
      if (running !== undefined) return
      const stopping = new AbortController()
      running = { stopping, ended: run(stopping.signal) }
    },
    stop: async () => {
      const present = running
      running = undefined
      present?.stopping.abort()
      await present?.ended
    },
  }
}

interface ReadOptions {
  readonly now: () => number
  readonly others?: readonly Chain[]
  readonly pausesMs?: readonly number[] | undefined
  readonly signal?: AbortSignal | undefined
  readonly contradicting?: Set<string>
}

async function read(
  chain: Chain,
  address: Address,
  { now, others = [], pausesMs, signal, contradicting }: ReadOptions,
): Promise<{ config: RootConfig; account: AccountState }> {
  const readAtMs = now()
  const { account, others: told } = await readAgreed(chain, others, address, { pausesMs, signal, contradicting })
  if (account.status !== 'active' || account.data === null) {
    throw new Failure('root-absent', `There is no network contract at ${address.toString()}.`, {
      advice: 'Check the address of the network.',
    })
  }
  try {
    const source = { endpoint: chain.endpoint, ...(account.block && { block: account.block }), others: told }
    return { config: { ...parseRootState(account.data), address, readAtMs, source }, account }
  } catch (thrown) {
    if (thrown instanceof LayoutError && thrown.newer) {
      throw new Failure('root-newer', thrown.message, { advice: 'Update this software to use the network.', cause: thrown })
    }
    throw new Failure('root-malformed', `The network contract could not be read: ${asError(thrown).message}`, { cause: thrown })
  }
}
