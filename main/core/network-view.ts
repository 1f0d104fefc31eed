import type { NetworkState, PathStep } from '../../preload/api/system.ts'
import type { Ledger } from '../earnings/ledger.ts'
import type { Engine } from '../inference/engine.ts'
import type { LocalNetwork } from './local-network.ts'

/** What the Network screen shows, from what the roles know now. */
export function networkState(network: LocalNetwork, engine: Engine, ledger: Ledger): NetworkState {
  const live = network.live.value
  const { trouble } = network
  const base = { kind: 'local', name: 'Local network' } as const
  const path = pathSteps(network, engine, ledger)
  if (trouble !== null) return { ...base, status: 'error', error: trouble, proxies: [], models: [], path }
  if (!live) return { ...base, status: 'starting', proxies: [], models: [], path }
  const config = live.root.config.value
  const status = live.proxy.status.value
  const [connection] = live.client.state.value.connections
  return {
    ...base,
    status: 'ready',
    endpoint: live.chain.endpoint,
    ...(config
      ? {
          root: {
            address: config.address.toString(),
            version: config.version,
            paramsVersion: config.params.paramsVersion,
            structVersion: config.params.structVersion,
            isTest: config.params.isTest,
            pricePerToken: config.params.pricePerToken,
            workerFeePerToken: config.params.workerFeePerToken,
            multipliers: config.params.multipliers,
            minClientStake: config.params.minClientStake,
            minProxyStake: config.params.minProxyStake,
            readAtMs: config.readAtMs,
          },
        }
      : {}),
    proxies: [
      {
        contract: live.contracts.proxyContract.toString(),
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

/** This computer's own path to work as five knots; the first that is not done says why, later ones lie ahead (ui.md §5.5). */
function pathSteps(network: LocalNetwork, engine: Engine, ledger: Ledger): PathStep[] {
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
      detail: trouble ?? (live ? `Read through ${live.chain.endpoint}` : 'Starting'),
    },
    {
      id: 'proxy',
      title: 'Proxy',
      done: ready,
      detail: ready ? `Connected to ${connection.endpoint}` : (connection?.failure ?? 'Connecting'),
    },
    {
      id: 'registered',
      title: 'Registered',
      done: ready,
      detail: connection?.workerContract
        ? `Worker contract ${connection.workerContract.toString()}`
        : 'The proxy has not accepted this worker yet',
    },
    {
      id: 'model',
      title: 'Model loaded',
      done: model.status === 'ready',
      failed: model.status === 'failed',
      detail: model.status === 'ready' ? model.model : model.status === 'failed' ? model.reason : 'Loading',
    },
    { id: 'answering', title: 'Answering', done: ledger.totals().answered > 0, detail: `${ledger.totals().answered} answered` },
  ]
  const current = facts.findIndex(({ done }) => !done)
  return facts.map(({ done, failed, ...step }, index) => ({
    ...step,
    state: done && (current === -1 || index < current) ? 'done' : index > current ? 'ahead' : failed ? 'failed' : 'doing',
  }))
}
