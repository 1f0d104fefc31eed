import { Failure } from '../base/failure.ts'
import { notReady } from './engine-failures.ts'
import { LocalEngine, type Release } from './local-engine.ts'
import type { LocalEngineOptions, ModelToLoad } from './local-engine-options.ts'

export interface PooledModel extends ModelToLoad {
  readonly id: string
  /** What it takes while it is loaded: weights, context and buffers. */
  readonly bytes: number
}

export interface EnginePoolOptions {
  /** Of every engine. */
  readonly engine: Omit<LocalEngineOptions, 'beforeLoad' | 'beforeWake' | 'afterWake' | 'onSpeed' | 'idleUnloadMs'>
  /** For all models together, asked each time. One that needs more is refused. */
  readonly budgetBytes: () => number
  /** Called before each load, also after a crash, and before room is made for it; what it throws fails the request. */
  readonly beforeLoad?: (model: PooledModel) => Promise<void>
  /** See `LocalEngineOptions`. */
  readonly onSpeed?: (id: string, tokensPerSecond: number) => void
  /** How long a request waits for busy models to make room, its time in line included. Default 60 s. */
  readonly waitMs?: number
}

interface Member {
  readonly model: PooledModel
  readonly engine: LocalEngine
  lastUsedMs: number
  /** Room was made for it, but its state does not tell yet. */
  isComing: boolean
}

/**
 * Several models by one budget of memory: each is loaded by its first request, and those that were not asked for longest give way. A model that
 * answers never gives way.
 */
export class EnginePool {
  readonly #options: EnginePoolOptions
  readonly #members = new Map<string, Member>()
  /** Processes that are ending, by the ids of their models. */
  readonly #leaving = new Map<string, Promise<void>>()
  #idleUnloadMs = 0
  /** The memory was given away. */
  #given: Pick<Release, 'to'> | undefined
  #disposed = false
  /** Room is made for one after the other. */
  #line: Promise<unknown> = Promise.resolve()
  #wake: (() => void) | undefined

  constructor(options: EnginePoolOptions) {
    this.#options = options
  }

  /** What the loaded models take together. */
  get usedBytes(): number {
    return this.#awake().reduce((sum, { model }) => sum + model.bytes, 0)
  }

  /** Of all processes that there are. */
  get pids(): readonly number[] {
    return [...this.#members.values()].flatMap(({ engine }) => engine.pid ?? [])
  }

  /** Ids of the models that take memory, those first that were not asked for longest. */
  get awake(): readonly string[] {
    return this.#awake()
      .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)
      .map(({ model }) => model.id)
  }

  /** The engine of a model, asleep until its first request; the same one for the same id. */
  engineOf(model: PooledModel): LocalEngine {
    if (this.#disposed) throw notReady('The engine was shut down.', false)
    const known = this.#members.get(model.id)
    if (known !== undefined) return known.engine
    const engine = new LocalEngine({
      ...this.#options.engine,
      idleUnloadMs: this.#idleUnloadMs,
      beforeLoad: async () => this.#options.beforeLoad?.(model),
      onSpeed: (tokensPerSecond) => this.#options.onSpeed?.(model.id, tokensPerSecond),
      beforeWake: async () => {
        await this.#options.beforeLoad?.(model)
        await this.#makeRoom(member)
      },
      afterWake: () => {
        member.isComing = false
        this.#wake?.()
      },
    })
    const member: Member = { model, engine, lastUsedMs: performance.now(), isComing: false }
    engine.prepare(model)
    // Nothing is loaded: this only says whose the memory is.
    if (this.#given) void engine.release({ ...this.#given, graceMs: 0 })
    engine.running.onChange(() => {
      member.lastUsedMs = performance.now()
      this.#wake?.()
    })
    engine.state.onChange(({ status }) => {
      if (status !== 'asleep') member.isComing = false
      this.#wake?.()
    })
    this.#members.set(model.id, member)
    return engine
  }

  /** The model will not be asked for any more. Its running answers fail with `engine-not-ready`, and may be tried again. Resolves when its process is gone. */
  forget(id: string): Promise<void> {
    const member = this.#members.get(id)
    const before = this.#leaving.get(id) ?? Promise.resolve()
    if (member === undefined) return before
    this.#members.delete(id)
    this.#wake?.()
    const left = this.#end(member, before).finally(() => {
      if (this.#leaving.get(id) === left) this.#leaving.delete(id)
      this.#wake?.()
    })
    this.#leaving.set(id, left)
    return left
  }

  async #end({ engine }: Member, before: Promise<void>): Promise<void> {
    await engine.unload()
    await engine.dispose()
    await before
  }

  /** See `LocalEngine.setIdleUnload`. */
  setIdleUnload(idleUnloadMs: number): void {
    this.#idleUnloadMs = idleUnloadMs
    for (const { engine } of this.#members.values()) engine.setIdleUnload(idleUnloadMs)
  }

  /** See `LocalEngine.release`. */
  async release(grace: Release): Promise<void> {
    this.#given = grace
    await Promise.all([...this.#members.values()].map(({ engine }) => engine.release(grace)))
  }

  /** After `release`: models come back with their next request. */
  resume(): void {
    this.#given = undefined
    for (const { engine } of this.#members.values()) engine.rest()
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    for (const id of [...this.#members.keys()]) void this.forget(id)
    await Promise.all(this.#leaving.values())
  }

  #awake(): Member[] {
    return [...this.#members.values()].filter(({ engine, isComing }) => isComing || takesMemory(engine))
  }

  #makeRoom(member: Member): Promise<void> {
    const untilMs = performance.now() + (this.#options.waitMs ?? 60_000)
    const room = this.#line.then(() => this.#roomFor(member, untilMs))
    this.#line = room.catch(() => undefined)
    return room
  }

  /** @throws Failure `engine-busy`, `model-does-not-fit`; `engine-not-ready` once nobody waits for the model, so that the next in line is not held up */
  async #roomFor(member: Member, untilMs: number): Promise<void> {
    for (;;) {
      const isWanted = this.#members.get(member.model.id) === member && member.engine.running.value > 0
      if (!isWanted) throw notReady('The model was given up.', true)
      const budgetBytes = this.#options.budgetBytes()
      if (member.model.bytes > budgetBytes) throw doesNotFit(member.model, budgetBytes)
      const others = this.#awake().filter((other) => other !== member)
      const bytes = others.reduce((sum, { model }) => sum + model.bytes, 0)
      if (bytes + member.model.bytes <= budgetBytes) {
        member.isComing = true
        return
      }
      const [oldest] = others.filter(({ engine }) => isIdle(engine)).sort((a, b) => a.lastUsedMs - b.lastUsedMs)
      if (oldest !== undefined && (await oldest.engine.sleep())) continue
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) throw busy()
      await this.#change(leftMs)
    }
  }

  /** Resolves when an engine changed, or the time is over. */
  #change(mostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, mostMs)
      this.#wake = done
    })
  }
}

function takesMemory({ state }: LocalEngine): boolean {
  const { status } = state.value
  return status === 'loading' || status === 'ready' || status === 'restarting'
}

function isIdle({ state, running }: LocalEngine): boolean {
  return state.value.status === 'ready' && running.value === 0
}

/** Of a model that needs more than there is for it, whatever else gives way. */
export function doesNotFit(
  { name, bytes }: Pick<PooledModel, 'name' | 'bytes'>,
  budgetBytes: number,
): Failure<'model-does-not-fit'> {
  const [needed, left] = [megabytes(bytes), megabytes(budgetBytes)]
  return new Failure(
    'model-does-not-fit',
    `${name} needs ${needed} MB of memory; ${left} MB are left beside the model that the app uses.`,
    {
      advice: 'Ask for a smaller model, or choose this one in the app under Models.',
      values: { model: name, needed, left },
    },
  )
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6)

function busy(): Failure<'engine-busy'> {
  return new Failure('engine-busy', 'The memory is taken by other models that are answering.', {
    advice: 'Try again when they have finished.',
    retryable: true,
  })
}
