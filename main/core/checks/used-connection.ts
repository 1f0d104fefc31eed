import { Failure } from '../../base/failure.ts'
import { follow, Signal, type Watchable } from '../../base/signal.ts'
import type { ClientConnectionState } from '../../client/state.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { LiveNetwork } from '../app-network.ts'
import type { SeenPeer } from './seen-peer.ts'

/** What of a network the checks of its connection look at. */
export type CheckedNetwork = Pick<LiveNetwork, 'client' | 'peers'> & { readonly root: Pick<LiveNetwork['root'], 'config'> }

/** The connection that the next question would go over. */
export interface Used {
  /** Of this very connection: to which endpoint, with whose key, under which version of the contract; a new one to the same place has another name. */
  readonly name: string
  readonly link: ClientConnectionState
  readonly peer: SeenPeer
}

export function usedBy(network: CheckedNetwork | null): Used | undefined {
  const [link] = network?.client.state.value.connections ?? []
  const peer = link?.wire && network?.peers.of(link.wire)
  if (link?.phase !== 'ready' || !peer) return undefined
  const root = network?.root.config.value
  return { name: nameOf(link.endpoint, peer, root ?? null), link, peer }
}

/** Name of a connection. What was checked before the contract's owner changed it, or endpoints disagreed about it, is not checked any more. */
export function nameOf(
  endpoint: string,
  { count, key }: Pick<SeenPeer, 'count' | 'key'>,
  root: Pick<RootConfig, 'version' | 'disputed'> | null,
): string {
  const contract = `v${root?.version ?? '?'}${root?.disputed === undefined ? '' : ' disputed'}`
  return `${endpoint} #${count} ${key ?? 'plain'} ${contract}`
}

/**
 * The connection of this name and its network, while it is the one in use.
 * @throws Failure `connection-lost` when it has ended since it was named
 */
export function connectionOf<T extends CheckedNetwork>(
  live: Watchable<T | null>,
  name: string | null,
): { readonly network: T; readonly used: Used } {
  const network = live.value
  const used = usedBy(network)
  if (!network || used?.name !== name)
    throw new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })
  return { network, used }
}

/** Whether a connection of the network's client is the one that a permit names, now. */
export function isPermitted(network: CheckedNetwork, wire: PacketConnection, permitted: string): boolean {
  const used = usedBy(network)
  return used?.link.wire === wire && used.name === permitted
}

/**
 * The name of the connection in use, kept up to date for the life of the core.
 * @param model null while no worker of the network offers one: then nobody could be asked and there is nobody to check, so there is no name either
 */
export function connectionName(
  live: Watchable<CheckedNetwork | null>,
  model?: Watchable<string | null>,
): Watchable<string | null> {
  const name = new Signal<string | null>(null)
  const show = (): void => name.set(model?.value === null ? null : (usedBy(live.value)?.name ?? null))
  model?.onChange(show)
  follow(live, ({ client }) => client.state.onChange(show), show)
  follow(live, ({ root }) => root.config.onChange(show), show)
  show()
  return name
}
