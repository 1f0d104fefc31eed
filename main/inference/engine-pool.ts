import { Failure } from '../base/failure.ts'
import { LocalEngine } from './local-engine.ts'
import type { LocalEngineOptions, ModelToLoad } from './local-engine-options.ts'

export interface PooledModel extends ModelToLoad {
  readonly id: string
  /** What it takes while it is loaded: weights, context and buffers. */
  readonly bytes: number
}

export interface EnginePoolOptions {
  /** Of every engine. */
  readonly engine: Omit<LocalEngineOptions, 'beforeWake' | 'afterWake'>
  /** For all models together. One that needs more is loaded alone, with less context where it must be. */
  readonly budgetBytes: number
  /** How long a request waits for busy models to make room. Default 60 s. */
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

  /** The engine of a model, asleep until its first request; the same one for the same id. */
  engineOf(model: PooledModel): LocalEngine {
    const known = this.#members.get(model.id)
    if (known !== undefined) return known.engine
    const engine = new LocalEngine({
      ...this.#options.engine,
      beforeWake: () => this.#makeRoom(member),
      afterWake: () => {
        member.isComing = false
        this.#wake?.()
      },
    })
    const member: Member = { model, engine, lastUsedMs: performance.now(), isComing: false }
    engine.prepare(model)
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

  /** The model will not be asked for any more: its running answers fail. */
  async forget(id: string): Promise<void> {
    const member = this.#members.get(id)
    this.#members.delete(id)
    await member?.engine.dispose()
    this.#wake?.()
  }

  /** See `LocalEngine.release`. */
  async release(grace: { readonly graceMs: number }): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ engine }) => engine.release(grace)))
  }

  /** After `release`: models come back with their next request. */
  resume(): void {
    for (const { engine } of this.#members.values()) engine.rest()
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#members.keys()].map((id) => this.forget(id)))
  }

  #awake(): Member[] {
    return [...this.#members.values()].filter(({ engine, isComing }) => isComing || takesMemory(engine))
  }

  #makeRoom(member: Member): Promise<void> {
    const room = this.#line.then(() => this.#roomFor(member))
    this.#line = room.catch(() => undefined)
    return room
  }

  /** @throws Failure `engine-busy` */
  async #roomFor(member: Member): Promise<void> {
    const { budgetBytes, waitMs = 60_000 } = this.#options
    const untilMs = performance.now() + waitMs
    for (;;) {
      const others = this.#awake().filter((other) => other !== member)
      const bytes = others.reduce((sum, { model }) => sum + model.bytes, 0)
      if (others.length === 0 || bytes + member.model.bytes <= budgetBytes) {
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

function busy(): Failure<'engine-busy'> {
  return new Failure('engine-busy', 'The memory is taken by other models that are answering.', {
    advice: 'Try again when they have finished.',
    retryable: true,
  })
}
