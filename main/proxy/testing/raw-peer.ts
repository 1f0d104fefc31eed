import { connect, type Socket } from 'node:net'
import { decode, encode, nameOf } from '../../protocol/tl/codec.ts'
import type { TlObject } from '../../protocol/tl/types.ts'

export type Received =
  | { readonly kind: 'packet'; readonly packet: TlObject; readonly inner: TlObject | undefined }
  | { readonly kind: 'closed' }

/** A peer that writes any bytes it likes and keeps what it receives, decoded once. */
export class RawPeer {
  readonly received: Received[] = []
  readonly #socket: Socket
  #buffer = Buffer.alloc(0)
  readonly #chunks: Buffer[] = []
  #waiting = 0
  #seqno = 0
  #queryId = 1000n
  #wake: (() => void)[] = []
  #read = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#push({ kind: 'closed' }))
  }

  static async open(port: number): Promise<RawPeer> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.setNoDelay(true)
    return new RawPeer(socket)
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    const known = this.#buffer.length + this.#waiting
    // A large frame is put together once, when all of it is there.
    if (this.#buffer.length >= 8 && known < 8 + this.#buffer.readUInt32LE(0)) return
    this.#buffer = Buffer.concat([this.#buffer, ...this.#chunks.splice(0)])
    this.#waiting = 0
    while (this.#buffer.length >= 8 && this.#buffer.length >= 8 + this.#buffer.readUInt32LE(0)) {
      const end = 8 + this.#buffer.readUInt32LE(0)
      const payload = new Uint8Array(this.#buffer.subarray(8, end))
      this.#buffer = this.#buffer.subarray(end)
      const name = nameOf(payload)
      if (name === undefined) throw new Error('the proxy sent an unknown packet')
      const packet: TlObject = decode(payload, name)
      this.#push({ kind: 'packet', packet, inner: innerOf(packet) })
    }
  }

  #push(received: Received): void {
    this.received.push(received)
    for (const wake of this.#wake.splice(0)) wake()
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Stops or goes on reading from the socket. */
  pauseReading(paused: boolean): void {
    if (paused) this.#socket.pause()
    else this.#socket.resume()
  }

  frame(packet: TlObject): void {
    const payload = encode(packet)
    const header = Buffer.alloc(8)
    header.writeUInt32LE(payload.length, 0)
    header.writeInt32LE(this.#seqno, 4)
    this.#seqno += 1
    this.write(Buffer.concat([header, payload]))
  }

  send(message: TlObject): void {
    this.frame({ '@type': 'tcp.packet', data: encode(message) })
  }

  /** The next thing that was received and not yet looked at. */
  async next(limitMs = 60_000): Promise<Received> {
    const deadline = Date.now() + limitMs
    while (this.#read >= this.received.length) {
      const left = deadline - Date.now()
      if (left <= 0) throw new Error('nothing was received')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    const item = this.received[this.#read]
    this.#read += 1
    if (item === undefined) throw new Error('nothing was received')
    return item
  }

  /** How much was received and not yet looked at. */
  get unread(): number {
    return this.received.length - this.#read
  }

  /** What was received and not yet looked at, without waiting. */
  takeUnread(): Received | undefined {
    const item = this.received[this.#read]
    if (item !== undefined) this.#read += 1
    return item
  }

  /** Waits for the next message of this type, skipping others. */
  async expect<N extends TlObject['@type']>(name: N, limitMs = 60_000): Promise<TlObject<N>> {
    const deadline = Date.now() + limitMs
    for (;;) {
      const item = await this.next(Math.max(1, deadline - Date.now()))
      if (item.kind === 'closed') throw new Error(`closed while waiting for ${name}`)
      for (const candidate of [item.inner, item.packet]) {
        if (candidate?.['@type'] === name) return candidate as TlObject<N>
      }
    }
  }

  async query(message: TlObject, limitMs = 60_000): Promise<TlObject> {
    const id = this.#queryId
    this.#queryId += 1n
    this.frame({ '@type': 'tcp.query', id, data: encode(message) })
    const deadline = Date.now() + limitMs
    for (;;) {
      const item = await this.next(Math.max(1, deadline - Date.now()))
      if (item.kind === 'closed') throw new Error('closed while waiting for an answer')
      const { packet } = item
      if (packet['@type'] === 'tcp.queryError' && packet.id === id) return packet
      if (packet['@type'] === 'tcp.queryAnswer' && packet.id === id && item.inner !== undefined) return item.inner
    }
  }

  async connect(): Promise<void> {
    this.frame({ '@type': 'tcp.connect', id: 77n })
    await this.expect('tcp.connected')
  }

  /** True when nothing new arrives for `ms`. */
  async silent(ms: number): Promise<boolean> {
    const before = this.received.length
    await new Promise((resolve) => setTimeout(resolve, ms))
    return this.received.length === before
  }

  get closed(): boolean {
    return this.received.some((item) => item.kind === 'closed')
  }

  end(): void {
    this.#socket.destroy()
  }
}

export function innerOf(packet: TlObject): TlObject | undefined {
  if (packet['@type'] !== 'tcp.packet' && packet['@type'] !== 'tcp.queryAnswer') return undefined
  const name = nameOf(packet.data)
  return name === undefined ? undefined : decode(packet.data, name)
}
