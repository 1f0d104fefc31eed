import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { PauseReason } from '../../preload/api/limits.ts'
import type { HardwareFacts } from '../../preload/api/system.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { alive } from '../base/testing/alive.ts'
import { freshMs } from '../chat/privacy/seal-machine.ts'
import { childEntries } from '../child-entries.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import { localBackend } from '../gateway/local-backend.ts'
import { openStage } from '../gateway/testing/gateway-stage.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import type { CatalogEntry } from '../models/catalog.ts'
import { ModelLibrary } from '../models/library.ts'
import { openSettings } from '../storage/settings.ts'
import { EngineLife } from './engine-life.ts'
import { engineTrouble } from './engine-trouble.ts'
import { ModelKeeper } from './model-keeper.ts'
import { OtherModels } from './other-models.ts'
import { StartProgress } from './start-progress.ts'

const { engine: entryPath } = childEntries(new URL('../core.ts', import.meta.url).href)
const long = 120_000
const plenty = 8e9
const closers: Array<() => unknown> = []
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
}, long)

/** A catalog model whose file on this computer is another one than was published. */
const forged: CatalogEntry = {
  ...{ id: 'forged', name: 'Forged', licence: 'MIT', parameters: '2.6M', parameterCount: 2_594_048, quantization: 'F32' },
  ...{ contextTokens: 2048, shape: null, abilities: { reasoning: null, tools: null } },
  ...{ fileName: 'forged.gguf', repo: 'maker/forged', commit: 'c'.repeat(40), readAt: { where: 'by hand', when: '2026-11-23' } },
  sources: [
    {
      ...{ kind: 'huggingface', url: 'http://127.0.0.1:9/forged.gguf', sizeBytes: null, sha256: 'a'.repeat(64) },
      readAt: { where: 'by hand', when: '2026-11-23' },
    },
  ],
}

/**
 * The local API over real engines, of a computer whose memory the test sets, with a card that the engine does not use. The model `a` is the chosen one, where there is one.
 */
async function scene({ chosen = true, cardBytes = 1e6 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-others-'))
  const models = join(folder, 'models')
  mkdirSync(models)
  const place = (name: string, path: string): void => copyFileSync(path, join(models, `${name}.gguf`))
  for (const [index, name] of ['a', 'b', 'c', 'd', 'forged'].entries()) place(name, await tinyGgufFile({ seed: index + 1 }))
  const library = new ModelLibrary({ folder: models, catalog: [forged] })
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  const small = { entryPath, gpu: false, threads: 1, background: false } as const
  const engine = new LocalEngine({ ...small, keepOwn: true, logger })
  const moving = new Signal({ status: 'idle' })
  const memory = { bytes: plenty }
  const others: OtherModels = new OtherModels({
    engine: small,
    library,
    chosen: engine,
    current: () => keeper.current?.id,
    facts: async () =>
      ({ gpus: [{ name: 'Card', memoryBytes: cardBytes }], memoryBytes: memory.bytes }) as unknown as HardwareFacts,
    moving,
    seal: { dataDir: folder, vault: 'A test', byPassword: false },
    logger,
  })
  const keeper: ModelKeeper = new ModelKeeper({
    ...{ library, engine, settings, progress: new StartProgress(logger), logger },
    onTake: (id) => others.take(id),
    onLeave: (id) => others.leave(id),
    onUnload: async () => undefined,
    onReady: async () => undefined,
  })
  const pauses = new Signal<PauseState>({ reasons: [], allowed: [], program: null, temperatureC: null })
  const network = { worker: new Signal(null), setPaused: () => undefined }
  const life = new EngineLife({ engine, others, network, external: new Signal(null), settings, pauses, logger })
  const current = () => {
    if (keeper.current === undefined) return undefined
    const backend = createEngineBackend({ engine, model: keeper.current.identity.baseName, lane: 'api' })
    return { backend, capabilities: engine.capabilities, isLoaded: engine.state.value.status === 'ready' }
  }
  const trouble = (): string => engineTrouble(engine.state.value)
  const stage = await openStage([localBackend({ current, trouble, permission: async () => undefined, others })])
  const stop = async (): Promise<void> => {
    await stage.close()
    life.close()
    await Promise.all([keeper.stop(), others.stop(), engine.dispose()])
  }
  closers.push(() => rmSync(folder, { recursive: true, force: true }), stop)
  const clientOf = (terms?: Parameters<typeof stage.key>[0]): OpenAI =>
    new OpenAI({ apiKey: stage.key(terms), baseURL: `http://127.0.0.1:${stage.port}/v1`, maxRetries: 0 })
  const client = clientOf()
  const id = (name: string): string => library.models.value.find((one) => one.name === name)?.id ?? expect.unreachable(name)
  await library.start()
  if (chosen) {
    keeper.use(id('a'))
    await vi.waitFor(() => expect(keeper.current?.name).toBe('a'), { timeout: long, interval: 20 })
  }
  return {
    ...{ models, engine, others, keeper, library, settings, moving, client, clientOf, id, memory, stop },
    list: async () => (await client.models.list()).data as unknown as { id: string; loaded: boolean; capabilities: unknown }[],
    ask: (name: string, more: object = {}, by = client) =>
      by.chat.completions.create({ model: of(name), messages, max_tokens: 4, ...more }),
    /** An answer that is under way and far from its end. */
    begin: async (name: string) => {
      const stream = await client.chat.completions.create({ model: of(name), messages, max_tokens: 1_900, stream: true })
      const chunks = stream[Symbol.asyncIterator]()
      for (let count = 0; count < 3; count++) await chunks.next()
      return async (): Promise<unknown> => {
        try {
          while (!(await chunks.next()).done);
          return 'whole'
        } catch (thrown) {
          return thrown
        }
      }
    },
    pause: (...reasons: PauseReason[]) => pauses.update((before) => ({ ...before, reasons })),
  }
}

const of = (name: string): string => `local/own/${name}-F32`
const messages = [{ role: 'user' as const, content: 'Who are you?' }]
const refusalOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  )
const noProcess = (pids: ReadonlyArray<number | undefined>): Promise<void> =>
  vi.waitFor(() => expect(pids.filter(alive)).toEqual([]), { timeout: long, interval: 20 })

describe('models of the local API beside the chosen one', { timeout: long }, () => {
  let stage: Awaited<ReturnType<typeof scene>>
  beforeAll(async () => {
    stage = await scene()
  }, long)

  it('are refused with the reason, and not read, where the chosen one leaves too little memory', async () => {
    const { ask, others, library, id, memory, engine } = stage
    const sha256 = () => library.models.value.find((one) => one.id === id('b'))?.sha256
    memory.bytes = 120e6
    expect(await refusalOf(ask('b'))).toMatchObject({
      status: 400,
      code: 'model_does_not_fit',
      param: 'model',
      message: expect.stringMatching(/b needs \d+ MB of memory; \d+ MB are left beside .*smaller model/),
    })
    expect([others.pids, sha256()]).toEqual([[], null])
    expect((await ask('a')).usage?.completion_tokens).toBe(4)
    // While the chosen one sleeps its memory stays its own.
    expect(await engine.sleep()).toBe(true)
    expect(await refusalOf(ask('b'))).toMatchObject({ code: 'model_does_not_fit' })
    expect(others.pids).toEqual([])
    memory.bytes = plenty
    await ask('a')
  })

  it('are listed before they were loaded, loaded by their first request, and sleep when nobody asks', async () => {
    const { list, ask, engine, others, clientOf, settings, library, id } = stage
    const row = async (name: string) => (await list()).find((one) => one.id === of(name))
    const first = engine.pid
    const [a] = await list()
    const b = await row('b')
    expect([a, b]).toMatchObject([
      { id: of('a'), loaded: true, capabilities: { chat_completions: true } },
      { id: of('b'), loaded: false, capabilities: null, context_length: null },
    ])
    // A key that may not use it does not load it either.
    const limited = clientOf({ models: [of('a')] })
    expect(await refusalOf(ask('b', {}, limited))).toMatchObject({ status: 403, code: 'model_not_allowed' })
    expect((await limited.models.list()).data.map(({ id }) => id)).toEqual([of('a')])
    expect(others.pids).toEqual([])

    // What it can do is found out before anything is generated.
    expect(await refusalOf(ask('b', { n: 3 }))).toMatchObject({ status: 400, param: 'n', code: 'unsupported_parameter' })
    expect(await row('b')).toMatchObject({ id: of('b'), loaded: true, context_length: 2048, capabilities: { n: 1 } })
    expect(library.models.value.find((one) => one.id === id('b'))?.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(others.pids.length).toBe(1)
    expect(others.loaded.value).toEqual([id('b')])
    const seeded = { temperature: 0, max_tokens: 12 }
    const answers = await Promise.all([ask('b', seeded), ask('a', seeded), ask('b', seeded)])
    expect(answers.map(({ model, usage }) => [model, usage?.completion_tokens])).toEqual([
      [of('b'), 12],
      [of('a'), 12],
      [of('b'), 12],
    ])
    const [fromB, fromA, again] = answers.map(({ choices }) => choices[0]?.message.content)
    expect(again).toBe(fromB)
    expect(fromA).not.toBe(fromB)

    await ask('b', { max_tokens: 40 })
    expect(library.models.value.find((one) => one.id === id('b'))?.tokensPerSecond).toBeGreaterThan(0)

    const pids = others.pids
    others.setIdleUnload(50)
    await noProcess(pids)
    expect(others.loaded.value).toEqual([])
    expect([await row('a'), await row('b')]).toMatchObject([{ loaded: true }, { loaded: false, capabilities: { n: 1 } }])
    others.setIdleUnload(settings.value.limits.idleUnloadMinutes * 60_000)
    expect((await ask('b')).usage?.completion_tokens).toBe(4)
    expect(engine.pid).toBe(first)
  })

  it('give way to each other within that memory', async () => {
    const { list, ask, memory, others, engine, id } = stage
    const loaded = async () => (await list()).filter((one) => one.loaded).map(({ id }) => id)
    expect(await loaded()).toEqual([of('a'), of('b')])
    // Room for one beside the chosen one.
    memory.bytes = 260e6
    // Also while the chosen one sleeps it is the computer's memory that counts.
    expect(await engine.sleep()).toBe(true)
    await ask('c')
    await ask('a')
    expect(await loaded()).toEqual([of('a'), of('c')])
    await ask('b')
    expect(await loaded()).toEqual([of('a'), of('b')])
    expect([others.pids.length, others.loaded.value]).toEqual([1, [id('b')]])
    memory.bytes = plenty
  })

  it('give their memory to a game as the chosen one does, and when the user pauses', async () => {
    const { ask, begin, pause, others, engine, settings, list } = stage
    settings.change({ limits: { ...settings.value.limits, graceMs: 100, ownMeanwhile: false } })
    const rest = await begin('b')
    const pids = [...others.pids, engine.pid]
    pause('game')
    expect(await rest()).toMatchObject({ code: 'engine_yielded' })
    await noProcess(pids)
    for (const name of ['a', 'b']) {
      const refusal = await refusalOf(ask(name))
      expect(refusal).toMatchObject({ status: 503, code: 'not_ready' })
      expect((refusal as InstanceType<typeof OpenAI.APIError>).headers?.get('x-should-retry')).toBe('true')
    }
    expect(await list()).toEqual([])
    expect(others.pids).toEqual([])
    pause()
    expect((await ask('b')).usage?.completion_tokens).toBe(4)

    // The user's own pause: the memory goes, the next request brings it back.
    const cut = await begin('b')
    const before = others.pids
    settings.change({ earningPaused: true })
    // Nobody is told of another program.
    expect(others.troubleOf('own/b-F32')).toMatch(/^Earning was paused/)
    expect(await cut()).toMatchObject({ code: 'engine_yielded', message: expect.stringContaining('Earning was paused') })
    await noProcess(before)
    await vi.waitFor(async () => expect((await ask('b')).usage?.completion_tokens).toBe(4), { timeout: long, interval: 50 })
    settings.change({ earningPaused: false })
  })

  it('leave before their file is moved or deleted, also while they answer', async () => {
    const { ask, begin, keeper, library, others, id, moving, list } = stage
    const rest = await begin('b')
    const pids = others.pids
    moving.set({ status: 'moving' })
    expect(await rest()).toMatchObject({ code: 'engine_not_ready' })
    await noProcess(pids)
    expect(await refusalOf(ask('b'))).toMatchObject({ status: 503, code: 'not_ready', message: expect.stringContaining('moved') })
    moving.set({ status: 'idle' })

    const cut = await begin('c')
    const again = others.pids
    expect(again.length).toBe(1)
    await keeper.giveUp(id('c'))
    expect(again.filter(alive)).toEqual([])
    await library.delete(id('c'))
    expect(await cut()).toMatchObject({ code: 'engine_not_ready' })
    expect(await refusalOf(ask('c'))).toMatchObject({ status: 404, code: 'model_not_found' })
    expect((await list()).map((one) => one.id)).not.toContain(of('c'))
    expect((await ask('a')).usage?.completion_tokens).toBe(4)
  })

  it('are checked by their hash before they are loaded', async () => {
    const { client, others, list } = stage
    const model = 'local/maker/forged/forged-F32'
    const before = others.pids
    expect((await list()).map(({ id }) => id)).toContain(model)
    expect(await refusalOf(client.chat.completions.create({ model, messages }))).toMatchObject({
      status: 500,
      code: 'model_broken',
      message: expect.stringContaining('checksum'),
    })
    expect(others.pids).toEqual(before)
    expect((await list()).map(({ id }) => id)).not.toContain(model)
  })

  it('are loaded anew when their file was replaced: a process of the old one answers no more', async () => {
    const { ask, others, list, models, settings } = stage
    // The clock of the seals that are made from here on.
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const asked = { temperature: 0, max_tokens: 12 }
    const before = (await ask('b', asked)).choices[0]?.message.content
    const pids = others.pids
    others.setIdleUnload(50)
    await noProcess(pids)
    others.setIdleUnload(settings.value.limits.idleUnloadMinutes * 60_000)
    copyFileSync(await tinyGgufFile({ seed: 5 }), join(models, 'b.gguf'))
    expect(await refusalOf(ask('b', asked))).toMatchObject({ status: 503, code: 'engine_not_ready' })
    expect((await list()).find(({ id }) => id === of('b'))).toMatchObject({ loaded: false, capabilities: null })

    expect((await ask('b', asked)).choices[0]?.message.content).not.toBe(before)
    const loaded = others.pids
    expect(loaded.length).toBe(1)
    // Replaced while it is loaded: the seal sees it when it is too old to count.
    copyFileSync(await tinyGgufFile({ seed: 6 }), join(models, 'b.gguf'))
    vi.setSystemTime(Date.now() + 2 * freshMs)
    expect(await refusalOf(ask('b', asked))).toMatchObject({ status: 503, code: 'not_verified' })
    await noProcess(loaded)
    expect((await ask('b', asked)).usage?.completion_tokens).toBe(12)
  })

  it('leave before they become the chosen one, and are never loaded twice', async () => {
    const { ask, keeper, engine, others, id, list } = stage
    await ask('b')
    const [own] = others.pids
    expect(alive(own)).toBe(true)
    let wasAlive: boolean | undefined
    const stopWatching = engine.state.onChange(({ status }) => {
      if (status === 'loading') wasAlive ??= alive(own)
    })
    keeper.use(id('b'))
    await vi.waitFor(() => expect(keeper.current?.name).toBe('b'), { timeout: long, interval: 20 })
    stopWatching()
    expect([wasAlive, others.pids]).toEqual([false, []])
    const listed = await list()
    expect(listed[0]).toMatchObject({ id: of('b'), loaded: true })
    expect(listed.find((one) => one.id === of('a'))).toMatchObject({ loaded: false })
    expect((await ask('b')).usage?.completion_tokens).toBe(4)
    expect(others.pids).toEqual([])
  })

  it('leave no process behind when the app stops, also one that is only coming', async () => {
    const { ask, begin, others, stop, engine } = stage
    const rest = await begin('a')
    const coming = refusalOf(ask('d'))
    await vi.waitFor(() => expect(others.pids.length).toBe(2), { timeout: long, interval: 1 })
    const pids = [...others.pids, engine.pid]
    expect(pids.every(alive)).toBe(true)
    await stop()
    expect(pids.filter(alive)).toEqual([])
    expect(others.pids).toEqual([])
    expect(await rest()).toBeInstanceOf(Error)
    expect(await coming).toBeInstanceOf(Error)
  })
})

it('a card that the engine turns out not to use is no memory for models, also where none was chosen', {
  timeout: long,
}, async () => {
  const { ask, list, memory, stop } = await scene({ chosen: false, cardBytes: plenty })
  // Room for one in the computer, for many on the card.
  memory.bytes = 110e6
  await ask('b')
  await ask('c')
  expect((await list()).filter((one) => one.loaded).map(({ id }) => id)).toEqual([of('c')])
  await stop()
})
