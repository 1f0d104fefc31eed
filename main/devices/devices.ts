import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Device, DeviceBook } from './device-book.ts'
import { DeviceHost } from './device-host.ts'
import { HostLink, type LinkTimes, linkTimes } from './host-link.ts'
import { type HostLimits, hostLimits } from './host-times.ts'
import { ownAddresses, usualPort } from './lan-addresses.ts'
import { PairingDesk } from './pairing-desk.ts'
import { type PairingTimes, pairingTimes } from './pairing-exchange.ts'
import { deviceName } from './pairing-messages.ts'
import { parsePairing } from './pairing-text.ts'
import type { SharedEngine } from './shared-engine.ts'

export interface DevicesOptions {
  readonly identity: Identity
  readonly book: DeviceBook
  /** This computer's own, for its guests. */
  readonly engine: SharedEngine
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now?: () => number
  readonly listenOn?: readonly string[]
  /** Ports that are tried before any free one. */
  readonly ports?: readonly number[]
  readonly limits?: Partial<HostLimits>
  readonly linkTimes?: Partial<LinkTimes>
  readonly pairingTimes?: Partial<PairingTimes>
  readonly codeLifetimeMs?: number
}

/** Both families by one socket; computers without IPv6 have the other. */
const everywhere = ['::', '0.0.0.0']

/** The computer whose engine this one uses, and the standing connection to it; null without one. */
export interface ChosenHost {
  readonly device: Device
  readonly link: HostLink
}

/** Everything about paired devices, in both roles. Nothing listens before `setSharing(true)`, which is kept over restarts. */
export class Devices {
  readonly book: DeviceBook
  readonly identity: Identity
  readonly desk: PairingDesk
  /** The chosen host; another object after each choice. */
  readonly chosen = new Signal<ChosenHost | null>(null)
  readonly #host: DeviceHost
  readonly #options: DevicesOptions
  readonly #addresses = new Signal<readonly string[]>([])
  readonly #ends: Array<() => void> = []
  /** Starting and stopping to listen, one after the other. */
  #listening: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DevicesOptions) {
    const { book, engine, identity, listenOn = everywhere, logger, now = Date.now } = options
    this.#options = options
    this.book = book
    this.identity = identity
    this.desk = new PairingDesk({
      identity,
      book,
      logger,
      now,
      times: { ...pairingTimes, ...options.pairingTimes },
      dialMs: (options.linkTimes?.dialMs ?? linkTimes.dialMs) + 1_000,
      ...(options.codeLifetimeMs !== undefined && { codeLifetimeMs: options.codeLifetimeMs }),
    })
    this.#host = new DeviceHost({
      identity,
      book,
      engine,
      listenOn,
      logger,
      limits: { ...hostLimits, ...options.limits },
      pair: (frames, parties, addresses) => this.desk.serve(frames, parties, addresses),
    })
  }

  /** Where guests reach this computer; empty while it does not listen. */
  get addresses(): Watchable<readonly string[]> {
    return this.#addresses
  }

  /** How many connections each guest has, by its id. */
  get connected(): Watchable<ReadonlyMap<string, number>> {
    return this.#host.connected
  }

  /** Calls `listener` when another host is chosen, and on each change of the link to it. For as long as this object lives. */
  onLink(listener: () => void): void {
    let unwatch: (() => void) | undefined
    const follow = (chosen: ChosenHost | null): void => {
      unwatch?.()
      unwatch = chosen?.link.state.onChange(listener)
    }
    this.chosen.onChange((chosen) => {
      follow(chosen)
      listener()
    })
    follow(this.chosen.value)
  }

  /** Listens if sharing was on, and connects to the chosen host. Never rejects; a port that cannot be had is told by the log. */
  async start(): Promise<void> {
    this.#follow()
    this.#ends.push(this.book.devices.onChange(() => this.#follow()))
    this.#ends.push(this.book.own.onChange(() => this.#follow()))
    if (this.book.own.value.sharing)
      await this.#listen().catch((thrown: unknown) =>
        this.#options.logger.warn('nothing listens for other devices', {
          code: thrown instanceof Failure ? thrown.code : 'internal',
        }),
      )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const end of this.#ends) end()
    this.desk.stop()
    const link = this.chosen.value?.link
    this.chosen.set(null)
    await Promise.all([link?.stop(), this.#unlisten()])
  }

  /** @throws Failure `device-port`, and what the disk says: nothing listens then */
  async setSharing(on: boolean): Promise<void> {
    if (!on) {
      this.desk.close()
      await this.#unlisten()
      this.book.changeOwn({ sharing: false })
      return
    }
    await this.#listen()
    if (this.book.own.value.sharing) return
    try {
      this.book.changeOwn({ sharing: true })
    } catch (thrown) {
      // The screen says Off.
      await this.#unlisten()
      throw thrown
    }
  }

  /** Shows a new code, and listens from now on. @throws Failure `device-port` */
  async openCode(): Promise<void> {
    await this.setSharing(true)
    this.desk.open()
  }

  /**
   * Starts to pair with a host; the desk's state tells how it goes.
   * @throws Failure `pairing-address`, `pairing-words`, `busy`
   */
  join(address: string, words: string): void {
    const wanted = parsePairing(address, words)
    const { joining, request } = this.desk.state.value
    if (joining || request !== undefined)
      throw new Failure('busy', 'A pairing is under way.', { words: { code: 'pairing-under-way' } })
    void this.desk.join(wanted.addresses, wanted.words)
  }

  /** @throws Failure `refused` for a name that could turn text around */
  rename(name: string): void {
    const parsed = deviceName.safeParse(name)
    if (!parsed.success)
      throw new Failure('refused', 'This cannot be the name of a device.', {
        advice: 'Take letters, digits and spaces, at most 40.',
        words: { code: 'device-name' },
      })
    this.book.changeOwn({ name: parsed.data })
  }

  /** Uses the engine of that host from now on. @throws Failure `not-found` */
  choose(id: string): void {
    if (!this.book.devices.value.some((device) => device.id === id && device.role === 'host'))
      throw new Failure('not-found', 'There is no such device.', { values: { what: 'device' } })
    this.book.changeOwn({ chosenHost: id })
  }

  /** A guest is served no more, at once; a host is used no more. @throws Failure `not-found` */
  remove(id: string): void {
    try {
      this.book.remove(id)
    } finally {
      // Also where its removal could not be written.
      this.#host.dismiss(id)
    }
  }

  /** Keeps the link to the chosen host. None is taken in its place when it is removed: what waits to be sent was meant for that one. */
  #follow(): void {
    if (this.#stopped) return
    const hosts = this.book.devices.value.filter(({ role }) => role === 'host')
    const device = hosts.find(({ id }) => id === this.book.own.value.chosenHost)
    const before = this.chosen.value
    // A new pairing of the same computer starts anew; a new address or time does not.
    if (before?.device.id === device?.id && before?.device.pairedAtMs === device?.pairedAtMs) return
    const { book, identity, logger, now = Date.now } = this.#options
    const times = { ...linkTimes, ...this.#options.linkTimes }
    void before?.link.stop()
    this.chosen.set(device ? { device, link: new HostLink({ host: device, identity, book, times, logger, now }) } : null)
  }

  #listen(): Promise<void> {
    return this.#inTurn(async () => {
      const { ports = [usualPort] } = this.#options
      const { port } = this.book.own.value
      await this.#host.start([...(port > 0 ? [port] : []), ...ports])
      try {
        if (this.#host.port !== port) this.book.changeOwn({ port: this.#host.port })
      } catch (thrown) {
        await this.#host.stop()
        throw thrown
      }
      this.#addresses.set(ownAddresses(this.#host.port))
    })
  }

  #unlisten(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#host.stop()
      this.#addresses.set([])
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#listening.then(work)
    this.#listening = done.catch(() => undefined)
    return done
  }
}
