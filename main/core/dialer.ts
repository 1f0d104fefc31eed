import type { NetAddress } from '../../contracts/net-address.ts'
import { createIdentity, type Identity, type IdentityOptions } from '../protocol/attestation/certificate.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import type { Peer, PeerConnection } from '../protocol/wire/peer.ts'

/** A certificate is replaced long before its day is over. */
const renewBeforeMs = 3_600_000

export type Dial = (address: NetAddress, signal: AbortSignal) => Promise<PacketConnection>

export interface DialerOptions {
  /** What the proxy must prove; `any` by default: nothing. */
  readonly policy?: Policy
  /** How to attest the own certificate; left out for none. */
  readonly quote?: IdentityOptions['quote']
  /** Looks at who answered, before a word is said; a throw refuses it. */
  readonly check?: (peer: Peer, connection: PacketConnection) => void
}

/**
 * How client and worker reach a proxy: proof of work, TLS 1.3 with an Ed25519 certificate of each role's own (protocol 10 §4).
 * @param powThread file of the proof-of-work thread
 */
export function openDialer(powThread: URL, options: DialerOptions = {}): Dial {
  const { policy = { kind: 'any' }, quote, check } = options
  let identity: Promise<Identity> | undefined
  let madeAtMs = 0
  const current = async (): Promise<Identity> => {
    const known = identity && (await identity)
    const nowMs = Date.now()
    // Peers take none of the future, which one is that was made before the clock was put back.
    if (known && nowMs >= madeAtMs && known.notAfter.getTime() - nowMs > renewBeforeMs) return known
    const fresh = createIdentity({ nowMs, ...(quote && { quote }) })
    identity = fresh
    madeAtMs = nowMs
    fresh.catch(() => {
      identity = undefined
    })
    return fresh
  }
  return async ({ host, port }, signal) => {
    const dialled = await dialDirect({
      host,
      port,
      signal,
      identity: await current(),
      policy,
      powThreadUrl: powThread,
    })
    return checked(dialled, check)
  }
}

/** The connection, once the look at its peer has passed. */
export function checked({ connection, peer }: PeerConnection, check: DialerOptions['check']): PacketConnection {
  try {
    check?.(peer, connection)
  } catch (thrown) {
    connection.close('The proxy was refused')
    throw thrown
  }
  return connection
}
