import { connect, isIP, type Socket } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { Identity } from '../attestation/certificate.ts'
import type { Policy } from '../attestation/policy.ts'
import { PacketConnection, type PacketConnectionLimits } from './connection.ts'
import { type PeerConnection, plainPeer, verifiedPeer } from './peer.ts'
import { challengeBytes, solve } from './proof-of-work.ts'
import { readExactly } from './read-exactly.ts'
import { tlsProfile } from './tls-profile.ts'
import { WireError } from './wire-error.ts'

interface Target {
  readonly host: string
  readonly port: number
  readonly signal?: AbortSignal
  /** For TCP, proof of work and TLS together; 20 s. */
  readonly handshakeLimitMs?: number
  readonly limits?: PacketConnectionLimits
}

export interface SecureDialOptions extends Target {
  readonly identity: Identity
  readonly policy: Policy
  readonly plain?: false
  /** File of the proof-of-work thread, see `solve`. */
  readonly powThreadUrl?: URL
}

/** Frames directly on TCP: no proof of work, no TLS, no idea who answers. For test peers. */
export interface PlainDialOptions extends Target {
  readonly plain: true
}

export type DialOptions = SecureDialOptions | PlainDialOptions

/** What verification and the last of the handshake need after the proof of work. */
const tlsReserveMs = 3_000

/**
 * Connects to the client or worker port of a proxy without a router (10 §4): TCP, proof of work, TLS 1.3 with both certificates, check of
 * the peer. The returned connection waits for `connection.start(handlers)`.
 * @throws WireError `connect-failed`, `handshake-timeout`, `tls-failed`, `connection-lost`, `dial-aborted`; PowError; AttestationError
 */
export async function dialDirect(options: DialOptions): Promise<PeerConnection> {
  const { host, port, signal, limits, handshakeLimitMs = 20_000 } = options
  if (signal?.aborted) throw new WireError('dial-aborted', 'Connecting was given up')
  const given = new AbortController()
  const socket = connect({ host, port, noDelay: true })
  const failure = Promise.withResolvers<never>()
  // It may settle when nobody waits any more.
  failure.promise.catch(() => undefined)
  const fail = (error: unknown): void => failure.reject(error)
  const abort = (): void => fail(new WireError('dial-aborted', 'Connecting was given up'))
  const timer = setTimeout(
    () => fail(new WireError('handshake-timeout', `${host}:${port} did not finish the handshake in time`, { retryable: true })),
    handshakeLimitMs,
  )
  const startedAt = performance.now()
  signal?.addEventListener('abort', abort)
  const lost = (error?: Error): void =>
    fail(
      new WireError('connection-lost', `${host}:${port} closed the connection during the handshake`, {
        cause: error,
        retryable: true,
      }),
    )
  try {
    await Promise.race([connected(socket, host, port), failure.promise])
    socket.on('error', lost)
    socket.on('close', () => lost())
    if (options.plain)
      return { connection: new PacketConnection(socket, { role: 'connecting', ...limits }), peer: plainPeer(socket) }

    const challenge = await Promise.race([readExactly(socket, challengeBytes), failure.promise])
    const budgetMs = Math.max(0, handshakeLimitMs - (performance.now() - startedAt) - tlsReserveMs)
    const threadUrl = options.powThreadUrl
    const solving = solve(challenge, { budgetMs, signal: given.signal, ...(threadUrl && { threadUrl }) })
    socket.write(await Promise.race([solving, failure.promise]))

    const secure = await Promise.race([secured(socket, options), failure.promise])
    const peer = verifiedPeer(secure, 'server', options.policy)
    return { connection: new PacketConnection(secure, { role: 'connecting', ...limits }), peer }
  } catch (error) {
    given.abort()
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function connected(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (cause) =>
      reject(
        new WireError('connect-failed', `No connection to ${host}:${port}`, { cause, retryable: true, advice: adviceFor(host) }),
      ),
    )
  })
}

function adviceFor(host: string): string {
  return isIP(host) ? 'Check the network connection, or try another proxy.' : `Check the network connection and the name ${host}.`
}

function secured(socket: Socket, { identity }: SecureDialOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      ...tlsProfile(identity),
      socket,
      servername: '',
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    const failed = (cause?: Error): void =>
      reject(new WireError('tls-failed', 'TLS with the peer failed', { cause, retryable: true }))
    // Both listeners stay: a late error must not be unhandled before the connection takes over.
    secure.on('error', failed)
    secure.on('close', () => failed())
    secure.once('secureConnect', () => resolve(secure))
  })
}
