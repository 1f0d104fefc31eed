import type { Socket } from 'node:net'
import { addressText } from './peer.ts'
import { type PeerInfo, peerInfoHeaderBytes, readPeerInfo, readPeerInfoLength } from './peer-info.ts'
import { readExactly } from './read-exactly.ts'

/**
 * What a router says first on a socket (10 §6.3). Nothing behind it is read.
 * @param end where the peer is: the source when it came to us, the destination when we asked for it
 * @throws WireError `protocol-violation`, `connection-lost`
 */
export async function receivePeerInfo(
  socket: Socket,
  end: 'source' | 'destination',
): Promise<{ info: PeerInfo; address: string }> {
  const length = readPeerInfoLength(await readExactly(socket, peerInfoHeaderBytes))
  const info = readPeerInfo(length === 0 ? new Uint8Array() : await readExactly(socket, length))
  return { info, address: addressText(info[end].ip, info[end].port) }
}
