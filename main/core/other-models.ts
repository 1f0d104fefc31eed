import { basename } from 'node:path'
import type { HardwareFacts, ModelState } from '../../preload/api/system.ts'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { SealKeeper } from '../chat/privacy/seal-keeper.ts'
import type { Offer, Permission } from '../gateway/backend.ts'
import { canBeAsked } from '../gateway/backend.ts'
import type { OtherLocalModels } from '../gateway/local-backend.ts'
import type { EngineState } from '../inference/engine.ts'
import type { GivenTo } from '../inference/engine-failures.ts'
import { doesNotFit, EnginePool } from '../inference/engine-pool.ts'
import type { LocalEngine, Release } from '../inference/local-engine.ts'
import type { LocalEngineOptions } from '../inference/local-engine-options.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { type FitMachine, needWithin, roomForModels } from '../models/fit.ts'
import type { ModelLibrary, VerifiedModel } from '../models/library.ts'
import { roughLayout } from '../models/rough-layout.ts'
import { type ComputerCheckerOptions, computerChecker } from './checks/computer-checker.ts'
import { engineTrouble } from './engine-trouble.ts'
import { fitOfModel, machineOf } from './model-view.ts'

export interface OtherModelsOptions {
  /** Of every engine. */
  readonly engine: Pick<LocalEngineOptions, 'entryPath' | 'gpu' | 'threads' | 'background' | 'whereIs' | 'logger'>
  readonly library: Pick<ModelLibrary, 'models' | 'verify' | 'layoutOf' | 'baseNameOf' | 'setSpeed'>
  /** The app's own engine, with the model that the user chose. */
  readonly chosen: Pick<LocalEngine, 'state' | 'wanted'>
  /** Id of the model that it holds. */
  readonly current: () => string | undefined
  readonly facts: () => Promise<HardwareFacts>
  /** While files are being moved no model is used here. */
  readonly moving: Watchable<{ readonly status: string }>
  /** What the seal of each engine says besides. */
  readonly seal: Pick<ComputerCheckerOptions, 'dataDir' | 'vault' | 'byPassword'>
  readonly logger: Logger
}

interface Member {
  readonly model: VerifiedModel
  /** As the library told it when the model came. */
  readonly path: string | null
  readonly engine: LocalEngine
  readonly keeper: SealKeeper
}

/** Every engine's: no place is left to the own chat, which does not ask here. */
const wanted = { contextTokens: 8192, sequences: 2 }

/**
 * The installed models beside the one that the user chose, for programs that name them (docs/local-api.md, Several models). Each is loaded by its first
 * request, within the memory that the chosen one leaves, after the same checks; each has a seal of its own. `stop` it.
 */
export class OtherModels implements OtherLocalModels {
  readonly #options: OtherModelsOptions
  readonly #pool: EnginePool
  readonly #members = new Map<string, Member>()
  readonly #loaded = new Signal<readonly string[]>([])
  readonly #closing = new AbortController()
  readonly #stops: ReadonlyArray<() => void>
  /** The model that the app's own engine is to hold: before it is loaded there already. */
  #taken: string | undefined
  #facts: HardwareFacts | undefined
  /** Tells whether the engine uses the card, also while the chosen model sleeps. */
  #lastReady: EngineState | undefined
  /** The same of the models here, for as long as the chosen one was never loaded. */
  #lastReadyHere: EngineState | undefined
  /** To whom the memory was given. */
  #givenTo: GivenTo | undefined

  constructor(options: OtherModelsOptions) {
    this.#options = options
    this.#pool = new EnginePool({
      engine: { ...options.engine, ...wanted },
      budgetBytes: () => this.#budgetBytes(),
      beforeLoad: ({ id }) => this.#checkFile(id),
      onSpeed: (id, tokensPerSecond) => options.library.setSpeed(id, tokensPerSecond),
    })
    const look = (state: EngineState): void => {
      if (state.status === 'ready') this.#lastReady = state
    }
    look(options.chosen.state.value)
    this.#stops = [
      options.chosen.state.onChange(look),
      options.library.models.onChange(() => this.#forgetGone()),
      options.moving.onChange(({ status }) => {
        if (status === 'moving') for (const id of this.#members.keys()) void this.#forget(id)
      }),
    ]
  }

  /** Ids of the models that take memory. */
  get loaded(): Watchable<readonly string[]> {
    return this.#loaded
  }

  /** Of all engine processes here. */
  get pids(): readonly number[] {
    return this.#pool.pids
  }

  offers(): readonly Offer[] {
    if (this.#away() !== undefined) return []
    return this.#installed().map(({ id, name }) => {
      const engine = this.#members.get(id)?.engine
      const isKnown = engine !== undefined && canBeAsked(engine.capabilities)
      return { model: name, capabilities: isKnown ? engine.capabilities : null, isLoaded: engine?.state.value.status === 'ready' }
    })
  }

  troubleOf(model: string): string | undefined {
    const { library, chosen } = this.#options
    if (this.#chosenIds().some((id) => library.baseNameOf(id) === model)) return engineTrouble(chosen.state.value)
    return this.#idOf(model) === undefined ? undefined : this.#away()
  }

  /** @throws Failure `not-ready`, `model-does-not-fit`, `model-broken`, and as `LocalEngine.load` */
  async bring(model: string, signal: AbortSignal): Promise<void> {
    const id = this.#idOf(model)
    if (id === undefined) throw gone()
    try {
      const { engine } = await this.#member(id, signal)
      await engine.wake(signal)
    } catch (thrown) {
      if (!signal.aborted) throw thrown
    }
  }

  answering(model: string): ReturnType<OtherLocalModels['answering']> {
    const id = this.#idOf(model)
    const member = id === undefined ? undefined : this.#members.get(id)
    if (id === undefined || member === undefined) return undefined
    const { engine, keeper } = member
    const permission: Permission = async (signal) => {
      await keeper.wake(signal)
      try {
        return await keeper.permit(signal)
      } catch (thrown) {
        // The next request gets a process of its own, of the file as it is then.
        const isUnfit = thrown instanceof Failure && thrown.code === 'not-verified'
        if (isUnfit && this.#members.get(id) === member) void this.#forget(id)
        throw thrown
      }
    }
    return { backend: createEngineBackend({ engine, model, lane: 'api' }), permission }
  }

  /** Before the app's own engine loads a model. Resolves when nothing of it is here, and what no longer fits beside it is gone. */
  async take(id: string): Promise<void> {
    this.#taken = id
    await this.#forget(id)
    const awake = this.#pool.awake
    // What sleeps comes back with the context that there is room for then.
    for (const other of [...this.#members.keys()]) if (!awake.includes(other)) await this.#forget(other)
    for (const other of awake) if (this.#pool.usedBytes > this.#budgetBytes()) await this.#forget(other)
  }

  /** Before a model's file goes. */
  async leave(id: string): Promise<void> {
    if (this.#taken === id) this.#taken = undefined
    await this.#forget(id)
  }

  /** See `EnginePool.release`: until `rest` nothing is loaded. */
  async release(grace: Release): Promise<void> {
    this.#givenTo = grace.to ?? 'other-program'
    await this.#pool.release(grace)
  }

  /** After `release`: models come back with their next request. */
  rest(): void {
    this.#givenTo = undefined
    this.#pool.resume()
  }

  setIdleUnload(idleUnloadMs: number): void {
    this.#pool.setIdleUnload(idleUnloadMs)
  }

  /** Resolves when every process is gone. */
  async stop(): Promise<void> {
    this.#closing.abort(new Failure('stopped', 'The app stops.'))
    for (const stop of this.#stops) stop()
    for (const { keeper } of this.#members.values()) keeper.close()
    this.#members.clear()
    await this.#pool.dispose()
  }

  /** Why no model can be asked here now. */
  #away(): string | undefined {
    if (this.#closing.signal.aborted) return 'The app stops.'
    if (this.#givenTo === 'user') return 'Earning was paused, and the models are giving their memory back: ask again in a moment.'
    if (this.#givenTo !== undefined) return 'The memory of the models was given to another program for now.'
    return this.#options.moving.value.status === 'moving' ? 'The models are being moved to another folder.' : undefined
  }

  #chosenIds(): string[] {
    return [this.#options.current(), this.#taken].filter((id) => id !== undefined)
  }

  /** By name; of several files of one name the first, and none that is called as the chosen one. */
  #installed(): { readonly id: string; readonly name: string }[] {
    const { library } = this.#options
    const chosen = this.#chosenIds()
    const names = new Set(chosen.map((id) => library.baseNameOf(id)))
    const found: { id: string; name: string }[] = []
    for (const model of library.models.value) {
      const name = isHere(model) && !chosen.includes(model.id) ? library.baseNameOf(model.id) : undefined
      if (name === undefined || names.has(name)) continue
      names.add(name)
      found.push({ id: model.id, name })
    }
    return found
  }

  #idOf(model: string): string | undefined {
    return this.#installed().find(({ name }) => name === model)?.id
  }

  async #member(id: string, signal: AbortSignal): Promise<Member> {
    const { library, facts } = this.#options
    const known = this.#members.get(id)
    if (known !== undefined && known.engine.state.value.status !== 'failed') return known
    if (known !== undefined) await this.#forget(id)
    this.#facts = await facts()
    // What cannot fit is not even read.
    this.#need(id)
    const model = await untilAborted(library.verify(id, this.#closing.signal), signal)
    // Meanwhile it may have been chosen, deleted or given away, or have come for another request.
    if (this.#away() !== undefined || !this.#installed().some((one) => one.id === id)) throw gone()
    return this.#members.get(id) ?? this.#newMember(model)
  }

  #newMember(model: VerifiedModel): Member {
    const { id, name, path, sampling } = model
    const { library, seal, logger } = this.#options
    const engine = this.#pool.engineOf({ id, name, path, sampling, ...this.#need(id) })
    engine.state.onChange((state) => {
      if (state.status === 'ready') this.#lastReadyHere = state
      this.#showLoaded()
    })
    const live = {
      state: engine.state,
      wake: (signal: AbortSignal) => engine.wake(signal),
      get pid() {
        return engine.pid
      },
    }
    const checker = computerChecker({ ...seal, engine: live, library, model: () => model })
    const listed = library.models.value.find((one) => one.id === id)
    const member = { model, path: listed?.path ?? null, engine, keeper: new SealKeeper({ checker, logger }) }
    this.#members.set(id, member)
    return member
  }

  /** Right before each load: the file is the one that was asked for. */
  async #checkFile(id: string): Promise<void> {
    const expected = this.#members.get(id)?.model.sha256
    const { sha256 } = await this.#options.library.verify(id, this.#closing.signal)
    if (this.#away() !== undefined || sha256 !== expected) {
      // The next request takes it as it is then.
      if (expected !== undefined && sha256 !== expected) void this.#forget(id)
      throw gone()
    }
  }

  /** What the model takes here. @throws Failure `model-does-not-fit` */
  #need(id: string): { readonly bytes: number; readonly contextTokens: number } {
    const { library } = this.#options
    const [machine, layout] = [this.#machine(), library.layoutOf(id)]
    const state = library.models.value.find((one) => one.id === id)
    if (machine === undefined || state === undefined) throw gone()
    const budgetBytes = this.#budgetBytes()
    const need = needWithin(layout ?? roughLayout(state.sizeBytes ?? 0, null, state.contextTokens), machine, wanted, budgetBytes)
    if (need.bytes > budgetBytes) throw doesNotFit({ name: state.name, bytes: need.bytes }, budgetBytes)
    return need
  }

  /** Where models run, by what the engines told until now. */
  #machine(): FitMachine | undefined {
    const told = this.#lastReady ?? this.#lastReadyHere ?? this.#options.chosen.state.value
    return this.#facts && machineOf(this.#facts, told)
  }

  /** What the chosen model leaves of the memory, also while it sleeps: it comes back without asking anybody. */
  #budgetBytes(): number {
    const { library, chosen } = this.#options
    const machine = this.#machine()
    if (machine === undefined) return 0
    const needs = this.#chosenIds().map((id) => {
      const state = library.models.value.find((one) => one.id === id)
      return state && fitOfModel(state, library.layoutOf(id), undefined, machine, chosen.wanted)?.needBytes
    })
    return Math.max(0, roomForModels(machine) - Math.max(0, ...needs.map((bytes) => bytes ?? 0)))
  }

  /** A model whose file was deleted, moved, replaced or found broken is not asked any more. */
  #forgetGone(): void {
    for (const [id, { path }] of this.#members) {
      const state = this.#options.library.models.value.find((one) => one.id === id)
      if (state === undefined || !isHere(state) || state.path !== path) void this.#forget(id)
    }
  }

  #showLoaded(): void {
    const ids = this.#pool.awake.toSorted()
    if (ids.join() !== this.#loaded.value.join()) this.#loaded.set(ids)
  }

  async #forget(id: string): Promise<void> {
    const member = this.#members.get(id)
    this.#members.delete(id)
    member?.keeper.close()
    const gone = this.#pool.forget(id)
    this.#showLoaded()
    await gone
    if (member !== undefined) this.#options.logger.info('a model was given up', { file: basename(member.model.path) })
  }
}

const isHere = ({ status, path }: ModelState): boolean => path !== null && (status === 'installed' || status === 'verifying')

function gone(): Failure<'engine-not-ready'> {
  return new Failure('engine-not-ready', 'The model cannot be asked at this moment.', { retryable: true })
}
