import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { asError } from '../../base/failure.ts'
import { type Logger, silentLogger } from '../../base/logger.ts'
import { AttestationError } from '../attestation/attestation-error.ts'
import type { Identity } from '../attestation/certificate.ts'
import type { Policy } from '../attestation/policy.ts'
import { PacketConnection, type PacketConnectionLimits } from './connection.ts'
import { type Peer, type PeerConnection, plainPeer, verifiedPeer } from './peer.ts'
import { createChallenge, mostDifficulty, responseBytes, verify } from './proof-of-work.ts'
import { readExactly } from './read-exactly.ts'
import { tlsProfile } from './tls-profile.ts'
import { WireError } from './wire-error.ts'

interface Place {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  /** How long one peer may take for proof of work and TLS; 20 s. */
  readonly handshakeLimitMs?: number
  /** Peers in the middle of a handshake; beyond it the one that has owed its proof of work for longest is dropped; 128. */
  readonly mostHandshakes?: number
  /** Connections, handshakes included; beyond it new ones are refused; 1024. */
  readonly mostConnections?: number
  readonly limits?: PacketConnectionLimits
  readonly logger?: Logger
}

export interface SecureListenOptions extends Place {
  readonly identity: Identity
  readonly policy: Policy
  /** Leading zero bits that the proof of work of a peer must have, 0 to 24. */
  readonly difficulty: number
  readonly plain?: false
}

/** Frames directly on TCP: no proof of work, no TLS. For test peers; never on a public address. */
export interface PlainListenOptions extends Place {
  readonly plain: true
}

export type ListenOptions = SecureListenOptions | PlainListenOptions

export interface Listener {
  readonly port: number
  /** Connections that are through their handshake. */
  readonly connectionCount: number
  readonly handshakeCount: number
  /** Shows another certificate to new peers; connections that exist stay as they are. */
  renewIdentity(identity: Identity): void
  /** Takes no new peers and ends all connections; resolves when all are gone. */
  close(): Promise<void>
}

/** A peer that has not finished its handshake. */
interface Handshake {
  readonly socket: Socket
  readonly timer: NodeJS.Timeout
  owesWork: boolean
}

/**
 * Accepts peers (10 §4 to §7): proof of work, TLS 1.3 with a client certificate, policy. `onConnection` must call `connection.start`.
 * @throws WireError `listen-failed`
 */
export async function listen(options: ListenOptions, onConnection: (accepted: PeerConnection) => void): Promise<Listener> {
  const { handshakeLimitMs = 20_000, mostHandshakes = 128, mostConnections = 1024, limits, logger = silentLogger } = options
  if (
    !options.plain &&
    !(Number.isInteger(options.difficulty) && options.difficulty >= 0 && options.difficulty <= mostDifficulty)
  )
    throw new TypeError('the difficulty is a whole number from 0 to 24')
  const handshakes = new Map<string, Handshake>()
  const connections = new Set<PacketConnection>()
  const tlsServer = options.plain ? undefined : secureServer(options)
  let closing = false

  const accept = (socket: Socket, peer: Peer): void => {
    const connection = new PacketConnection(socket, { role: 'accepting', ...limits })
    connections.add(connection)
    connection.closed.then(() => connections.delete(connection))
    try {
      onConnection({ connection, peer })
    } catch (error) {
      logger.error('a new connection could not be handled', { error: asError(error).message })
      connection.close('Not handled')
    }
  }

  const begin = (socket: Socket): void => {
    // Errors show up as `close`; this listener keeps them from being thrown.
    socket.on('error', (error) => logger.debug('a peer was lost during the handshake', { error: error.message }))
    if (closing || connections.size + handshakes.size >= mostConnections) {
      socket.destroy()
      return
    }
    if (options.plain) {
      accept(socket, plainPeer(socket))
      return
    }
    if (handshakes.size >= mostHandshakes && !dropOldest(handshakes)) {
      socket.destroy()
      return
    }
    const key = endpoints(socket)
    const timer = setTimeout(() => socket.destroy(), handshakeLimitMs)
    const handshake: Handshake = { socket, timer, owesWork: true }
    handshakes.set(key, handshake)
    socket.on('close', () => {
      clearTimeout(timer)
      // After the handshake another entry cannot have the key while this socket lives.
      if (handshakes.get(key) === handshake) handshakes.delete(key)
    })
    demandWork(socket, options.difficulty).then(
      () => {
        handshake.owesWork = false
        tlsServer?.emit('connection', socket)
      },
      (error: unknown) => {
        logger.debug('a peer failed the proof of work', { error: asError(error).message })
        socket.destroy()
      },
    )
  }

  tlsServer?.on('secureConnection', (secure: TLSSocket) => {
    const key = endpoints(secure)
    const handshake = handshakes.get(key)
    if (options.plain || !handshake || closing) {
      secure.destroy()
      return
    }
    handshakes.delete(key)
    clearTimeout(handshake.timer)
    try {
      accept(secure, verifiedPeer(secure, 'client', options.policy))
    } catch (error) {
      logger.info('a peer was refused', { reason: error instanceof AttestationError ? error.code : asError(error).message })
      secure.destroy()
    }
  })
  tlsServer?.on('tlsClientError', (error, secure) => {
    logger.debug('a peer failed TLS', { error: error.message })
    secure.destroy()
  })

  const server = createServer({ noDelay: true }, begin)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new WireError('listen-failed', `Port ${options.port} on ${options.host} cannot be opened`, {
          cause,
          advice: 'Choose another port.',
        }),
      ),
    )
    server.listen(options.port, options.host, resolve)
  })
  server.on('error', (error) => logger.warn('the port had an error', { error: error.message }))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port

  return {
    port,
    get connectionCount() {
      return connections.size
    },
    get handshakeCount() {
      return handshakes.size
    },
    renewIdentity: (identity) => tlsServer?.setSecureContext(tlsProfile(identity)),
    close: () => {
      closing = true
      for (const { socket } of handshakes.values()) socket.destroy()
      for (const connection of connections) connection.close('The listener was closed')
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function secureServer({ identity }: SecureListenOptions): TlsServer {
  return createTlsServer({ ...tlsProfile(identity), requestCert: true, rejectUnauthorized: false })
}

/** Sends a challenge and waits for the right answer; what the peer sends behind it stays in the socket, for TLS. */
async function demandWork(socket: Socket, difficulty: number): Promise<void> {
  const challenge = createChallenge(difficulty)
  socket.write(challenge)
  const response = await readExactly(socket, responseBytes)
  if (!verify(challenge, response)) throw new WireError('protocol-violation', 'The proof of work is wrong')
}

/** Makes room by dropping the peer that has owed its proof of work for longest. False when all have done theirs. */
function dropOldest(handshakes: Map<string, Handshake>): boolean {
  for (const [key, handshake] of handshakes) {
    if (!handshake.owesWork) continue
    handshakes.delete(key)
    handshake.socket.destroy()
    return true
  }
  return false
}

/** What tells one connection of a port from every other. TLS gives a new socket object, so identity will not do. */
function endpoints({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
