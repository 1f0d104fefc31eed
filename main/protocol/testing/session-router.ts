import { createServer, type Server, type Socket } from 'node:net'
import { decode, nameOf } from '../tl/codec.ts'
import type { TlObject } from '../tl/types.ts'
import { PacketConnection } from '../wire/connection.ts'
import { readExactly } from '../wire/read-exactly.ts'
import { QueryRefused } from '../wire/wire-error.ts'
import { ScriptedConnection } from './scripted-proxy.ts'
import type { VectorEvent } from './vector-cases.ts'

/** Something that a node sent. */
export type Sent =
  | {
      readonly kind: 'query'
      readonly object: TlObject
      readonly answer: (data: Uint8Array) => void
      readonly fail: (error: Error) => void
    }
  | { readonly kind: 'packet'; readonly object: TlObject }

/** Queries of a recording that our node has asked too, under ids of its own. */
export class OpenQuestions {
  readonly #asked = new Map<bigint, Extract<Sent, { kind: 'query' }>>()

  /** Says that our node sent what the recorded one sent under this id. */
  note(id: bigint, sent: Sent): void {
    if (sent.kind !== 'query') throw new Error(`${sent.object['@type']} came as a packet`)
    this.#asked.set(id, sent)
  }

  /** Gives our node the recorded answer, when the packet is one. */
  settle(packet: Uint8Array): boolean {
    const name = nameOf(packet)
    if (name === 'tcp.queryAnswer') {
      const { id, data } = decode(packet, name)
      this.#asked.get(id)?.answer(data)
    } else if (name === 'tcp.queryError') {
      const { id, code, message } = decode(packet, name)
      this.#asked.get(id)?.fail(new QueryRefused(code, message))
    } else return false
    return true
  }
}

/** A node's connection behind the opening of a recorded one. What it sends may be taken in any order. */
export class PlayedConnection {
  readonly #scripted: ScriptedConnection
  #waiting: Sent[] = []

  constructor(connection: PacketConnection) {
    this.#scripted = new ScriptedConnection(connection)
  }

  /** The next thing of this type; others wait until they are asked for. Fails after `limitMs`. */
  next(type: TlObject['@type'], limitMs = 60_000): Promise<Sent> {
    return this.nextOf([type], limitMs)
  }

  /** The next thing of one of these types. */
  async nextOf(types: readonly TlObject['@type'][], limitMs = 60_000): Promise<Sent> {
    const until = Date.now() + limitMs
    for (;;) {
      const at = this.#waiting.findIndex(({ object }) => types.includes(object['@type']))
      const [found] = at < 0 ? [] : this.#waiting.splice(at, 1)
      if (found !== undefined) return found
      const item = await this.#scripted.next(Math.max(1, until - Date.now())).catch((error: unknown) => {
        throw new Error(
          `the node did not send ${types.join(' or ')}, but ${this.#waiting.map(({ object }) => object['@type']).join(', ')}`,
          {
            cause: error,
          },
        )
      })
      const name = nameOf(item.data)
      if (name === undefined) throw new Error('the node sent an unknown object')
      this.#waiting.push({ ...item, object: decode(item.data, name) })
    }
  }

  send(object: Uint8Array): Promise<void> {
    return this.#scripted.connection.send(object)
  }

  close(): void {
    this.#scripted.connection.close()
  }

  get closed(): Promise<string> {
    return this.#scripted.closed
  }
}

/** The router of a recorded session, in front of which our node stands in the place of the recorded one. */
export class SessionRouter {
  readonly port: number
  readonly #server: Server
  readonly #sockets: Socket[] = []
  #wake: (() => void) | undefined
  readonly #all = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      this.#all.add(socket)
      this.#sockets.push(socket)
      this.#wake?.()
    })
  }

  static async listen(): Promise<SessionRouter> {
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    return new SessionRouter(server, typeof address === 'object' && address ? address.port : 0)
  }

  /**
   * Waits for the node and plays the opening of a recorded connection, SOCKS5 and peer information, byte for byte. Throws when the node
   * sends other bytes than the recorded one.
   */
  async open(events: readonly VectorEvent[]): Promise<PlayedConnection> {
    while (this.#sockets.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    const socket = this.#sockets.shift()
    if (socket === undefined) throw new Error('no socket')
    for (const { kind, dir, hex = '' } of events) {
      if (kind === 'frame') break
      if (kind.startsWith('event-')) continue
      if (dir === 's2c') socket.write(Buffer.from(hex, 'hex'))
      else {
        const came = Buffer.from(await readExactly(socket, hex.length / 2)).toString('hex')
        if (came !== hex) throw new Error(`${kind}: ${came} came in the place of ${hex}`)
      }
    }
    return new PlayedConnection(new PacketConnection(socket, { role: 'accepting' }))
  }

  async close(): Promise<void> {
    for (const socket of this.#all) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
