import { listen } from '../protocol/wire/listen.ts'
import { mostConnections } from '../proxy/ports.ts'
import type { PortOpener } from '../proxy/proxy-config.ts'

/**
 * A port for a router on this computer, which says of every peer who it is before it passes its bytes (protocol 10 §6.2). What it says is
 * believed, so the port must be out of everybody else's reach.
 */
export function routerPort(host: string, port: number): PortOpener {
  return async (onPeer) => {
    const listener = await listen({ host, port, plain: true, behindRouter: true, mostConnections }, ({ connection, peer }) =>
      onPeer({ connection, imageHash: peer.imageHash }),
    )
    return { host, port: listener.port, close: () => listener.close() }
  }
}
