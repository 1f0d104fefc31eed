import type { Socket } from 'node:net'
import { WireError } from './wire-error.ts'

/**
 * The next `length` bytes of a socket that nobody reads; what follows stays in the socket.
 * @throws WireError `connection-lost` when the socket ends before
 */
export function readExactly(socket: Socket, length: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      socket.off('readable', tryRead)
      socket.off('end', lost)
      socket.off('close', lost)
    }
    const lost = (): void => {
      forget()
      reject(new WireError('connection-lost', 'The peer closed the connection during the handshake', { retryable: true }))
    }
    const tryRead = (): void => {
      const bytes: Buffer | null = socket.read(length)
      // At the end of the stream read() hands out what is left, even if it is less.
      if (bytes === null) return
      if (bytes.length < length) return lost()
      forget()
      resolve(new Uint8Array(bytes))
    }
    socket.on('readable', tryRead)
    socket.on('end', lost)
    socket.on('close', lost)
    if (socket.destroyed) lost()
    // What came before may be announced no more, when one read follows the other.
    else if (socket.readableLength >= length) tryRead()
  })
}
