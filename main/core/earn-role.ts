import type { Settings } from '../../preload/api/system.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { EarnRole } from '../earnings/earn-status.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import type { Engine } from '../inference/engine.ts'
import type { DiskState } from '../storage/disk-room.ts'
import type { Worker } from '../worker/worker.ts'
import { type AppNetwork, troubleWords } from './app-network.ts'
import type { ServingEngine } from './engines/serving-engine.ts'

/** Upper estimate of what one payout costs the node wallet: gas and forward fees of wallet, worker and proxy contract. nanoton */
const settleFee = 20_000_000n

export interface EarnRoleParts {
  /** What serves: this app's engine, or that of another program. */
  readonly engine: Pick<Engine, 'state'>
  readonly external: Watchable<Pick<ServingEngine, 'name' | 'isLooking'> | null>
  readonly network: AppNetwork
  readonly disk: Watchable<DiskState>
  readonly settings: Watchable<Pick<Settings, 'earningPaused' | 'limits' | 'prices'>>
  readonly pauses: Watchable<PauseState>
}

/** What the Earn screen says about this worker, composed from engine, network and worker. Kept up to date for the life of the core. */
export function earnRole({ engine, external, network, disk, settings, pauses }: EarnRoleParts): Watchable<EarnRole> {
  let connectedSinceMs: number | undefined
  let wasConnected = false

  const link = (worker: Worker | null): EarnRole['link'] => {
    const { trouble } = network
    const noWorker = network.noWorker.value
    if (trouble !== null) return { status: 'failed', reason: trouble, reasonWords: troubleWords(network) }
    if (noWorker !== null) return { status: 'failed', reason: noWorker.text, reasonWords: noWorker.words }
    const [connection] = worker?.state.value.connections ?? []
    if (connection?.phase === 'ready') {
      connectedSinceMs ??= Date.now()
      wasConnected = true
      return { status: 'connected', sinceMs: connectedSinceMs }
    }
    connectedSinceMs = undefined
    const reason = connection?.failure
    return {
      status: wasConnected ? 'lost' : 'starting',
      ...(reason === undefined ? {} : { reason, reasonWords: connection?.failureWords }),
    }
  }

  const read = (): EarnRole => {
    const worker = network.worker.value
    const live = network.live.value
    const fee = live?.root.config.value?.params.workerFeePerToken
    return {
      network: network.chainKind,
      engine: engine.state.value,
      ...(external.value && { servedBy: { name: external.value.name, isLooking: external.value.isLooking } }),
      link: link(worker),
      paused: settings.value.earningPaused && worker !== null,
      pause: { ...pauses.value, limits: settings.value.limits },
      prices: settings.value.prices,
      running: worker?.state.value.running ?? 0,
      ...(live ? { ownerAddress: live.user.toString({ bounceable: false }) } : {}),
      ...(fee === undefined ? {} : { workerFeePerToken: fee }),
      settleFeeEstimate: settleFee * BigInt(worker?.state.value.unpaidContracts || 1),
      ...(disk.value.full ? { diskFull: { folder: disk.value.folder, sinceMs: disk.value.sinceMs } } : {}),
    }
  }

  const role = new Signal(read())
  const show = (): void => role.set(read())
  let stopWorker: (() => void) | undefined
  engine.state.onChange(show)
  external.onChange(show)
  disk.onChange(show)
  settings.onChange(show)
  pauses.onChange(show)
  network.failure.onChange(show)
  network.noWorker.onChange(show)
  network.live.onChange((live) => {
    live?.root.config.onChange(show)
    live?.chain.state.onChange(show)
    show()
  })
  network.worker.onChange((worker) => {
    stopWorker?.()
    stopWorker = worker?.state.onChange(show)
    // Another model is another worker: its first connection is a start, not a loss.
    wasConnected = false
    show()
  })
  return role
}
