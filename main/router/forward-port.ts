import type { Socket } from 'node:net'
import type { Logger } from '../base/logger.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { StandingQuotes } from '../protocol/attestation/standing-quotes.ts'
import { acceptSecure, checkDifficulty } from '../protocol/wire/accept-secure.ts'
import type { SecureSocket } from '../protocol/wire/dial-secure.ts'
import { type Doorway, openDoorway } from '../protocol/wire/doorway.ts'
import { throughSocket } from '../protocol/wire/through-socket.ts'
import { TlsAcceptor } from '../protocol/wire/tls-accept.ts'
import { peerInfoFrame } from './peer-info-of.ts'
import { relay } from './relay.ts'
import type { RouterLimits } from './router-config.ts'

export interface ForwardPortOptions extends RouterLimits {
  readonly host: string
  readonly port: number
  /** Where the runner listens, in plain; `host` is an IP address. */
  readonly target: { readonly host: string; readonly port: number }
  readonly policy: Policy
  readonly difficulty: number
  readonly identity: Identity
  readonly now?: () => number
  /** Where peers that passed are noted, to be looked at again. */
  readonly standing: StandingQuotes
  readonly logger: Logger
}

export interface ForwardPort extends Doorway {
  /** Shows another certificate to new peers. */
  renewIdentity(identity: Identity): void
}

interface Joined {
  readonly peer: Socket
  readonly runner: Socket
}

/** A runner on this computer answers at once or not at all. */
const runnerLimitMs = 5_000

/**
 * The way in (10 §6.2): peers must do proof of work and TLS and pass the policy; then the runner is told who they are, and bytes pass.
 * @throws WireError `listen-failed`
 */
export async function openForwardPort(options: ForwardPortOptions): Promise<ForwardPort> {
  const { target, logger, now, standing } = options
  checkDifficulty(options.difficulty)
  const acceptor = new TlsAcceptor(options.identity, logger)
  const admission = { difficulty: options.difficulty, policy: options.policy, ...(now && { now }) }

  const admit = async (arrived: Socket, showGoodWill: () => void): Promise<Joined> => {
    const { socket: peer, peer: seen }: SecureSocket = await acceptSecure(arrived, acceptor, admission, showGoodWill)
    // Before the runner is waited for: the peer may leave meanwhile.
    peer.once(
      'close',
      standing.add(options.policy, seen.quote, () => peer.destroy()),
    )
    const dial = { ...target, handshakeLimitMs: runnerLimitMs }
    const runner = await throughSocket(dial, async ({ socket }) => socket).catch((error: unknown) => {
      logger.warn('the runner behind the router does not answer', target)
      throw error
    })
    runner.write(peerInfoFrame(seen, arrived, { ip: target.host, port: target.port }))
    logger.info('a peer came in', { from: seen.address, attestation: seen.attestation })
    return { peer, runner }
  }
  const door = await openDoorway(options, {
    admit,
    receive: ({ peer, runner }) => relay(peer, runner, options.idleLimitMs),
    turnAway: ({ peer, runner }) => {
      peer.destroy()
      runner.destroy()
    },
  })
  return Object.assign(door, { renewIdentity: (identity: Identity) => acceptor.renew(identity) })
}
