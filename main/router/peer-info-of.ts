import type { Socket } from 'node:net'
import { fakeQuote, readFakeQuote } from '../protocol/attestation/fake-tdx.ts'
import { measurementBytes } from '../protocol/attestation/image-hash.ts'
import type { SecurePeer } from '../protocol/wire/peer.ts'
import { type Endpoint, type PeerAttestation, writePeerInfo } from '../protocol/wire/peer-info.ts'

/**
 * The frame that tells a runner who its peer is (10 §6.3).
 * @param arrived the socket that was accepted; its other end is the source
 * @param destination where the connection goes on to
 */
export function peerInfoFrame(peer: SecurePeer, arrived: Socket, destination: Endpoint): Uint8Array {
  return writePeerInfo({
    attestation: attestationOf(peer),
    collateralRootHash: peer.attestation === 'tdx' ? peer.quote.rootKeyHash : new Uint8Array(measurementBytes),
    publicKey: peer.publicKey,
    source: { ip: plainIp(arrived.remoteAddress ?? ''), port: arrived.remotePort ?? 0 },
    destination,
  })
}

function attestationOf(peer: SecurePeer): PeerAttestation | undefined {
  switch (peer.attestation) {
    case 'none':
      return undefined
    case 'fake_tdx':
      // The policy found the fake quote of this key, which has no other content.
      return { kind: 'tdx', measured: readFakeQuote(fakeQuote(peer.publicKey)) }
    case 'tdx':
      return { kind: 'tdx', measured: peer.quote.body.measured }
  }
}

/** An IPv4 address that came in over an IPv6 socket, as what it is. */
function plainIp(ip: string): string {
  return ip.startsWith('::ffff:') ? ip.slice('::ffff:'.length) : ip
}
