import type { Socket } from 'node:net'
import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { StandingQuotes } from '../protocol/attestation/standing-quotes.ts'
import { dialSecure } from '../protocol/wire/dial-secure.ts'
import { type Doorway, openDoorway } from '../protocol/wire/doorway.ts'
import { type SocksReply, socksReplies } from '../protocol/wire/socks5.ts'
import { WireError } from '../protocol/wire/wire-error.ts'
import { peerInfoFrame } from './peer-info-of.ts'
import { relay } from './relay.ts'
import type { RouterLimits } from './router-config.ts'
import { readSocksRequest, type SocksRequest, sayRefused, writeConnected } from './socks-handshake.ts'

export interface SocksPortOptions extends RouterLimits {
  readonly host: string
  readonly port: number
  readonly policies: ReadonlyMap<string, Policy>
  /** Name of the policy for runners that name none. */
  readonly defaultPolicy: string
  /** Whether a runner may name another one. */
  readonly policyFromUserName: boolean
  readonly identity: () => Identity
  readonly powThreadUrl?: URL
  readonly now?: () => number
  /** Where peers that passed are noted, to be looked at again. */
  readonly standing: StandingQuotes
  readonly logger: Logger
}

interface Joined {
  readonly runner: Socket
  readonly peer: Socket
}

/**
 * The way out (10 §6.1): a runner asks by SOCKS5 for a connection, the router does proof of work, TLS and the check of the peer, says who
 * the peer is, and passes bytes.
 * @throws WireError `listen-failed`
 */
export function openSocksPort(options: SocksPortOptions): Promise<Doorway> {
  const { policies, policyFromUserName, logger } = options
  const rules = { policyNames: policyFromUserName ? new Set(policies.keys()) : undefined }
  const admit = async (runner: Socket, showGoodWill: () => void): Promise<Joined> => {
    const request = await readSocksRequest(runner, rules)
    showGoodWill()
    const { socket: peer, peer: seen, policy } = await connect(options, runner, request)
    peer.once(
      'close',
      options.standing.add(policy, seen.quote, () => peer.destroy()),
    )
    // The reply says how the connection goes out; IPv4 as the destination is.
    writeConnected(runner, { ip: peer.localAddress ?? '0.0.0.0', port: peer.localPort ?? 0 })
    runner.write(peerInfoFrame(seen, runner, request.destination))
    logger.info('connected for a runner', { to: seen.address, attestation: seen.attestation })
    return { runner, peer }
  }
  return openDoorway(options, {
    admit,
    receive: ({ runner, peer }) => relay(runner, peer, options.idleLimitMs),
    turnAway: ({ runner, peer }) => {
      runner.destroy()
      peer.destroy()
    },
  })
}

async function connect(options: SocksPortOptions, runner: Socket, { destination, policy }: SocksRequest) {
  const name = policy ?? options.defaultPolicy
  const given = new AbortController()
  const giveUp = (): void => given.abort()
  runner.once('close', giveUp)
  try {
    const chosen = options.policies.get(name)
    if (chosen === undefined) throw new TypeError(`no policy ${name}`)
    const { powThreadUrl, now, dialLimitMs } = options
    const dialled = await dialSecure({
      host: destination.ip,
      port: destination.port,
      identity: options.identity(),
      policy: chosen,
      signal: given.signal,
      handshakeLimitMs: dialLimitMs,
      ...(powThreadUrl && { powThreadUrl }),
      ...(now && { now }),
    })
    return { ...dialled, policy: chosen }
  } catch (error) {
    const reason = error instanceof AttestationError ? error.code : asError(error).message
    options.logger.info('no connection for a runner', { to: `${destination.ip}:${destination.port}`, policy: name, reason })
    await sayRefused(runner, replyFor(error))
    throw error
  } finally {
    runner.off('close', giveUp)
  }
}

function replyFor(error: unknown): SocksReply {
  if (error instanceof AttestationError) return socksReplies.notAllowed
  if (!(error instanceof WireError)) return socksReplies.failure
  if (error.code === 'handshake-timeout') return socksReplies.timedOut
  if (error.code !== 'connect-failed') return socksReplies.failure
  const { cause } = error
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  if (code === 'ECONNREFUSED') return socksReplies.refused
  return code === 'ENETUNREACH' ? socksReplies.networkUnreachable : socksReplies.hostUnreachable
}
