import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { followLocalEndpoint, type LocalPlace, localEndpoint } from '../core/local-endpoint.ts'
import { type ChainNetwork, readNetworkFile } from '../network/network-file.ts'
import { dataPaths } from '../storage/files.ts'
import { apiKeyFor } from '../ton/api-key.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { otherChains } from '../ton/root-agreement.ts'
import { type RootConfig, watchRoot } from '../ton/root-config.ts'

/** The network that a role works on. */
export interface RoleNetwork {
  /** Names the folder of what the role keeps. */
  readonly name: string
  /** Null until the network contract was read. */
  readonly root: Watchable<RootConfig | null>
  /** Absent in the mode without a blockchain (protocol 60 §10). */
  readonly chain: Chain | undefined
  /** Which local chain it is on: books of another one are set aside. Undefined elsewhere. */
  readonly chainId?: number | undefined
  /** Whoever still waits for its chain is told `chain-closed`. A role closes its network when it ends. */
  close(): Promise<void>
}

/** How often the network contract is read; protocol 30 §2 wants 30 to 60 s, a local chain costs nothing. */
const rootIntervalMs = { local: 5_000, testnet: 30_000, mainnet: 30_000 } as const
/**
 * Opens the network of that name, or of that file.
 * @param given `local` for the network of the app that runs on this computer, or a path to a network file
 * @throws Failure `network-unknown`, of `readNetworkFile`, `app-not-running`
 */
export function openNetwork(given: string, options: { readonly dataDir: string; readonly logger: Logger }): RoleNetwork {
  if (given === 'local') return openLocal(options)
  if (!existsSync(given))
    throw new Failure('network-unknown', `There is no network file ${given}, and no network of that name.`, {
      advice: 'Give "local" for the network of the app on this computer, or the path of a network file.',
    })
  const file = readNetworkFile(given)
  if (file.mode === 'chain') return openFile(file, options)
  return {
    name: basename(given).replace(/\.json$/i, ''),
    root: new Signal<RootConfig | null>(file.root),
    chain: undefined,
    close: async () => undefined,
  }
}

/** A network that was deployed on a chain. What a role keeps is named by the contract: a file may be renamed, and keys must stay found. */
function openFile({ chain: place, root }: ChainNetwork, { dataDir, logger }: { dataDir: string; logger: Logger }): RoleNetwork {
  const { kind } = place
  const local = kind === 'local' ? localEndpoint(dataPaths(dataDir).localEndpoint) : undefined
  const [endpoint, ...others] = [...(local === undefined ? [] : [local.endpoint]), ...(place.endpoints ?? [])]
  if (endpoint === undefined) throw new Failure('network-unknown', 'The network file names no endpoint.')
  const open = (closed: AbortSignal): Chain =>
    local === undefined
      ? httpChain({ kind, endpoint, closed, logger: logger.room('chain'), ...apiKeyFor(endpoint) })
      : localChain(local, closed, dataDir, logger)
  return { ...onChain(`${kind}-${root.hash.toString('hex').slice(0, 16)}`, open, root, logger, others), chainId: local?.chainId }
}

function openLocal({ dataDir, logger }: { readonly dataDir: string; readonly logger: Logger }): RoleNetwork {
  const place = localEndpoint(dataPaths(dataDir).localEndpoint)
  const open = (closed: AbortSignal): Chain => localChain(place, closed, dataDir, logger)
  return { ...onChain('local', open, place.root, logger), chainId: place.chainId }
}

/** The chain of the app, found again when the app was started again. */
function localChain(place: LocalPlace, closed: AbortSignal, dataDir: string, logger: Logger): Chain {
  const room = logger.room('chain')
  const endpointNow = followLocalEndpoint(dataPaths(dataDir).localEndpoint, place, () =>
    room.error('the app runs another local chain now, on which this role has nothing: start the role again'),
  )
  return httpChain({ kind: 'local', endpoint: place.endpoint, endpointNow, closed, logger: room })
}

function onChain(
  name: string,
  open: (closed: AbortSignal) => Chain,
  root: Address,
  logger: Logger,
  endpoints: readonly string[] = [],
): RoleNetwork {
  const closing = new AbortController()
  const chain = open(closing.signal)
  const others = otherChains(chain.kind, endpoints, logger.room('chain'))
  const watcher = watchRoot(chain, root, { intervalMs: rootIntervalMs[chain.kind], others, logger: logger.room('root') })
  watcher.start()
  const close = (): Promise<void> => {
    closing.abort()
    return watcher.stop()
  }
  return { name, root: watcher.config, chain, close }
}
