import { connect, createServer, type Socket } from 'node:net'
import { PacketConnection } from '../../wire/connection.ts'

/** A way to a port of 127.0.0.1 on which everything that passes, in both directions, is written down. */
export async function recordingPort(port: number): Promise<{
  readonly dial: () => Promise<PacketConnection>
  readonly bytes: () => Buffer[]
  readonly close: () => Promise<void>
}> {
  const passed: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        passed.push(chunk)
        to.write(chunk)
      })
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  const own = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
  return {
    dial: async () => {
      const socket = connect({ port: own, host: '127.0.0.1', noDelay: true })
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      return new PacketConnection(socket, { role: 'connecting' })
    },
    bytes: () => [...passed],
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
