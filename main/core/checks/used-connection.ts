import { Signal, type Watchable } from '../../base/signal.ts'
import type { ClientConnectionState } from '../../client/state.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { LiveNetwork } from '../app-network.ts'
import type { SeenPeer } from './seen-peer.ts'

/** What of a network the checks of its connection look at. */
export type CheckedNetwork = Pick<LiveNetwork, 'client' | 'peers'> & { readonly root: Pick<LiveNetwork['root'], 'config'> }

/** The connection that the next question would go over. */
export interface Used {
  /** Of this very connection: to which endpoint, with whose key; a new one to the same place has another name. */
  readonly name: string
  readonly link: ClientConnectionState
  readonly peer: SeenPeer
}

export function usedBy(network: Pick<CheckedNetwork, 'client' | 'peers'> | null): Used | undefined {
  const [link] = network?.client.state.value.connections ?? []
  const peer = link?.wire && network?.peers.of(link.wire)
  if (link?.phase !== 'ready' || !peer) return undefined
  return { name: `${link.endpoint} #${peer.count} ${peer.key ?? 'plain'}`, link, peer }
}

/** Whether a connection of the network's client is the one that a permit names, now. */
export function isPermitted(
  network: Pick<CheckedNetwork, 'client' | 'peers'>,
  wire: PacketConnection,
  permitted: string,
): boolean {
  const used = usedBy(network)
  return used?.link.wire === wire && used.name === permitted
}

/** The name of the connection in use, kept up to date for the life of the core. */
export function connectionName(live: Watchable<Pick<CheckedNetwork, 'client' | 'peers'> | null>): Watchable<string | null> {
  const name = new Signal<string | null>(null)
  const show = (): void => name.set(usedBy(live.value)?.name ?? null)
  let unwatch: () => void = () => undefined
  const follow = (network: Pick<CheckedNetwork, 'client'> | null): void => {
    unwatch()
    unwatch = network?.client.state.onChange(show) ?? (() => undefined)
    show()
  }
  live.onChange(follow)
  follow(live.value)
  return name
}
