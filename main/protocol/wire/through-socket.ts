import { connect, isIP, type Socket } from 'node:net'
import { WireError } from './wire-error.ts'

export interface DialTarget {
  readonly host: string
  readonly port: number
  readonly signal?: AbortSignal
  /** For TCP and the whole handshake together; 20 s (10 §3). */
  readonly handshakeLimitMs?: number
}

/** A socket in the middle of its handshake. */
export interface OpenedSocket {
  readonly socket: Socket
  /** Aborted when the attempt is over, whatever its end was. */
  readonly signal: AbortSignal
  /** What is left of the time for the handshake. */
  leftMs(): number
}

/**
 * Connects and runs a handshake on the socket. Whatever fails, the limit of time and the caller's signal included, destroys the socket.
 * @throws WireError `connect-failed`, `handshake-timeout`, `connection-lost`, `dial-aborted`; what `handshake` throws
 */
export async function throughSocket<T>(target: DialTarget, handshake: (opened: OpenedSocket) => Promise<T>): Promise<T> {
  const { host, port, signal, handshakeLimitMs = 20_000 } = target
  if (signal?.aborted) throw new WireError('dial-aborted', 'Connecting was given up')
  const over = new AbortController()
  const startedAt = performance.now()
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
  signal?.addEventListener('abort', abort)
  const lost = (cause?: Error): void =>
    fail(
      new WireError('connection-lost', `${host}:${port} closed the connection during the handshake`, { cause, retryable: true }),
    )
  try {
    await Promise.race([connected(socket, host, port), failure.promise])
    // Both listeners stay: a late error must not be unhandled before somebody takes over.
    socket.on('error', lost)
    socket.on('close', () => lost())
    const leftMs = (): number => Math.max(0, handshakeLimitMs - (performance.now() - startedAt))
    const shaken = handshake({ socket, signal: over.signal, leftMs })
    shaken.catch(() => undefined)
    return await Promise.race([shaken, failure.promise])
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    over.abort()
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
