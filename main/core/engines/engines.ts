import { randomBytes } from 'node:crypto'
import { type EnginesState, type ExternalEngine, mostEngines, type Serving } from '../../../preload/api/engines.ts'
import { Failure, toldOf } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import { Signal, type Watchable } from '../../base/signal.ts'
import { type EngineAddress, engineAddress } from '../../inference/engine-address.ts'
import { ExternalServer } from '../../inference/external-backend.ts'
import type { ExternalModel } from '../../inference/external-models.ts'
import type { SecretStore } from '../../wallet/secret-store.ts'
import { EngineBook, type EngineRecord } from './engine-book.ts'

export interface EnginesOptions {
  /** Holds the list of engines and their keys. */
  readonly secrets: Pick<SecretStore, 'get' | 'put'>
  readonly logger: Logger
  /** Where the local API of this app listens; undefined while it does not. */
  readonly ownPort?: () => number | undefined
  /** Pause between two looks at each engine. Default 3 s. */
  readonly lookEveryMs?: number
}

/** An engine of another program, as it is now. */
export interface LiveEngine {
  readonly record: EngineRecord
  readonly address: EngineAddress
  readonly server: ExternalServer
  /** Counts how often it became reachable: a seal is earned for one of these times. */
  readonly times: number
}

export interface EngineWish {
  readonly name: string
  readonly url: string
  readonly key?: string | undefined
  /** The user agreed that messages leave this computer for that address. */
  readonly understood?: true | undefined
}

/** What chats are answered by. */
export interface ChosenEngine {
  readonly engine: LiveEngine
  /** As the engine is asked for it. */
  readonly model: string
  /** Undefined while the engine does not list it. */
  readonly listed: ExternalModel | undefined
}

/** The external engines of the app: which there are, with their health, which one the chats use and which one serves. `start` it, `stop` it. */
export class Engines {
  readonly #options: EnginesOptions
  readonly #book: EngineBook
  readonly #live = new Map<string, LiveEngine & { readonly end: () => void }>()
  readonly #changes = new Signal({})
  #stopped = false

  constructor(options: EnginesOptions) {
    this.#options = options
    this.#book = new EngineBook(options.secrets, options.logger)
  }

  /** Begins to look at them; does not wait for any. */
  start(): void {
    for (const record of this.#book.value.engines) this.#open(record)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#live.keys()].map((id) => this.#close(id)))
  }

  /** Another value each time that anything changed. */
  get changes(): Watchable<object> {
    return this.#changes
  }

  list(): readonly LiveEngine[] {
    return [...this.#live.values()]
  }

  chosen(): ChosenEngine | undefined {
    const { chosen } = this.#book.value
    const engine = chosen === null ? undefined : this.#live.get(chosen.id)
    if (engine === undefined || chosen === null) return undefined
    return { engine, model: chosen.model, listed: modelOf(engine, chosen.model) }
  }

  /** What serves in place of this app's engine; undefined: nothing does. */
  serving(): { readonly engine: LiveEngine; readonly model: string; readonly atOnce: number } | undefined {
    const { serving } = this.#book.value
    const engine = serving === null ? undefined : this.#live.get(serving.id)
    return serving === null || engine === undefined ? undefined : { engine, model: serving.model, atOnce: serving.atOnce }
  }

  /** @throws Failure `bad-url`, `engine-own-address`, `needs-consent`, `engine-known`, `too-many-engines`, `engines-unreadable`, `disk-full`, `write-failed` */
  add({ name, key, understood, ...wish }: EngineWish): { id: string } {
    const address = engineAddress(wish.url)
    const objection = this.#objection(address)
    if (objection !== undefined) throw objection
    if (!understood) askFirst(address)
    const { engines } = this.#book.value
    if (engines.some((one) => one.name.toLowerCase() === name.toLowerCase()))
      throw new Failure('engine-known', `There is an engine ${name} already.`, {
        advice: 'Choose another name.',
        values: { name },
      })
    if (engines.length >= mostEngines)
      throw new Failure('too-many-engines', `There are ${mostEngines} engines already.`, { values: { n: mostEngines } })
    const id = randomBytes(9).toString('base64url')
    const url = address.url.href.replace(/\/$/, '')
    const record = { id, name, url, ...(key !== undefined && { key }), addedAtMs: Date.now() }
    this.#book.write({ ...this.#book.value, engines: [...engines, record] })
    this.#open(record)
    return { id }
  }

  /** @throws Failure `not-found` */
  async test(id: string): Promise<void> {
    await this.#engine(id).server.check()
  }

  /** @throws Failure `not-found`, `disk-full`, `write-failed` */
  async remove(id: string): Promise<void> {
    this.#engine(id)
    const { engines, chosen, serving } = this.#book.value
    this.#book.write({
      engines: engines.filter((one) => one.id !== id),
      chosen: chosen?.id === id ? null : chosen,
      serving: serving?.id === id ? null : serving,
    })
    await this.#close(id)
  }

  /** @throws Failure `not-found`, `needs-consent`, `disk-full`, `write-failed` */
  choose({ id, model, understood }: { id: string; model: string; understood?: true | undefined }): void {
    this.#listed(id, model, understood)
    this.#book.write({ ...this.#book.value, chosen: { id, model } })
    this.#changed()
  }

  /**
   * What serves from now on; null: this app's engine.
   * @throws Failure `not-found`, `needs-consent`, `model-unservable`, `disk-full`, `write-failed`
   */
  serve(wish: (Serving & { readonly understood?: true | undefined }) | null): void {
    if (wish !== null) {
      checkServable(wish.model)
      this.#listed(wish.id, wish.model, wish.understood)
    }
    const serving = wish && { id: wish.id, model: wish.model, atOnce: wish.atOnce }
    this.#book.write({ ...this.#book.value, serving })
    this.#changed()
  }

  #listed(id: string, model: string, understood: true | undefined): void {
    const engine = this.#engine(id)
    if (!understood) askFirst(engine.address)
    if (modelOf(engine, model) === undefined)
      throw new Failure('not-found', 'The engine does not list this model.', { values: { what: 'model' } })
  }

  /** What the page shows. */
  view(): EnginesState {
    const { chosen, serving } = this.#book.value
    return {
      engines: this.list().map(shown),
      chosen: this.chosen() === undefined ? null : chosen,
      serving: this.serving() === undefined ? null : serving,
    }
  }

  #engine(id: string): LiveEngine {
    const engine = this.#live.get(id)
    if (engine === undefined) throw new Failure('not-found', 'There is no such engine.', { values: { what: 'engine' } })
    return engine
  }

  #open(record: EngineRecord): void {
    const { logger, lookEveryMs = 3_000 } = this.#options
    const address = engineAddress(record.url)
    const server = new ExternalServer({
      baseUrl: record.url,
      objection: () => this.#objection(address),
      ...(record.key !== undefined && { apiKey: record.key }),
      healthIntervalMs: lookEveryMs,
      logger: logger.room(record.name),
    })
    const stops = [
      server.health.onChange((isUp) => {
        const now = this.#live.get(record.id)
        if (now !== undefined && isUp) this.#live.set(record.id, { ...now, times: now.times + 1 })
        this.#changed()
      }),
      server.listing.onChange(() => this.#changed()),
    ]
    const end = (): void => {
      for (const stop of stops) stop()
    }
    this.#live.set(record.id, { record, address, server, times: 0, end })
    void server.start()
    this.#changed()
  }

  async #close(id: string): Promise<void> {
    const live = this.#live.get(id)
    live?.end()
    this.#live.delete(id)
    this.#changed()
    await live?.server.stop()
  }

  /** The app is no engine for itself: each look would find the models of the one before again, under longer names. */
  #objection({ url, host }: EngineAddress): Failure | undefined {
    const port = this.#options.ownPort?.()
    if (port === undefined || Number(url.port) !== port || !ownHosts.has(url.hostname)) return undefined
    return new Failure('engine-own-address', `${host} is the local API of this app itself.`, {
      advice: 'Its models are here already.',
      values: { host },
    })
  }

  #changed(): void {
    if (!this.#stopped) this.#changes.set({})
  }
}

/** Names of the address that the local API listens on. */
const ownHosts: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost'])

/** A model that an engine lists now. */
export const modelOf = ({ server }: LiveEngine, id: string): ExternalModel | undefined =>
  server.healthy() ? server.listing.value?.models.find((one) => one.id === id) : undefined

/** Of a name on the network, in bytes. */
const mostModelBytes = 512

/**
 * A name that was not made of file, commit and hash is served as it is; what follows an `@` would be taken for a commit that nobody knows.
 * @throws Failure `model-unservable`
 */
function checkServable(model: string): void {
  if (!model.includes('@') && Buffer.byteLength(model) <= mostModelBytes) return
  throw new Failure('model-unservable', `A network does not carry the name ${model}: it is too long, or holds an @.`, {
    advice: 'Give the model another name in its program.',
    values: { model },
  })
}

/** @throws Failure `needs-consent` for an address that is not this computer's own */
function askFirst({ host, isLoopback, isEncrypted }: EngineAddress): void {
  if (isLoopback) return
  throw new Failure('needs-consent', `Messages would leave this computer for ${host}.`, {
    advice: 'Nothing was sent.',
    words: { code: isEncrypted ? 'engine-elsewhere' : 'engine-elsewhere-plain', values: { host } },
  })
}

function shown({ record, address, server }: LiveEngine): ExternalEngine {
  const { listing } = server
  const { id, name, url, key, addedAtMs } = record
  const { host, isLoopback, isEncrypted } = address
  const problem = listing.value?.problem === undefined ? undefined : toldOf(listing.value.problem)
  return {
    id,
    name,
    url,
    addedAtMs,
    hasKey: key !== undefined,
    host,
    isLoopback,
    isEncrypted,
    status: listing.value === undefined ? 'connecting' : problem === undefined ? 'ready' : 'failed',
    ...(problem && { problem: problem.text, ...(problem.words && { problemWords: { ...problem.words } }) }),
    models: listing.value?.models.map((one) => one.id) ?? [],
  }
}
