import { connect, type TLSSocket } from 'node:tls'
import { Failure } from '../base/failure.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import { deviceFailure } from './device-failure.ts'
import { FrameSocket } from './frame-socket.ts'
import { parseAddress } from './lan-addresses.ts'
import { mostLinkBytes } from './link-messages.ts'
import { mostPairingBytes } from './pairing-messages.ts'
import { deviceTls, linkProtocol, type pairingProtocol, peerKeyOf } from './peer-key.ts'

const sendTimeoutMs = 20_000

export interface DialOptions {
  /** As typed or kept, e.g. `192.168.1.5:4812`. */
  readonly address: string
  readonly identity: Identity
  readonly protocol: typeof linkProtocol | typeof pairingProtocol
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface DialledDevice {
  readonly socket: TLSSocket
  readonly frames: FrameSocket
  /** 32 bytes: the key that the other side has proven to hold. Nothing was sent to it yet. */
  readonly key: Uint8Array
  /** Performance clock. */
  readonly handshakeAtMs: number
}

/**
 * Connects and agrees on keys, without sending anything above TLS.
 * @throws Failure `device-unreachable`, `device-wrong-protocol`, `device-no-certificate`, `device-session-resumed`
 */
export async function dialDevice({ address, identity, protocol, timeoutMs, signal }: DialOptions): Promise<DialledDevice> {
  const target = parseAddress(address)
  if (!target) throw deviceFailure('device-unreachable')
  const socket = connect({
    ...deviceTls(identity),
    ...target,
    ALPNProtocols: [protocol],
    // The name of the computer is nobody's business on the way.
    servername: '',
  })
  const secure = new Promise<void>((resolve, reject) => {
    const failed = (error?: Error): void => reject(dialFailure(error))
    socket.once('error', failed)
    socket.once('close', () => failed())
    socket.once('secureConnect', () => resolve())
    socket.setTimeout(timeoutMs, () => socket.destroy(deviceFailure('device-unreachable')))
    const onAbort = (): unknown => socket.destroy()
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    socket.once('close', () => signal.removeEventListener('abort', onAbort))
  })
  const mostBytes = protocol === linkProtocol ? mostLinkBytes : mostPairingBytes
  const frames = new FrameSocket(socket, { mostBytes, sendTimeoutMs })
  try {
    await secure
    socket.setTimeout(0)
    return { socket, frames, key: peerKeyOf(socket, [protocol]), handshakeAtMs: performance.now() }
  } catch (thrown) {
    socket.destroy()
    throw thrown
  }
}

/** An alert of TLS means that something is there which does not speak this; anything else, that nothing is. */
function dialFailure(error: Error | undefined): Failure {
  if (error instanceof Failure) return error
  const code = error !== undefined && 'code' in error ? String(error.code) : ''
  return deviceFailure(/^ERR_SSL|^EPROTO/.test(code) ? 'device-wrong-protocol' : 'device-unreachable', { cause: error })
}
