import type { Socket } from 'node:net'
import type { Policy } from '../attestation/policy.ts'
import type { SecureSocket } from './dial-secure.ts'
import { verifiedPeer } from './peer.ts'
import { createChallenge, mostDifficulty, responseBytes, verify } from './proof-of-work.ts'
import { readExactly } from './read-exactly.ts'
import type { TlsAcceptor } from './tls-accept.ts'
import { WireError } from './wire-error.ts'

export interface Admission {
  /** Leading zero bits that the proof of work of a peer must have, 0 to 24. */
  readonly difficulty: number
  /** What a peer must prove about itself. */
  readonly policy: Policy
  /** Unix ms, for the dates of certificates. */
  readonly now?: () => number
}

/** Throws TypeError for a difficulty that nobody can be asked for. */
export function checkDifficulty(difficulty: number): void {
  if (!(Number.isInteger(difficulty) && difficulty >= 0 && difficulty <= mostDifficulty))
    throw new TypeError('the difficulty is a whole number from 0 to 24')
}

/**
 * Proof of work, TLS 1.3 with a client certificate, policy (10 §5 to §8), on a socket that was accepted. The peer's errors end in a rejection;
 * the socket is the caller's to destroy.
 * @throws WireError `protocol-violation`, `connection-lost`, `tls-failed`; AttestationError
 */
export async function acceptSecure(
  socket: Socket,
  acceptor: TlsAcceptor,
  { difficulty, policy, now = Date.now }: Admission,
  showGoodWill: () => void,
): Promise<SecureSocket> {
  const challenge = createChallenge(difficulty)
  socket.write(challenge)
  // What the peer sends behind its response stays in the socket, for TLS.
  const response = await readExactly(socket, responseBytes)
  if (!verify(challenge, response)) throw new WireError('protocol-violation', 'The proof of work is wrong')
  showGoodWill()
  const secure = await acceptor.secure(socket)
  return { socket: secure, peer: await verifiedPeer(secure, 'client', policy, now()) }
}
