import { connect, createServer, type Socket } from 'node:net'

/** Help for the tests of this room. */

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A socket that remembers what it received. */
export class Recorder {
  readonly socket: Socket
  readonly closed: Promise<void>
  #chunks: Buffer[] = []
  #wake: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      for (const wake of this.#wake.splice(0)) wake()
    })
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve()
        for (const wake of this.#wake.splice(0)) wake()
      })
    })
  }

  static async to(port: number): Promise<Recorder> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const recorder = new Recorder(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return recorder
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Waits until so many bytes have come, the socket has closed or the time is over. */
  async atLeast(length: number, limitMs = 60_000): Promise<Buffer> {
    const until = Date.now() + limitMs
    while (this.bytes.length < length && !this.socket.destroyed && Date.now() < until) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - Date.now())
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return this.bytes
  }
}

export interface TestServer {
  readonly port: number
  readonly seen: Recorder[]
  close(): Promise<void>
}

/** A TCP server on loopback that records every connection. */
export async function testServer(onConnection: (recorder: Recorder) => void = () => undefined): Promise<TestServer> {
  const seen: Recorder[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    const recorder = new Recorder(socket)
    seen.push(recorder)
    onConnection(recorder)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    seen,
    close: async () => {
      for (const { socket } of seen) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
