import { Address } from '@ton/core'
import { expect, it } from 'vitest'
import { defaultLimits } from '../../preload/api/limits.ts'
import { Failure, type Told } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import type { EarnRole } from '../earnings/earn-status.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import type { EngineState } from '../inference/engine.ts'
import type { LocalChainState } from '../localnet/local-chain.ts'
import type { DiskState } from '../storage/disk-room.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { WorkerConnectionState, WorkerState } from '../worker/state.ts'
import type { Worker } from '../worker/worker.ts'
import type { AppNetwork, LiveNetwork } from './app-network.ts'
import { type EarnRoleParts, earnRole } from './earn-role.ts'

const user = new Address(0, Buffer.alloc(32, 7))
const idle: WorkerState = {
  ...{ connections: [], running: 0, paused: false, engineHealthy: true },
  ...{ unpaidTokens: 0n, unpaid: 0n, unpaidContracts: 0 },
}
const proxy = (phase: WorkerConnectionState['phase'], failure?: string): Partial<WorkerState> => ({
  connections: [
    { endpoint: '127.0.0.1:1', phase, ...(failure === undefined ? {} : { failure, failureWords: { code: 'proxy-gone' } }) },
  ],
})

/** Everything that the role is read from, to be moved by hand. */
function scene() {
  const engineState = new Signal<EngineState>({ status: 'no-model' })
  const external = new Signal<EarnRoleParts['external']['value']>(null)
  const disk = new Signal<DiskState>({ full: false })
  const chainState = new Signal<LocalChainState>({ status: 'ready', restarts: 0 })
  const config = new Signal<RootConfig | null>(null)
  const live = new Signal<LiveNetwork | null>(null)
  const worker = new Signal<Worker | null>(null)
  const failure = new Signal<Failure | null>(null)
  const noWorker = new Signal<Told | null>(null)
  const network = {
    ...{ chainKind: 'local', live, worker, noWorker, failure },
    get trouble() {
      return failure.value?.message ?? chainState.value.error?.message ?? null
    },
  } as Pick<AppNetwork, 'chainKind' | 'live' | 'worker' | 'noWorker' | 'failure' | 'trouble'> as AppNetwork
  const settings = new Signal({ earningPaused: false, limits: defaultLimits })
  const pauses = new Signal<PauseState>({ reasons: [], allowed: [], program: null, temperatureC: null })
  const role = earnRole({ engine: { state: engineState }, external, network, disk, settings, pauses })
  const seen: EarnRole[] = []
  role.onChange((next) => seen.push(next))
  const goLive = (): void => live.set({ chain: { state: chainState }, root: { config }, user } as unknown as LiveNetwork)
  const serve = (): Signal<WorkerState> => {
    const state = new Signal(idle)
    worker.set({ state } as unknown as Worker)
    return state
  }
  return {
    engineState,
    external,
    disk,
    chainState,
    config,
    failure,
    worker,
    noWorker,
    settings,
    pauses,
    role,
    seen,
    goLive,
    serve,
  }
}

it('follows engine, network, worker, disk and terms, each by itself', () => {
  const { engineState, external, disk, config, settings, pauses, role, seen, goLive, serve } = scene()
  expect(role.value).toMatchObject({ network: 'local', engine: { status: 'no-model' }, link: { status: 'starting' }, running: 0 })
  expect(role.value).not.toHaveProperty('ownerAddress')
  const changed = (change: () => void): EarnRole => {
    const before = seen.length
    change()
    expect(seen.length).toBe(before + 1)
    return role.value
  }
  const ready = { status: 'ready', model: 'm', contextTokens: 1, backend: 'cpu' } as const
  expect(changed(() => engineState.set(ready)).engine).toEqual(ready)
  expect(changed(() => external.set({ name: 'ollama', isLooking: false })).servedBy).toEqual({ name: 'ollama', isLooking: false })
  expect(changed(() => external.set(null))).not.toHaveProperty('servedBy')
  expect(changed(goLive)).toMatchObject({ ownerAddress: user.toString({ bounceable: false }) })
  const terms = { params: { workerFeePerToken: 150n } } as RootConfig
  expect(changed(() => config.set(terms))).toMatchObject({ workerFeePerToken: 150n })
  expect(changed(() => disk.set({ full: true, folder: '/d', sinceMs: 3 })).diskFull).toEqual({ folder: '/d', sinceMs: 3 })
  expect(changed(() => disk.set({ full: false }))).not.toHaveProperty('diskFull')
  let state: Signal<WorkerState> | undefined
  changed(() => {
    state = serve()
  })
  expect(changed(() => state?.set({ ...idle, running: 2 }))).toMatchObject({ running: 2, paused: false })
  // The worker is paused for both; who wanted it is told apart.
  const held: PauseState = { reasons: ['battery'], allowed: [], program: null, temperatureC: null }
  expect(changed(() => pauses.set(held))).toMatchObject({ paused: false, pause: { reasons: ['battery'], limits: defaultLimits } })
  expect(changed(() => settings.set({ earningPaused: true, limits: defaultLimits })).paused).toBe(true)
  // Each contract is a payout of its own.
  const { settleFeeEstimate } = role.value
  expect(changed(() => state?.set({ ...idle, unpaidContracts: 3 })).settleFeeEstimate).toBe(3n * settleFeeEstimate)
})

it('says why this computer can be no worker there, as long as that is so', () => {
  const { role, noWorker } = scene()
  noWorker.set({ text: 'It takes none.', words: { code: 'worker-cannot-attest' } })
  expect(role.value.link).toMatchObject({ status: 'failed', reason: 'It takes none.' })
  noWorker.set(null)
  expect(role.value.link).toEqual({ status: 'starting' })
})

it('tells a start from a loss, and takes another model for a start', () => {
  const { role, serve, seen } = scene()
  const first = serve()
  first.set({ ...idle, ...proxy('waiting', 'Refused.') })
  expect(role.value.link).toEqual({ status: 'starting', reason: 'Refused.', reasonWords: { code: 'proxy-gone' } })
  first.set({ ...idle, ...proxy('ready') })
  const { link } = role.value
  expect(link).toEqual({ status: 'connected', sinceMs: expect.any(Number) })
  expect(Math.abs((link.sinceMs ?? 0) - Date.now())).toBeLessThan(5_000)
  first.set({ ...idle, running: 1, ...proxy('ready') })
  expect(role.value.link).toEqual(link)
  first.set({ ...idle, ...proxy('waiting', 'Gone.') })
  expect(role.value.link).toMatchObject({ status: 'lost', reason: 'Gone.' })

  const second = serve()
  expect(role.value.link).toEqual({ status: 'starting' })
  const told = seen.length
  first.set({ ...idle, ...proxy('ready') })
  // The worker before is not listened to any more.
  expect(seen.length).toBe(told)
  second.set({ ...idle, ...proxy('handshake') })
  expect(role.value.link).toEqual({ status: 'starting' })
})

it('says why nothing can be earned: the network did not start, or its chain is down for good', () => {
  const { failure, chainState, goLive, role, serve } = scene()
  failure.set(new Failure('port-taken', 'A port is taken.'))
  expect(role.value.link).toEqual({ status: 'failed', reason: 'A port is taken.', reasonWords: { code: 'port-taken' } })
  failure.set(null)
  goLive()
  serve().set({ ...idle, ...proxy('ready') })
  expect(role.value.link.status).toBe('connected')
  const error = new Failure('chain-start-failed', 'The chain ended.')
  chainState.set({ status: 'failed', restarts: 4, error })
  expect(role.value.link).toMatchObject({ status: 'failed', reason: 'The chain ended.', reasonWords: error.words })
})
