import type { Socket } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { Identity } from '../attestation/certificate.ts'
import type { Policy } from '../attestation/policy.ts'
import { type SecurePeer, verifiedPeer } from './peer.ts'
import { challengeBytes, solve } from './proof-of-work.ts'
import { readExactly } from './read-exactly.ts'
import { type DialTarget, throughSocket } from './through-socket.ts'
import { tlsProfile } from './tls-profile.ts'
import { WireError } from './wire-error.ts'

export interface SecureTarget extends DialTarget {
  readonly identity: Identity
  /** What the accepting side must prove. */
  readonly policy: Policy
  /** File of the proof-of-work thread, see `solve`. */
  readonly powThreadUrl?: URL
  /** Unix ms, for the dates of certificates. */
  readonly now?: () => number
}

/** A TLS stream whose peer passed the policy. Nothing was read from it. */
export interface SecureSocket {
  readonly socket: TLSSocket
  readonly peer: SecurePeer
}

/** What verification and the last of the handshake need after the proof of work. */
const tlsReserveMs = 3_000

/**
 * Connects to a port with proof of work and TLS 1.3 with both certificates, and checks the peer (10 §5 to §8).
 * @throws WireError `connect-failed`, `handshake-timeout`, `tls-failed`, `connection-lost`, `dial-aborted`; PowError; AttestationError
 */
export function dialSecure(target: SecureTarget): Promise<SecureSocket> {
  const { identity, policy, powThreadUrl, now = Date.now } = target
  return throughSocket(target, async ({ socket, signal, leftMs }) => {
    const challenge = await readExactly(socket, challengeBytes)
    const budgetMs = Math.max(0, leftMs() - tlsReserveMs)
    socket.write(await solve(challenge, { budgetMs, signal, ...(powThreadUrl && { threadUrl: powThreadUrl }) }))
    const secure = await secured(socket, identity)
    return { socket: secure, peer: await verifiedPeer(secure, 'server', policy, now()) }
  })
}

function secured(socket: Socket, identity: Identity): Promise<TLSSocket> {
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
