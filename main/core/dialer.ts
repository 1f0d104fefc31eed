import type { NetAddress } from '../../contracts/net-address.ts'
import { createIdentity, type Identity } from '../protocol/attestation/certificate.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { dialDirect } from '../protocol/wire/dial.ts'

/** A certificate is replaced long before its day is over. */
const renewBeforeMs = 3_600_000

/**
 * How client and worker reach a proxy of a network without attestation: proof of work, TLS 1.3 with an Ed25519 certificate of each role's
 * own, policy `any` (protocol 10 §4).
 * @param powThread file of the proof-of-work thread
 */
export function openDialer(powThread: URL): (address: NetAddress, signal: AbortSignal) => Promise<PacketConnection> {
  let identity: Promise<Identity> | undefined
  const current = async (): Promise<Identity> => {
    const known = identity && (await identity)
    if (known && known.notAfter.getTime() - Date.now() > renewBeforeMs) return known
    const fresh = createIdentity()
    identity = fresh
    fresh.catch(() => {
      identity = undefined
    })
    return fresh
  }
  return async ({ host, port }, signal) => {
    const { connection } = await dialDirect({
      host,
      port,
      signal,
      identity: await current(),
      policy: { kind: 'any' },
      powThreadUrl: powThread,
    })
    return connection
  }
}
