import type { Socket } from 'node:net'
import { readExactly } from '../protocol/wire/read-exactly.ts'
import {
  authVersion,
  mostAuthBytes,
  readSocksAddress,
  type SocksAddress,
  type SocksReply,
  socksAddressTypes,
  socksCommands,
  socksMethods,
  socksReplies,
  socksVersion,
  writeSocksAddress,
} from '../protocol/wire/socks5.ts'
import { WireError } from '../protocol/wire/wire-error.ts'

/** What a runner asks a router for. */
export interface SocksRequest {
  readonly destination: SocksAddress
  /** Undefined = the default policy of the port. */
  readonly policy: string | undefined
}

export interface SocksRules {
  /** Names that a runner may choose a policy by, in the place of a user name; undefined when it may not choose. */
  readonly policyNames: ReadonlySet<string> | undefined
}

/** A runner that was told why; the socket is to be ended, not cut, so that it reads that. */
export class SocksRefusal extends WireError {
  constructor(message: string) {
    super('protocol-violation', message)
    this.name = 'SocksRefusal'
  }
}

/**
 * The runner's half of SOCKS5 up to its request (10 §6.1). What a runner sends behind the request stays in the socket.
 * @throws WireError `protocol-violation` for what is no SOCKS5, `connection-lost`; SocksRefusal
 */
export async function readSocksRequest(socket: Socket, { policyNames }: SocksRules): Promise<SocksRequest> {
  const [version, count = 0] = await readExactly(socket, 2)
  if (version !== socksVersion) throw new WireError('protocol-violation', 'The runner does not speak SOCKS5')
  const offered = count === 0 ? new Uint8Array() : await readExactly(socket, count)
  const byName = policyNames !== undefined && offered.includes(socksMethods.userName)
  if (!byName && !offered.includes(socksMethods.none)) {
    await say(socket, Uint8Array.of(socksVersion, socksMethods.noneAcceptable))
    throw new SocksRefusal('The runner offers no method that is known here')
  }
  socket.write(Uint8Array.of(socksVersion, byName ? socksMethods.userName : socksMethods.none))
  const policy = byName ? await readPolicyName(socket, policyNames) : undefined
  return { destination: await readDestination(socket), policy }
}

/** Tells the runner that it is connected, and how the connection goes out. */
export function writeConnected(socket: Socket, local: SocksAddress): void {
  socket.write(writeSocksAddress(socksReplies.succeeded, local))
}

/** Tells the runner why it is not connected. */
export function sayRefused(socket: Socket, reply: SocksReply): Promise<void> {
  return say(socket, writeSocksAddress(reply, { ip: '0.0.0.0', port: 0 }))
}

/** RFC 1929; the password says nothing. */
async function readPolicyName(socket: Socket, names: ReadonlySet<string>): Promise<string> {
  const [version, nameBytes = 0] = await readExactly(socket, 2)
  if (version !== authVersion || nameBytes === 0 || nameBytes > mostAuthBytes)
    throw new WireError('protocol-violation', 'The runner sent no user name')
  const name = Buffer.from(await readExactly(socket, nameBytes)).toString('latin1')
  const [passwordBytes = 0] = await readExactly(socket, 1)
  if (passwordBytes > mostAuthBytes) throw new WireError('protocol-violation', 'The runner sent too long a password')
  if (passwordBytes > 0) await readExactly(socket, passwordBytes)
  if (!names.has(name)) {
    await say(socket, Uint8Array.of(authVersion, 1))
    throw new SocksRefusal('The runner asked for a policy that does not exist')
  }
  socket.write(Uint8Array.of(authVersion, 0))
  return name
}

async function readDestination(socket: Socket): Promise<SocksAddress> {
  const [version, command, , addressType] = await readExactly(socket, 4)
  if (version !== socksVersion) throw new WireError('protocol-violation', 'The runner does not speak SOCKS5')
  if (command !== socksCommands.connect) {
    await sayRefused(socket, socksReplies.commandNotSupported)
    throw new SocksRefusal(`The runner sent the command ${command}`)
  }
  if (addressType !== socksAddressTypes.ipv4) {
    await sayRefused(socket, socksReplies.addressTypeNotSupported)
    throw new SocksRefusal(`The runner sent an address of type ${addressType}`)
  }
  const destination = readSocksAddress(await readExactly(socket, 6))
  if (destination.port === 0) {
    await sayRefused(socket, socksReplies.failure)
    throw new SocksRefusal('The runner asked for port 0')
  }
  return destination
}

/** Last words: sends them, and waits until the runner has hung up, or for a second. */
async function say(socket: Socket, words: Uint8Array): Promise<void> {
  if (socket.destroyed) return
  await new Promise<void>((resolve) => {
    const limit = setTimeout(resolve, 1_000)
    socket.once('close', () => {
      clearTimeout(limit)
      resolve()
    })
    // Whatever else it sends is dropped: unread bytes would turn our end into a reset, and the words would be lost.
    socket.resume()
    socket.end(words)
  })
}
