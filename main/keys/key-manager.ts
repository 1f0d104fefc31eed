import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { peerErrorCodes, QueryRefused } from '../protocol/wire/wire-error.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { KeyBook, OwnKey } from './key-book.ts'
import { type KeyHolder, readQuestion, writeKeys } from './key-messages.ts'
import type { PublishKey } from './key-publisher.ts'

export interface KeyManagerPeer {
  /** Not started yet. */
  readonly connection: PacketConnection
  /** From the peer's quote; 32 zero bytes when there is none. */
  readonly imageHash: Uint8Array
}

/** An open port; `close` ends its connections too. */
export interface KeyManagerPort {
  readonly port: number
  close(): Promise<void>
}

export interface KeyManagerOptions {
  readonly root: Watchable<RootConfig | null>
  readonly book: KeyBook
  readonly openPort: (onPeer: (peer: KeyManagerPeer) => void) => Promise<KeyManagerPort>
  /**
   * Looks whether that image may hold keys of the network as it is now; a throw refuses it. Left out, nobody is checked, and a network that demands
   * attestation (`is_test` false) gets no keys.
   */
  readonly check?: (holder: KeyHolder, imageHash: Uint8Array, root: RootConfig) => void
  /** Lists a key in the network contract; left out where there is no chain: then the one key never changes, and the network file lists it. */
  readonly publish?: PublishKey
  readonly rotation?: Rotation
  readonly logger: Logger
  /** Unix ms. */
  readonly now?: () => number
}

/** All in ms. */
export interface Rotation {
  /** A new key is made so often (protocol 95 §4). */
  readonly everyMs: number
  readonly validMs: number
  /** A key is given out for so long before clients learn of it: longer than proxies wait between two questions. */
  readonly leadMs: number
  /** Pause between two looks at the clock. */
  readonly tickMs: number
  /** Pause after a key could not be listed. */
  readonly retryMs: number
}

export const usualRotation: Rotation = { everyMs: 3_600_000, validMs: 86_400_000, leadMs: 15_000, tickMs: 1_000, retryMs: 60_000 }
/** The last second that the wire can say (protocol 20 §4.6). */
const endOfTimeMs = (2 ** 31 - 1) * 1000
/** A question has 8 bytes. */
const mostQuestionBytes = 256

export interface KeyManagerState {
  readonly port: number | null
  readonly connections: number
  /** Valid keys. */
  readonly keys: readonly { readonly publicKey: string; readonly validUntilMs: number; readonly listed: boolean }[]
  readonly trouble: string | null
}

/**
 * Makes the network's keys to encrypt for, lists the public ones in the network contract, and gives the private ones to attested proxies and workers
 * (protocol 95 §4).
 */
export class KeyManager {
  readonly #options: KeyManagerOptions
  readonly #rotation: Rotation
  readonly #now: () => number
  readonly #state = new Signal<KeyManagerState>({ port: null, connections: 0, keys: [], trouble: null })
  #keys: OwnKey[] = []
  #running: { readonly stopping: AbortController; readonly port: KeyManagerPort; readonly ended: Promise<void> } | undefined

  constructor(options: KeyManagerOptions) {
    this.#options = options
    this.#rotation = options.rotation ?? usualRotation
    this.#now = options.now ?? Date.now
  }

  get state(): Watchable<KeyManagerState> {
    return this.#state
  }

  /** @throws Failure of the book and of the port; nothing is open then */
  async start(): Promise<void> {
    this.#keys = this.#options.book.valid(this.#now())
    this.#rotate()
    const port = await this.#options.openPort((peer) => this.#welcome(peer))
    const stopping = new AbortController()
    this.#show({ port: port.port })
    this.#running = { stopping, port, ended: this.#run(stopping.signal) }
  }

  async stop(): Promise<void> {
    this.#running?.stopping.abort()
    await this.#running?.port.close()
    await this.#running?.ended
    this.#running = undefined
    for (const { seed } of this.#keys) seed.fill(0)
    this.#keys = []
    this.#show({ port: null })
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#rotation.tickMs, signal)
      if (signal.aborted) return
      try {
        this.#rotate()
        await this.#list(signal)
        this.#show({ trouble: null })
      } catch (thrown) {
        const error = asError(thrown)
        const trouble =
          error instanceof Failure && error.advice !== undefined ? `${error.message} ${error.advice}` : error.message
        if (trouble !== this.#state.value.trouble) this.#options.logger.error('the keys are in trouble', { reason: trouble })
        this.#show({ trouble })
        await pause(this.#rotation.retryMs, signal)
      }
    }
  }

  /** Forgets keys whose time is over, and makes a new one when the newest has been in use for long enough. */
  #rotate(): void {
    const now = this.#now()
    const { book, publish, logger } = this.#options
    const expired = this.#keys.filter(({ validUntilMs }) => validUntilMs <= now)
    if (expired.length > 0) {
      for (const { seed } of expired) seed.fill(0)
      this.#keys = this.#keys.filter((key) => !expired.includes(key))
      book.dropExpired(now)
    }
    const newest = this.#keys.at(-1)
    const isDue = newest === undefined || (publish !== undefined && now - newest.madeMs >= this.#rotation.everyMs)
    if (!isDue) return
    this.#keys.push(book.make(now, publish === undefined ? endOfTimeMs : now + this.#rotation.validMs))
    logger.info('made a new key', { keys: this.#keys.length })
    this.#show({})
  }

  /** Lists the newest key that has been given out for long enough. Older ones that could not be listed in their hour are not worth the fees. */
  async #list(signal: AbortSignal): Promise<void> {
    const { root, publish, logger } = this.#options
    const ready = this.#keys.filter(({ madeMs }) => this.#now() - madeMs >= this.#rotation.leadMs).at(-1)
    if (publish === undefined || root.value === null || ready === undefined || this.#isListed(ready)) return
    await publish(root.value, ready)
    logger.info('listed a new key', { publicKey: Buffer.from(ready.publicKey).toString('hex') })
    // The contract has it; that it can be read may take a moment.
    for await (const _ of root.values(AbortSignal.any([signal, AbortSignal.timeout(this.#rotation.retryMs)])))
      if (this.#isListed(ready)) return
  }

  #isListed({ publicKey }: OwnKey): boolean {
    const hex = Buffer.from(publicKey).toString('hex')
    return this.#options.root.value?.keyManager?.keys.some((key) => key.publicKey === hex) === true
  }

  #welcome({ connection, imageHash }: KeyManagerPeer): void {
    this.#show({ connections: this.#state.value.connections + 1 })
    void connection.closed.then(() => this.#show({ connections: this.#state.value.connections - 1 }))
    connection.mostFrameBytes = mostQuestionBytes
    connection.start({ onQuery: (data) => this.#answer(data, imageHash) }).catch(() => undefined)
  }

  #answer(data: Uint8Array, imageHash: Uint8Array): Uint8Array {
    const question = readQuestion(data)
    if (question === undefined) throw new QueryRefused(peerErrorCodes.none, 'Lost promise')
    const root = this.#options.root.value
    if (root === null) throw new QueryRefused(peerErrorCodes.notReady, 'the network contract has not been read')
    if (question.leastRootVersion > root.version) throw new QueryRefused(peerErrorCodes.error, 'active config version is too low')
    this.#check(question.holder, imageHash, root)
    const now = this.#now()
    return writeKeys(this.#keys.filter(({ validUntilMs }) => validUntilMs > now))
  }

  #check(holder: KeyHolder, imageHash: Uint8Array, root: RootConfig): void {
    const { check, logger } = this.#options
    if (check === undefined) {
      if (root.params.isTest) return
      throw new QueryRefused(peerErrorCodes.notReady, 'this key manager checks nobody, and the network demands attestation')
    }
    try {
      check(holder, imageHash, root)
    } catch (thrown) {
      logger.warn('a peer was refused its keys', { holder, reason: asError(thrown).message })
      throw new QueryRefused(
        peerErrorCodes.protocolViolation,
        `invalid ${holder} image hash ${Buffer.from(imageHash).toString('hex')}`,
      )
    }
  }

  #show(change: Partial<KeyManagerState>): void {
    const keys = this.#keys.map((key) => ({
      publicKey: Buffer.from(key.publicKey).toString('hex'),
      validUntilMs: key.validUntilMs,
      listed: this.#isListed(key),
    }))
    this.#state.update((state) => ({ ...state, ...change, keys }))
  }
}
