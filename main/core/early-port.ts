import type { InboundPeer, PortOpener } from '../proxy/proxy-config.ts'

/**
 * A port that is open before the proxy is: the network contract lists the ports, and the proxy's own contract can only be read after that.
 * Peers that come too early are turned away; they try again.
 */
export interface EarlyPort {
  readonly port: number
  /** Hands the open port to the proxy. Closing and opening it again (a restart of the proxy) keeps the number. */
  readonly opener: PortOpener
  close(): Promise<void>
}

/** @param listen opens the port and hands over every peer that passed its policy */
export async function openEarly(listen: PortOpener): Promise<EarlyPort> {
  let receive: ((peer: InboundPeer) => void) | undefined
  const open = await listen((peer) => {
    if (receive) receive(peer)
    else peer.connection.close('The proxy is not ready yet')
  })
  return {
    port: open.port,
    opener: async (onPeer) => {
      receive = onPeer
      return {
        host: open.host,
        port: open.port,
        close: async () => {
          receive = undefined
        },
      }
    },
    close: () => open.close(),
  }
}
