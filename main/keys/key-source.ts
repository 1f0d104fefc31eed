import type { NetAddress } from '../../contracts/net-address.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { ReconnectPace } from '../base/reconnect-pace.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { askForKeys, type KeyHolder, mostAnswerBytes } from './key-messages.ts'
import { KeyRing } from './key-ring.ts'

export interface KeySourceOptions {
  readonly holder: KeyHolder
  readonly root: Watchable<RootConfig | null>
  /** Where the key manager is; where the network contract says, unless given. */
  readonly address?: NetAddress
  /** Connects (proof of work, TLS, its attestation checked); the connection is not started yet. */
  readonly dial: (address: NetAddress, signal: AbortSignal) => Promise<PacketConnection>
  /**
   * That `dial` takes only a key manager whose attested image the network contract names. Without it networks that demand attestation (`is_test`
   * false) are refused (protocol 95 §4).
   */
  readonly dialChecksImageHash: boolean
  readonly logger: Logger
  /** Pause between two questions, at random in this range, ms: 5 to 10 s for proxies, 60 to 120 s for workers by default (95 §4.1). */
  readonly refreshMs?: readonly [least: number, most: number]
  /** Longest pause between two attempts to connect, ms; 10 s by default. */
  readonly reconnectMs?: number
  /** Unix ms. */
  readonly now?: () => number
  /** An unknown key is asked for at most so often, ms; 2 s by default. */
  readonly restMs?: number
  /** ms since any moment, never falling; `performance.now` by default. */
  readonly monotonic?: () => number
}

export interface KeySourceState {
  /** `none`: the network has no key manager that is known. */
  readonly phase: 'none' | 'connecting' | 'ready' | 'waiting'
  readonly keys: number
  readonly failure?: string
}

const usualRestMs = 2_000
/** An unknown key is waited for so long. */
const mostWaitMs = 5_000
/** Some of a worker's usual pauses. */
const longSilenceMs = 600_000
const usualRefreshMs = { proxy: [5_000, 10_000], worker: [60_000, 120_000] } as const

/** Keeps the private keys of a network at hand, as its key manager gives them to attested proxies and workers (protocol 95 §4). */
export class KeySource {
  readonly #options: KeySourceOptions
  readonly #ring: KeyRing
  readonly #state = new Signal<KeySourceState>({ phase: 'none', keys: 0 })
  readonly #restMs: number
  readonly #monotonic: () => number
  /** By `#monotonic`. */
  #askedAt = Number.NEGATIVE_INFINITY
  #answeredAt = Number.NEGATIVE_INFINITY
  #answers = 0
  /** A question is on its way. */
  #isAsking = false
  /** Ends the pause before the next question. */
  #hurry: (() => void) | undefined
  #running: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined

  constructor(options: KeySourceOptions) {
    this.#options = options
    this.#ring = new KeyRing(options.now)
    this.#restMs = options.restMs ?? usualRestMs
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  get state(): Watchable<KeySourceState> {
    return this.#state
  }

  /** See `KeyRing.privateKeyOf`. */
  privateKeyOf(publicKey: Uint8Array): Uint8Array | undefined {
    return this.#ring.privateKeyOf(publicKey)
  }

  /**
   * Whether this private key may be one of the network: the key manager gave it out, or has not answered this side lately, and then the proxy's word
   * is taken. For a key that is not known yet it is asked at once, as newer keys reach proxies before workers.
   */
  async knows(privateKey: Uint8Array): Promise<boolean> {
    const nowMs = this.#monotonic()
    const answers = this.#answers
    if (this.#ring.has(privateKey) || nowMs - this.#answeredAt > longSilenceMs) return true
    // Whoever waits for the answer to a question under way asks nothing more of the key manager.
    if (!this.#isAsking) {
      // Whoever makes keys up cannot have the key manager asked for each.
      if (nowMs - this.#askedAt < this.#restMs) return false
      this.#hurry?.()
    }
    for await (const _ of this.#state.values(AbortSignal.timeout(mostWaitMs))) if (this.#answers > answers) break
    return this.#ring.has(privateKey)
  }

  start(): void {
    if (this.#running !== undefined) return
    const stopping = new AbortController()
    this.#running = { stopping, ended: this.#run(stopping.signal) }
  }

  /** Ends the connection and forgets all keys. */
  async stop(): Promise<void> {
    this.#running?.stopping.abort()
    await this.#running?.ended
    this.#running = undefined
    this.#ring.clear()
    this.#state.set({ phase: 'none', keys: 0 })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const pace = new ReconnectPace(this.#options.reconnectMs ?? 10_000)
    while (!signal.aborted) {
      const address = this.#address()
      if (address === undefined) {
        // The keys that are held go on until they expire: a contract that is changed in two steps takes nobody's questions away.
        this.#show('none')
        await this.#changeOfRoot(signal)
        continue
      }
      let goodMs = 0
      let failure: Failure
      try {
        const startedAt = performance.now()
        failure = await this.#stay(address, signal)
        goodMs = performance.now() - startedAt
      } catch (thrown) {
        failure =
          thrown instanceof Failure ? thrown : new Failure('key-manager-failed', asError(thrown).message, { cause: thrown })
      }
      if (signal.aborted) return
      // Said once: an absent key manager is asked every few seconds.
      if (this.#state.value.failure !== failure.message)
        this.#options.logger.warn('no connection to the key manager', { code: failure.code, reason: failure.message })
      this.#show('waiting', failure.message)
      await pause(pace.ended(goodMs), signal)
    }
  }

  #address(): NetAddress | undefined {
    const { address, root } = this.#options
    // What two addresses in its entry would mean is not told; the first one is there in any case.
    return root.value === null ? undefined : (address ?? root.value.keyManager?.endpoints?.forWorkers)
  }

  /** One connection: asks again and again until it ends. @returns why it ended */
  async #stay(address: NetAddress, signal: AbortSignal): Promise<Failure> {
    const { root, dial, dialChecksImageHash, holder, logger, refreshMs = usualRefreshMs[holder] } = this.#options
    if (root.value?.params.isTest === false && !dialChecksImageHash)
      throw new Failure(
        'key-manager-unchecked',
        'This network wants a key manager that proves its software, and it is not checked.',
        {
          advice: 'Start with --key-manager-policy tdx.',
        },
      )
    if (this.#state.value.phase !== 'waiting') this.#show('connecting')
    const image = this.#image()
    const connection = await dial(address, signal)
    const gone = new AbortController()
    void connection.closed.then(() => gone.abort())
    const leave = (): void => connection.close('The role ended')
    signal.addEventListener('abort', leave)
    const unwatch = root.onChange(() => {
      const now = this.#address()
      // Whoever was checked against the former contract is checked again.
      if (now?.host !== address.host || now.port !== address.port || this.#image() !== image)
        connection.close('The network has another key manager')
    })
    try {
      connection.mostFrameBytes = mostAnswerBytes
      await connection.start({})
      for (let first = true; ; first = false) {
        this.#askedAt = this.#monotonic()
        this.#isAsking = true
        const keys = await askForKeys(connection, holder, root.value?.version ?? 0, signal)
        this.#ring.replace(keys)
        for (const { seed } of keys) seed.fill(0)
        if (first) logger.info('the key manager gives keys', { keys: this.#ring.size })
        this.#answeredAt = this.#monotonic()
        this.#answers += 1
        this.#isAsking = false
        this.#show('ready')
        const [least, most] = refreshMs
        await this.#rest(least + Math.random() * (most - least), gone.signal)
        if (gone.signal.aborted) return await connection.closed
      }
    } finally {
      this.#isAsking = false
      unwatch()
      signal.removeEventListener('abort', leave)
      connection.close('The key manager is left')
    }
  }

  async #rest(ms: number, gone: AbortSignal): Promise<void> {
    const over = new AbortController()
    this.#hurry = () => over.abort()
    gone.addEventListener('abort', this.#hurry)
    await pause(ms, over.signal)
    gone.removeEventListener('abort', this.#hurry)
    this.#hurry = undefined
  }

  #image(): string | undefined {
    return this.#options.root.value?.keyManager?.imageHash
  }

  async #changeOfRoot(signal: AbortSignal): Promise<void> {
    const changed = new AbortController()
    const unwatch = this.#options.root.onChange(() => changed.abort())
    await pause(60_000, AbortSignal.any([signal, changed.signal]))
    unwatch()
  }

  #show(phase: KeySourceState['phase'], failure?: string): void {
    this.#state.set({ phase, keys: this.#ring.size, ...(failure === undefined ? {} : { failure }) })
  }
}
