import type { NetworkState, PathStep } from '../../preload/api/system.ts'
import { type Words, wordsOf } from '../base/failure.ts'
import type { ClientConnectionState } from '../client/state.ts'
import type { Ledger } from '../earnings/ledger.ts'
import { canAnswer, type Engine } from '../inference/engine.ts'
import { endpointsThat } from '../ton/root-agreement.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { type AppNetwork, type SeenRoot, troubleWords } from './app-network.ts'
import type { PeerWatch } from './checks/seen-peer.ts'

/** What the Network screen shows, from what the roles know now. */
export function networkState(network: AppNetwork, engine: Pick<Engine, 'state'>, ledger: Ledger): NetworkState {
  const live = network.live.value
  const seen = network.seen.value
  const { trouble, readOnly, kind, name } = network
  const config = seen?.root.config.value ?? null
  const base = {
    kind,
    name,
    chain: network.chainKind,
    readOnly,
    ...(seen === null ? {} : { endpoint: seen.endpoint }),
    ...(config === null ? {} : { root: rootView(config), others: othersView(config) }),
  }
  const path = pathSteps(network, engine, ledger)
  if (readOnly) return { ...base, ...readingStatus(seen), proxies: listedProxies(config), models: [], path: [] }
  if (trouble !== null)
    return { ...base, status: 'error', error: trouble, ...errorWords(troubleWords(network)), proxies: [], models: [], path }
  if (!live) return { ...base, status: 'starting', proxies: [], models: [], path }
  const [connection] = live.client.state.value.connections
  if (live.own === null)
    return { ...base, status: 'ready', proxies: dialledProxies(config, connection, live.peers), models: [], path }
  const status = live.own.proxy.status.value
  return {
    ...base,
    status: 'ready',
    proxies: [
      {
        contract: live.own.contract.toString(),
        clientPort: status.clientPort === null ? '' : `127.0.0.1:${status.clientPort}`,
        workerPort: status.workerPort === null ? '' : `127.0.0.1:${status.workerPort}`,
        state: connection?.phase === 'ready' ? 'connected' : connection ? 'connecting' : 'lost',
        verification: 'Not checked: it runs on this computer and has no attestation.',
        workers: status.workers,
      },
    ],
    models: status.models.map(({ model, enabledWorkers, coefficient }) => ({
      name: model,
      workers: enabledWorkers,
      coefficient,
    })),
    path,
  }
}

function rootView(config: RootConfig): NonNullable<NetworkState['root']> {
  const { params } = config
  return {
    address: config.address.toString(),
    version: config.version,
    paramsVersion: params.paramsVersion,
    structVersion: params.structVersion,
    isTest: params.isTest,
    pricePerToken: params.pricePerToken,
    workerFeePerToken: params.workerFeePerToken,
    multipliers: params.multipliers,
    minClientStake: params.minClientStake,
    minProxyStake: params.minProxyStake,
    readAtMs: config.readAtMs,
  }
}

function othersView({ source, disputed }: RootConfig): NonNullable<NetworkState['others']> {
  return {
    same: endpointsThat('same', source?.others),
    silent: endpointsThat('silent', source?.others),
    ...(disputed && { disputed }),
  }
}

/** A reading that fails keeps what was read before; the screen shows both. */
function readingStatus(seen: SeenRoot | null): Pick<NetworkState, 'status' | 'error' | 'errorWords'> {
  const failure = seen?.root.failure.value ?? null
  if (failure !== null) return { status: 'error', error: failure.message, ...errorWords(wordsOf(failure)) }
  return { status: seen === null ? 'starting' : 'ready' }
}

/** Proxies of a network that is only read: what the contract lists, and that nobody asked them anything. */
function listedProxies(config: RootConfig | null): NetworkState['proxies'] {
  return (config?.proxies ?? []).map(({ forClients, forWorkers }) => ({
    clientPort: `${forClients.host}:${forClients.port}`,
    workerPort: `${forWorkers.host}:${forWorkers.port}`,
    state: 'listed' as const,
    verification: 'Not checked: the app does not connect to it.',
    workers: null,
  }))
}

/** Proxies of a network that runs elsewhere: the one that the client speaks to, and those that it could speak to. */
function dialledProxies(
  config: RootConfig | null,
  connection: ClientConnectionState | undefined,
  peers: PeerWatch,
): NetworkState['proxies'] {
  return listedProxies(config).map((listed) => {
    if (connection?.endpoint !== listed.clientPort) return listed
    const { phase, wire, proxyContract } = connection
    const isUp = phase === 'ready'
    const isAttested = isUp && wire !== undefined && peers.of(wire)?.quote !== undefined
    return {
      ...listed,
      ...(proxyContract && { contract: proxyContract.toString() }),
      state: isUp ? 'connected' : 'connecting',
      verification: isAttested
        ? 'Its attestation was verified on this computer.'
        : 'Not checked: this network asks its proxies for no attestation.',
    }
  })
}

/** This computer's own path to work as five knots; the first that is not done says why, later ones lie ahead (ui.md §5.5). */
function pathSteps(network: AppNetwork, engine: Pick<Engine, 'state'>, ledger: Ledger): PathStep[] {
  const { trouble } = network
  const live = network.live.value
  const [connection] = network.worker.value?.state.value.connections ?? []
  const ready = connection?.phase === 'ready'
  const model = engine.state.value
  const facts: ReadonlyArray<Omit<PathStep, 'state'> & { done: boolean; failed?: boolean }> = [
    {
      id: 'connection',
      title: 'Chain',
      done: live !== null && trouble === null,
      failed: trouble !== null,
      ...(trouble !== null
        ? step(trouble, troubleWords(network))
        : live
          ? step(`Read through ${live.chain.endpoint}`, { code: 'read-through', values: { endpoint: live.chain.endpoint } })
          : step('Starting', { code: 'starting' })),
    },
    {
      id: 'proxy',
      title: 'Proxy',
      done: ready,
      ...(ready
        ? step(`Connected to ${connection.endpoint}`, { code: 'connected-to', values: { endpoint: connection.endpoint } })
        : connection?.failure === undefined
          ? step('Connecting', { code: 'connecting' })
          : step(connection.failure, connection.failureWords)),
    },
    {
      id: 'registered',
      title: 'Registered',
      done: ready,
      ...(connection?.workerContract
        ? step(`Worker contract ${connection.workerContract.toString()}`, {
            code: 'worker-contract',
            values: { contract: connection.workerContract.toString() },
          })
        : step('The proxy has not accepted this worker yet', { code: 'worker-not-accepted' })),
    },
    {
      id: 'model',
      title: 'Model loaded',
      done: canAnswer(model),
      failed: model.status === 'failed',
      ...(model.status === 'ready' || model.status === 'asleep'
        ? step(model.model)
        : model.status === 'failed'
          ? step(model.reason, model.words)
          : model.status === 'restarting'
            ? step(model.reason, model.words)
            : step('Loading', { code: 'loading' })),
    },
    {
      id: 'answering',
      title: 'Answering',
      done: ledger.totals().answered > 0,
      ...step(`${ledger.totals().answered} answered`, { code: 'answered', values: { n: ledger.totals().answered } }),
    },
  ]
  const current = facts.findIndex(({ done }) => !done)
  return facts.map(({ done, failed, ...fact }, index) => ({
    ...fact,
    state: done && (current === -1 || index < current) ? 'done' : index > current ? 'ahead' : failed ? 'failed' : 'doing',
  }))
}

function step(detail: string, words?: Words): Pick<PathStep, 'detail' | 'detailWords'> {
  return { detail, ...(words === undefined ? {} : { detailWords: words }) }
}

function errorWords(words: Words | undefined): Pick<NetworkState, 'errorWords'> {
  return words === undefined ? {} : { errorWords: words }
}
