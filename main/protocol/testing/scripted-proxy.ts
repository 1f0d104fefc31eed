import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { decode, encode, nameOf } from '../tl/codec.ts'
import type { TlName, TlObject } from '../tl/types.ts'
import { PacketConnection } from '../wire/connection.ts'

type Inbound =
  | {
      readonly kind: 'query'
      readonly data: Uint8Array
      readonly answer: (data: Uint8Array) => void
      readonly fail: (error: Error) => void
    }
  | { readonly kind: 'packet'; readonly data: Uint8Array }

/** One connection that a node opened to the scripted proxy. Everything the node sends waits here in order until the script takes it. */
export class ScriptedConnection {
  readonly connection: PacketConnection
  readonly closed: Promise<string>
  #items: Inbound[] = []
  #wake: (() => void) | undefined

  constructor(connection: PacketConnection) {
    this.connection = connection
    this.closed = connection.closed.then((reason) => reason.code)
    void connection.start({
      onQuery: (data) =>
        new Promise<Uint8Array>((resolve, reject) => this.#add({ kind: 'query', data, answer: resolve, fail: reject })),
      onPacket: (data) => this.#add({ kind: 'packet', data }),
    })
  }

  #add(item: Inbound): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** The next thing the node sends. Fails after `limitMs`. */
  async next(limitMs = 60_000): Promise<Inbound> {
    const until = Date.now() + limitMs
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) return item
      const left = until - Date.now()
      if (left <= 0) throw new Error('the node sent nothing')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
  }

  async nextQuery<N extends TlName>(
    name: N,
    limitMs?: number,
  ): Promise<{ question: TlObject<N>; answer: (o: TlObject) => void; fail: (e: Error) => void }> {
    const item = await this.next(limitMs)
    if (item.kind !== 'query') throw new Error(`expected the query ${name}, got the packet ${nameOf(item.data)}`)
    return { question: decode(item.data, name), answer: (object) => item.answer(encode(object)), fail: item.fail }
  }

  async nextPacket<N extends TlName>(...names: readonly N[]): Promise<TlObject<N>> {
    const item = await this.next()
    if (item.kind !== 'packet') throw new Error(`expected a packet, got the query ${nameOf(item.data)}`)
    return decode(item.data, ...names)
  }

  /** Whether the node stays silent for so long. */
  async isSilent(ms: number): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return this.#items.length === 0
  }

  send(object: TlObject): Promise<void> {
    return this.connection.send(encode(object))
  }
}

/** A proxy that does what the test says, listening on a real socket of 127.0.0.1. */
export class ScriptedProxy {
  readonly #server: Server
  readonly #waiting: ScriptedConnection[] = []
  readonly #sockets = new Set<Socket>()
  #wake: (() => void) | undefined

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      this.add(new PacketConnection(socket, { role: 'accepting' }))
    })
  }

  static async listen(): Promise<ScriptedProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new ScriptedProxy(server)
  }

  /** Dials this proxy in plain TCP, whatever address the node was told. */
  readonly dial = async (): Promise<PacketConnection> => {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    const socket = connectTcp(address.port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    this.#sockets.add(socket)
    return new PacketConnection(socket, { role: 'connecting' })
  }

  add(connection: PacketConnection): void {
    this.#waiting.push(new ScriptedConnection(connection))
    this.#wake?.()
  }

  async accept(): Promise<ScriptedConnection> {
    for (;;) {
      const connection = this.#waiting.shift()
      if (connection !== undefined) return connection
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Cuts every connection, as a power failure would. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
