import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { createIdentity, type IdentityOptions } from '../protocol/attestation/certificate.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { StandingQuotes } from '../protocol/attestation/standing-quotes.ts'
import { type Listener, type ListenOptions, listen } from '../protocol/wire/listen.ts'
import type { PeerConnection } from '../protocol/wire/peer.ts'
import { WireError } from '../protocol/wire/wire-error.ts'
import type { PortOpener } from './proxy-config.ts'

export interface ProxyPortOptions {
  readonly host: string
  /** Wanted port; 0 for any. Another one is taken when it is not free, unless it is `fixed`. */
  readonly port: number
  /** The network contract lists this very port: without it there is no use in starting. */
  readonly fixed?: boolean
  /** Bits of proof of work asked of each peer, 0 to 24 (10 §5). */
  readonly difficulty: number
  /** `any` for clients, and for workers of networks without attestation (10 §8). */
  readonly policy: Policy
  /** How to attest the certificate; left out for none. */
  readonly quote?: IdentityOptions['quote']
  readonly logger: Logger
}

/** Certificates live a day and are renewed hourly, as in the reference's images (10 §7.1); peers' quotes are looked at again as often. */
const renewMs = 3_600_000
/** Peers of one port, those in their handshake included; the proxy itself takes some less. */
export const mostConnections = 4096

/** A port with proof of work and RA-TLS (10 §4 to §8). */
export function securePort(options: ProxyPortOptions): PortOpener {
  return async (onPeer) => {
    const { host, port, difficulty, policy, logger, fixed = false } = options
    const identityOptions: IdentityOptions = options.quote === undefined ? {} : { quote: options.quote }
    const identity = await createIdentity(identityOptions)
    const standing = new StandingQuotes()
    const take = ({ connection, peer }: PeerConnection): void => {
      const leave = (reason: Error): void => connection.close(reason instanceof Failure ? reason : reason.message)
      void connection.closed.then(standing.add(policy, peer.quote, leave))
      onPeer({ connection, imageHash: peer.imageHash })
    }
    const place = { host, port, difficulty, policy, identity, logger, mostConnections }
    const listener = fixed ? await listen(place, take) : await listenNear(place, take)
    const renewal = setInterval(() => {
      createIdentity(identityOptions).then(
        (fresh) => listener.renewIdentity(fresh),
        (thrown: unknown) => logger.error('the certificate was not renewed', { error: asError(thrown).message }),
      )
      void standing.look()
    }, renewMs)
    renewal.unref()
    return {
      host,
      port: listener.port,
      close: async () => {
        clearInterval(renewal)
        await listener.close()
      },
    }
  }
}

/** Frames directly on TCP, for test peers on the loopback address. */
export function plainPort(host = '127.0.0.1', port = 0): PortOpener {
  return async (onPeer) => {
    const listener = await listen({ host, port, plain: true, mostConnections }, ({ connection, peer }) =>
      onPeer({ connection, imageHash: peer.imageHash }),
    )
    return { host, port: listener.port, close: () => listener.close() }
  }
}

/** The wanted port, or any other when it is taken. */
async function listenNear(options: ListenOptions, take: (accepted: PeerConnection) => void): Promise<Listener> {
  try {
    return await listen(options, take)
  } catch (thrown) {
    if (!(thrown instanceof WireError) || options.port === 0) throw thrown
    options.logger?.warn('a port is taken, choosing another', { port: options.port })
    return listen({ ...options, port: 0 }, take)
  }
}
