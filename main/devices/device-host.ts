import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Device, DeviceBook } from './device-book.ts'
import { deviceFailure } from './device-failure.ts'
import { FrameSocket } from './frame-socket.ts'
import type { HostLimits } from './host-times.ts'
import { ownAddresses } from './lan-addresses.ts'
import { mostLinkBytes } from './link-messages.ts'
import { tellRefusal } from './pairing-exchange.ts'
import { mostPairingBytes } from './pairing-messages.ts'
import type { Parties } from './pake.ts'
import { bindingOf, deviceTls, linkProtocol, pairingProtocol, peerKeyOf } from './peer-key.ts'
import { serveGuest } from './serve-guest.ts'
import type { SharedEngine } from './shared-engine.ts'

export interface HostOptions {
  readonly identity: Identity
  readonly book: DeviceBook
  readonly engine: SharedEngine
  readonly limits: HostLimits
  /** Where to listen; a later one where this computer does not have the earlier. */
  readonly listenOn: readonly string[]
  readonly logger: Logger
  /** Serves a connection that wants to pair. @throws Failure after it told the other side */
  readonly pair: (frames: FrameSocket, parties: Parties, addresses: readonly string[]) => Promise<void>
}

/** Listens for this computer's guests, only between `start` and `stop`. Nobody is served whose key is not in the book. */
export class DeviceHost {
  readonly #options: HostOptions
  readonly #connected = new Signal<ReadonlyMap<string, number>>(new Map())
  /** By guest: what is open, and how many questions run. */
  readonly #open = new Map<TLSSocket, { readonly control: AbortController; guest?: string }>()
  /** Every connection, from before its handshake. */
  readonly #sockets = new Set<Socket>()
  readonly #questions = new Map<string, number>()
  #server: Server | undefined

  constructor(options: HostOptions) {
    this.#options = options
  }

  /** How many connections each guest has, by its id. */
  get connected(): Watchable<ReadonlyMap<string, number>> {
    return this.#connected
  }

  /** Where it listens; 0 while it does not. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0
  }

  /**
   * Listens, on one of the wanted ports if one is free.
   * @throws Failure `device-port` when this computer does not let it
   */
  async start(wanted: readonly number[]): Promise<void> {
    if (this.#server) return
    const { listenOn, logger } = this.#options
    let failed: NodeJS.ErrnoException | undefined
    for (const port of [...wanted, 0]) {
      for (const host of listenOn) {
        const server = this.#newServer()
        failed = await listening(server, port, host)
        if (failed === undefined) {
          server.on('error', (error) => logger.warn('the socket for other devices failed', { reason: error.message }))
          this.#server = server
          return
        }
        // The port is taken, whatever the address.
        if (failed.code === 'EADDRINUSE') break
      }
    }
    throw new Failure('device-port', 'This computer does not let the app listen for other devices.', {
      advice: 'Look at its firewall or security settings.',
      cause: failed,
    })
  }

  #newServer(): Server {
    const { identity, limits } = this.#options
    const server = createServer({
      ...deviceTls(identity),
      ALPNProtocols: [linkProtocol, pairingProtocol],
      handshakeTimeout: limits.handshakeMs,
    })
    server.maxConnections = limits.mostConnections
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('secureConnection', (socket) => this.#accept(socket))
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  }

  /** Ends every connection and listens no more. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const { control } of this.#open.values()) control.abort()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** A guest was removed: it hears so, and its answers end. */
  dismiss(id: string): void {
    for (const { guest, control } of this.#open.values()) if (guest === id) control.abort(deviceFailure('device-removed'))
  }

  #accept(socket: TLSSocket): void {
    const control = new AbortController()
    const entry: { readonly control: AbortController; guest?: string } = { control }
    this.#open.set(socket, entry)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#open.delete(socket)
      control.abort()
      this.#count()
    })
    this.#serve(socket, entry).catch((thrown: unknown) => {
      const failure = thrown instanceof Failure
      // Who it was and what was wrong; nothing of what was asked.
      this.#options.logger.info('a connection of another device ended', {
        code: failure ? thrown.code : asError(thrown).name,
        device: entry.guest,
      })
      socket.destroySoon()
    })
  }

  async #serve(socket: TLSSocket, entry: { readonly control: AbortController; guest?: string }): Promise<void> {
    const { book, identity, limits, pair } = this.#options
    const sendTimeoutMs = limits.handshakeMs
    const pairing = socket.alpnProtocol === pairingProtocol
    const frames = new FrameSocket(socket, { mostBytes: pairing ? mostPairingBytes : mostLinkBytes, sendTimeoutMs })
    const old = setTimeout(() => socket.destroy(), limits.oldestMs)
    try {
      const key = peerKeyOf(socket, [linkProtocol, pairingProtocol])
      if (pairing) {
        const parties = { hostKey: identity.publicKey, guestKey: key, binding: bindingOf(socket) }
        await pair(frames, parties, ownAddresses(this.port))
        return
      }
      const guest = this.#guestOf(key)
      entry.guest = guest.id
      this.#count()
      if ((this.#connected.value.get(guest.id) ?? 0) > limits.mostConnectionsPerGuest) throw deviceFailure('device-busy')
      book.seen(guest.id, {})
      await this.#serveGuest(frames, guest, entry.control.signal)
      frames.end()
    } catch (thrown) {
      if (!pairing || !socket.writableEnded) await tellRefusal(frames, thrown)
      throw thrown
    } finally {
      clearTimeout(old)
    }
  }

  #guestOf(key: Uint8Array): Device {
    const guest = this.#options.book.find('guest', key)
    if (guest === undefined) throw deviceFailure('device-unknown')
    if (guest.removedAtMs !== null) throw deviceFailure('device-removed')
    return guest
  }

  async #serveGuest(frames: FrameSocket, guest: Device, signal: AbortSignal): Promise<void> {
    const { book, engine, limits, logger } = this.#options
    const dismissed = Promise.withResolvers<never>()
    dismissed.promise.catch(() => undefined)
    const onAbort = (): void => {
      // The end of the connection ends the service by itself, and knows better why.
      if (signal.reason instanceof Failure) dismissed.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort)
    const served = serveGuest(
      frames,
      {
        guest,
        name: book.own.value.name,
        addresses: ownAddresses(this.port),
        engine,
        limits,
        logger,
        takePlace: () => this.#takePlace(guest.id),
      },
      signal,
    )
    served.catch(() => undefined)
    try {
      await Promise.race([served, dismissed.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #takePlace(id: string): (() => void) | undefined {
    const running = this.#questions.get(id) ?? 0
    if (running >= this.#options.limits.mostQuestionsPerGuest) return undefined
    this.#questions.set(id, running + 1)
    return () => {
      const left = (this.#questions.get(id) ?? 1) - 1
      if (left > 0) this.#questions.set(id, left)
      else this.#questions.delete(id)
    }
  }

  #count(): void {
    const counts = new Map<string, number>()
    for (const { guest } of this.#open.values()) if (guest !== undefined) counts.set(guest, (counts.get(guest) ?? 0) + 1)
    this.#connected.set(counts)
  }
}

/** Undefined once it listens, else why it does not. */
function listening(server: Server, port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve)
    server.listen({ port, host }, () => {
      server.off('error', resolve)
      resolve(undefined)
    })
  })
}
