import { describe, expect, it } from 'vitest'
import { type HardwareFacts, type ModelState, modelState } from '../../preload/api/system.ts'
import { Signal } from '../base/signal.ts'
import type { EngineState } from '../inference/engine.ts'
import { tinyGguf } from '../inference/testing/tiny-gguf.ts'
import { shippedCatalog } from '../models/catalog.ts'
import { parseGgufHeader } from '../models/gguf.ts'
import type { Stopped } from './load-again.ts'
import { fitOfModel, machineOf, modelStates } from './model-view.ts'

const facts = (gpus: HardwareFacts['gpus']): HardwareFacts => ({
  cpu: { name: 'Test', vendor: 'Test', physicalCores: 4, threads: 8, speedGHz: null },
  memoryBytes: 32e9,
  gpus,
  os: { platform: 'linux', name: 'Test', version: '1', arch: 'x64' },
  tee: { kind: 'none', canQuote: false, sentence: 'No.' },
})
const card = (name: string, memoryBytes: number | null) => ({
  ...{ name, memoryBytes, driver: null, pciId: null },
  vendor: 'nvidia' as const,
})
const ready = (backend: string): EngineState => ({ status: 'ready', model: 'm', contextTokens: 8192, backend })
const model = (id: string, sizeBytes: number | null): ModelState => ({
  ...{ id, name: id, licence: null, parameters: null, quantization: null, sizeBytes, contextTokens: null, sha256: null },
  ...{ origin: 'catalog', status: 'absent', path: null, loaded: false },
})
const named = (id: string) => shippedCatalog().find((entry) => entry.id === id)
const big = { gpu: { name: 'Big', memoryBytes: 16e9 }, memoryBytes: 32e9 }

describe('machineOf', () => {
  it('takes the card with the most memory, and none of unknown memory', () => {
    const cards = [card('Small', 4e9), card('Unknown', null), card('Big', 16e9)]
    expect(machineOf(facts(cards), { status: 'no-model' })).toEqual(big)
    expect(machineOf(facts([card('Unknown', null)]), { status: 'no-model' }).gpu).toBeNull()
  })

  it('counts on no card that the engine cannot use', () => {
    expect(machineOf(facts([card('Big', 16e9)]), ready('cpu')).gpu).toBeNull()
    expect(machineOf(facts([card('Big', 16e9)]), ready('cuda')).gpu?.name).toBe('Big')
  })
})

/** As the app's engine has it. */
const wanted = { contextTokens: 8192, sequences: 3 }

describe('fitOfModel', () => {
  it('goes by the header, then by the size, then by the number of weights', () => {
    const { layout } = parseGgufHeader(tinyGguf(), 20_000_000)
    const exact = fitOfModel(model('x', 1e9), layout ?? undefined, undefined, big, wanted)
    expect(exact).toMatchObject({ rough: false, word: 'well', contextTokens: 2048 })
    expect(fitOfModel(model('x', 9e9), undefined, undefined, big, wanted)).toMatchObject({
      rough: true,
      weightsBytes: 9e9,
      word: 'tight',
    })
    const rough = fitOfModel(model('qwen3-14b-q4_k_m', null), undefined, named('qwen3-14b-q4_k_m'), big, wanted)
    const embedding = 151_936 * 5120
    expect(rough?.roughFileBytes).toBe(Math.round(((14.8e9 - embedding) * 4.8944 + embedding * 8.5008) / 8))
    expect(fitOfModel(model('llama', null), undefined, named('llama-3.3-70b-instruct-q4_k_m'), big, wanted)?.word).toBe('too-big')
  })

  it('says nothing where nothing is known', () => {
    expect(fitOfModel(model('x', null), undefined, undefined, big, wanted)).toBeUndefined()
    const unheardOf = named('qwen3-8b-q4_k_m')
    if (unheardOf === undefined) throw new Error('no entry')
    // How many bits a weight of this kind takes was not read anywhere.
    const entry = { ...unheardOf, quantization: 'Q1_X' }
    expect(fitOfModel(model('qwen3-8b-q4_k_m', null), undefined, entry, big, wanted)).toBeUndefined()
  })

  it('knows before the download that a small model with a long context takes more than its weights', () => {
    const roughly = (id: string) => fitOfModel(model(id, null), undefined, named(id), big, { contextTokens: 8192, sequences: 1 })
    // The bench of docs/models.md has 2.1 GB for this shape, with 640 MB of weights.
    const small = roughly('qwen3-0.6b-q4_k_m')
    expect(small).toMatchObject({ rough: true, contextTokens: 8192 })
    expect(small?.needBytes).toBeGreaterThan(1.6e9)
    expect(small?.needBytes).toBeLessThan(2.1e9)
    expect(roughly('smollm2-135m-instruct-q4_1')).toBeUndefined()
    const smallest = fitOfModel(
      model('smollm2-135m-instruct-q4_1', 98_362_432),
      undefined,
      named('smollm2-135m-instruct-q4_1'),
      big,
      {
        ...{ contextTokens: 8192, sequences: 1 },
      },
    )
    expect(smallest?.needBytes).toBeLessThan((small?.needBytes ?? 0) / 3)
    for (const { id } of shippedCatalog().slice(1)) expect(roughly(id), id).toMatchObject({ rough: true })
  })
})

describe('modelStates', () => {
  const parts = (given: () => Promise<HardwareFacts>) => ({
    library: { models: new Signal<readonly ModelState[]>([model('x', 9e9)]), layoutOf: () => undefined },
    catalog: [],
    facts: given,
    engine: { state: new Signal<EngineState>({ status: 'no-model' }), wanted },
    others: { loaded: new Signal<readonly string[]>([]) },
    stopped: new Signal<Stopped | null>(null),
  })
  const first = async (given: () => Promise<HardwareFacts>): Promise<ModelState[]> => {
    for await (const states of modelStates(parts(given), new AbortController().signal)) return states
    throw new Error('nothing came')
  }

  it('adds the fit, in the form the page takes', async () => {
    const [state] = await first(async () => facts([card('Big', 16e9)]))
    expect(modelState.parse(state).fit).toMatchObject({ word: 'tight', device: 'gpu', deviceBytes: 16e9 })
  })

  it('tells what the chosen model got less of than it was to have, from the moment that it is ready', async () => {
    const scene = parts(async () => facts([]))
    scene.library.models.set([{ ...model('x', 9e9), loaded: true }, model('y', 9e9)])
    const notices = [{ kind: 'less-context', asked: 8192, got: 2048 } as const]
    const stop = new AbortController()
    const told: unknown[] = []
    for await (const states of modelStates(scene, stop.signal)) {
      told.push(states.map((state) => modelState.parse(state).gotLess))
      if (told.length === 2) stop.abort()
      scene.engine.state.set({ status: 'loading', model: 'x', progress: 0.5 })
      scene.engine.state.set({ ...ready('cpu'), notices } as EngineState)
    }
    expect(told).toEqual([
      [undefined, undefined],
      [notices, undefined],
    ])
  })

  it('tells which models are loaded for programs, as they come and go', async () => {
    const scene = parts(async () => facts([]))
    const stop = new AbortController()
    const told: unknown[] = []
    for await (const [state] of modelStates(scene, stop.signal)) {
      told.push(modelState.parse(state).loadedForPrograms)
      if (told.length === 3) stop.abort()
      else scene.others.loaded.set(told.length === 1 ? ['y', 'x'] : ['y'])
    }
    expect(told).toEqual([undefined, true, undefined])
  })

  it('tells of the chosen model that the engine gave it up, and when it is tried again', async () => {
    const scene = parts(async () => facts([]))
    scene.library.models.set([{ ...model('x', 9e9), status: 'installed' }, model('y', 9e9)])
    const reason = 'The engine stopped.'
    const stop = new AbortController()
    const told: unknown[] = []
    for await (const states of modelStates(scene, stop.signal)) {
      told.push(states.map((state) => modelState.parse(state).stopped))
      if (told.length === 3) stop.abort()
      if (told.length === 2) scene.stopped.set(null)
      scene.engine.state.set({ status: 'failed', reason, words: { code: 'engine-crashed' }, isCrash: true })
      if (told.length === 1) scene.stopped.set({ id: 'x', nextTryAtMs: 5_000 })
    }
    const stopped = { reason, reasonWords: { code: 'engine-crashed' }, nextTryAtMs: 5_000 }
    expect(told).toEqual([
      [undefined, undefined],
      [stopped, undefined],
      [undefined, undefined],
    ])
  })

  it('shows the models also when the hardware is not known', async () => {
    const [state] = await first(() => Promise.reject(new Error('no hardware')))
    expect(state).toMatchObject({ id: 'x' })
    expect(state?.fit).toBeUndefined()
  })
})
