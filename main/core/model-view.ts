import type { HardwareFacts, ModelState } from '../../preload/api/system.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { EngineState } from '../inference/engine.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { roughWeights } from '../models/bits-per-weight.ts'
import type { CatalogEntry } from '../models/catalog.ts'
import { type Fit, type FitMachine, fitOf, roughFit } from '../models/fit.ts'
import type { ModelLayout } from '../models/layout.ts'
import type { Stopped } from './load-again.ts'

export interface ModelViewParts {
  readonly library: {
    readonly models: Watchable<readonly ModelState[]>
    layoutOf(id: string): ModelLayout | undefined
  }
  readonly catalog: readonly CatalogEntry[]
  readonly facts: () => Promise<HardwareFacts>
  readonly engine: Pick<LocalEngine, 'state' | 'wanted'>
  /** Models beside the chosen one. */
  readonly others: { readonly loaded: Watchable<readonly string[]> }
  /** The chosen model, when the engine gave it up. */
  readonly stopped: Watchable<Stopped | null>
}

/**
 * Where a model would run: on the GPU with the most memory, unless the engine runs on the processor though there is one (no driver that it can use).
 */
export function machineOf(facts: HardwareFacts, engine: EngineState): FitMachine {
  const onProcessor = engine.status === 'ready' && engine.backend.toLowerCase() === 'cpu'
  const cards = facts.gpus.flatMap(({ name, memoryBytes }) => (memoryBytes ? [{ name, memoryBytes }] : []))
  const [best] = cards.toSorted((a, b) => b.memoryBytes - a.memoryBytes)
  return { gpu: onProcessor ? null : (best ?? null), memoryBytes: facts.memoryBytes }
}

/** From the header where it is here, else from the published shape and the size of the file or the number of weights. Undefined when nothing says enough. */
export function fitOfModel(
  model: ModelState,
  layout: ModelLayout | undefined,
  entry: CatalogEntry | undefined,
  machine: FitMachine,
  wanted: LocalEngine['wanted'],
): Fit | undefined {
  if (layout !== undefined) return fitOf(layout, machine, wanted)
  const weightsBytes = model.sizeBytes ?? (entry === undefined ? null : roughWeights(entry))
  if (weightsBytes === null) return undefined
  const { shape = null, contextTokens = null } = entry ?? {}
  return roughFit({ weightsBytes, isSizeKnown: model.sizeBytes !== null, shape, contextTokens }, machine, wanted)
}

/** The models as the page sees them, with how they fit and which are loaded for programs. */
export async function* modelStates(parts: ModelViewParts, signal: AbortSignal): AsyncGenerator<ModelState[]> {
  const { library, others, engine, stopped } = parts
  const facts = await parts.facts().catch(() => undefined)
  const view = new Signal(viewOf(parts, facts))
  const show = (): void => view.set(viewOf(parts, facts))
  let last = engine.state.value.status
  const showReady = ({ status }: EngineState): void => {
    // Not each step of a loading model.
    if (status !== last) show()
    last = status
  }
  const stops = [
    library.models.onChange(show),
    others.loaded.onChange(show),
    stopped.onChange(show),
    engine.state.onChange(showReady),
  ]
  try {
    yield* view.values(signal)
  } finally {
    for (const stop of stops) stop()
  }
}

function viewOf({ library, catalog, engine, others, stopped }: ModelViewParts, facts: HardwareFacts | undefined): ModelState[] {
  const state = engine.state.value
  const machine = facts && machineOf(facts, state)
  const gotLess = state.status === 'ready' ? (state.notices ?? []) : []
  return library.models.value.map((model) => {
    const entry = catalog.find(({ id }) => id === model.id)
    const fit = machine && fitOfModel(model, library.layoutOf(model.id), entry, machine, engine.wanted)
    const less = model.loaded && gotLess.length > 0 && { gotLess: [...gotLess] }
    const isStopped = stopped.value?.id === model.id && model.status === 'installed' && state.status === 'failed'
    const failed = isStopped && { stopped: { ...toldState(state), nextTryAtMs: stopped.value?.nextTryAtMs ?? null } }
    return {
      ...model,
      ...failed,
      ...(fit && { fit }),
      ...less,
      ...(others.loaded.value.includes(model.id) && { loadedForPrograms: true }),
    }
  })
}

const toldState = ({ reason, words }: Extract<EngineState, { status: 'failed' }>) => ({
  reason,
  ...(words && { reasonWords: { ...words } }),
})
