import { connect, createServer, type Socket } from 'node:net'
import { PacketConnection } from '../../wire/connection.ts'

/** Bytes by the way that they went: from whoever dialled to the port, and back. */
export interface PassedBytes {
  readonly there: Buffer
  readonly back: Buffer
}

/** A way to a port of 127.0.0.1 on which everything that passes is written down, each direction for itself. */
export async function recordingPort(port: number): Promise<{
  /** Its own. */
  readonly port: number
  readonly dial: () => Promise<PacketConnection>
  readonly bytes: () => PassedBytes
  readonly close: () => Promise<void>
}> {
  const passed = { there: [] as Buffer[], back: [] as Buffer[] }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const [from, to, way] of [
      [near, far, 'there'],
      [far, near, 'back'],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        passed[way].push(chunk)
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
    port: own,
    dial: async () => {
      const socket = connect({ port: own, host: '127.0.0.1', noDelay: true })
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      return new PacketConnection(socket, { role: 'connecting' })
    },
    bytes: () => ({ there: Buffer.concat(passed.there), back: Buffer.concat(passed.back) }),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
