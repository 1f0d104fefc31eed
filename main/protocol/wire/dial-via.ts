import { lookup } from 'node:dns/promises'
import { isIPv4, type Socket } from 'node:net'
import { PacketConnection, type PacketConnectionLimits } from './connection.ts'
import { type PeerConnection, peerBehindRouter } from './peer.ts'
import { readExactly } from './read-exactly.ts'
import { receivePeerInfo } from './receive-peer-info.ts'
import {
  authVersion,
  mostAuthBytes,
  socksAddressBytes,
  socksAddressTypes,
  socksCommands,
  socksMethods,
  socksReplies,
  socksReplyText,
  socksVersion,
  writeSocksAddress,
} from './socks5.ts'
import { type DialTarget, throughSocket } from './through-socket.ts'
import { WireError } from './wire-error.ts'

export interface RouterAddress {
  readonly host: string
  readonly port: number
  /** Name of the policy to ask the router for, in the place of a user name; its default one unless given (10 §6.1). */
  readonly policy?: string
}

export interface ViaOptions extends DialTarget {
  /** The router on this computer that does proof of work and TLS for us. It is believed about who the peer is. */
  readonly router: RouterAddress
  readonly limits?: PacketConnectionLimits
}

/**
 * Connects to a proxy through a router (10 §4, §6): SOCKS5, then what the router says about the peer, then frames. The returned connection
 * waits for `connection.start(handlers)`.
 * @throws WireError `connect-failed` (no router), `router-refused`, `protocol-violation`, `handshake-timeout`, `connection-lost`, `dial-aborted`
 */
export async function dialVia({ router, limits, host, port, ...target }: ViaOptions): Promise<PeerConnection> {
  const ip = isIPv4(host) ? host : await resolved(host)
  return throughSocket({ ...target, host: router.host, port: router.port }, async ({ socket }) => {
    await greet(socket, router.policy)
    socket.write(writeSocksAddress(socksCommands.connect, { ip, port }))
    await expectSuccess(socket)
    const { info, address } = await receivePeerInfo(socket, 'destination')
    const connection = new PacketConnection(socket, { role: 'connecting', ...limits })
    return { connection, peer: peerBehindRouter(info, address) }
  })
}

/** Routers take IPv4 addresses only, so names are looked up here. */
async function resolved(host: string): Promise<string> {
  try {
    return (await lookup(host, { family: 4 })).address
  } catch (cause) {
    throw new WireError('connect-failed', `${host} has no IPv4 address`, { cause, retryable: true, advice: 'Check the name.' })
  }
}

async function greet(socket: Socket, policy: string | undefined): Promise<void> {
  const method = policy === undefined ? socksMethods.none : socksMethods.userName
  socket.write(Uint8Array.of(socksVersion, 1, method))
  const [version, chosen] = await readExactly(socket, 2)
  if (version !== socksVersion) throw new WireError('protocol-violation', 'The router does not speak SOCKS5')
  if (chosen !== method) throw refused('lets nobody choose a policy by name')
  if (policy === undefined) return
  const name = Buffer.from(policy)
  if (name.length === 0 || name.length > mostAuthBytes) throw new TypeError('a policy has a name of 1 to 127 bytes')
  socket.write(Uint8Array.of(authVersion, name.length, ...name, 0))
  const [, status] = await readExactly(socket, 2)
  if (status !== 0) throw refused(`has no policy ${policy}`)
}

async function expectSuccess(socket: Socket): Promise<void> {
  const head = await readExactly(socket, 4)
  if (head[0] !== socksVersion) throw new WireError('protocol-violation', 'The router does not speak SOCKS5')
  const code = head[1] ?? socksReplies.failure
  if (code !== socksReplies.succeeded) throw refused(socksReplyText(code))
  if (head[3] !== socksAddressTypes.ipv4) throw new WireError('protocol-violation', 'The router answered with no IPv4 address')
  await readExactly(socket, socksAddressBytes - head.length)
}

function refused(what: string): WireError {
  return new WireError('router-refused', `The router ${what}`, {
    retryable: true,
    advice: 'See the log of the router for the reason.',
  })
}
