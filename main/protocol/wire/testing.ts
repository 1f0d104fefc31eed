import { connect, createServer, type Socket } from 'node:net'
import { encodeWithHeadroom } from '../tl/codec.ts'
import type { TlObject } from '../tl/types.ts'
import { frameHeaderBytes, writeFrameHeader } from './frames.ts'

/** Help for the tests of this folder. */

export interface SocketPair {
  /** The end that dialled. */
  readonly near: Socket
  readonly far: Socket
  close(): void
}

/** Two ends of one real TCP connection on loopback. */
export async function socketPair(): Promise<SocketPair> {
  const accepted = Promise.withResolvers<Socket>()
  const server = createServer({ noDelay: true }, accepted.resolve)
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
  const near = connect({ port, host: '127.0.0.1', noDelay: true })
  near.on('error', () => undefined)
  const far = await accepted.promise
  far.on('error', () => undefined)
  server.close()
  return {
    near,
    far,
    close: () => {
      near.destroy()
      far.destroy()
    },
  }
}

export function frame(seqno: number, packet: TlObject): Uint8Array<ArrayBuffer> {
  const bytes = encodeWithHeadroom(packet, frameHeaderBytes)
  writeFrameHeader(bytes, seqno)
  return bytes
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves with everything that a socket has received when it closes. */
export function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

/** The `code` of whatever a promise rejects with; undefined when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error ? error.code : error
  }
}
