import type { ChainNetwork } from '../network/network-file.ts'
import type { AppNetwork } from './app-network.ts'
import { LocalNetwork, type LocalNetworkOptions } from './local-network.ts'
import { ReadOnlyNetwork } from './read-only-network.ts'

/** The network that the app works with: the computer's own, one that was deployed on its local chain, or one on TON, which is only read. */
export function openAppNetwork(
  options: Omit<LocalNetworkOptions, 'joined'> & { readonly chosen: ChainNetwork | null; readonly listedProxies?: boolean },
): AppNetwork {
  const { chosen, listedProxies = false, ...rest } = options
  if (chosen === null) return new LocalNetwork(rest)
  const { chain, name, root } = chosen
  if (chain.kind === 'local')
    return new LocalNetwork({ ...rest, joined: { name, root, listedProxies, endpoints: chain.endpoints ?? [] } })
  return new ReadOnlyNetwork({
    network: chosen,
    endpoints: chain.endpoints,
    progress: rest.progress,
    logger: rest.logger,
  })
}
