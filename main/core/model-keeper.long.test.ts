import { createHash } from 'node:crypto'
import { copyFile, mkdtemp, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { tinyGguf, tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import type { CatalogEntry } from '../models/catalog.ts'
import { ModelLibrary } from '../models/library.ts'
import { FaultyServer } from '../models/testing/faulty-server.ts'
import { openSettings } from '../storage/settings.ts'
import { ModelKeeper, type ModelKeeperOptions } from './model-keeper.ts'
import { StartProgress } from './start-progress.ts'

const entryPath = childEntries(new URL('../core.ts', import.meta.url).href).engine
const readAt = '2026-11-22'
const model = tinyGguf()
let folder: string
let server: FaultyServer
const closers: Array<() => Promise<unknown>> = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-keeper-'))
  server = new FaultyServer()
  server.put('/slow.gguf', model)
  await server.start()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  server.stop()
  await rm(folder, { recursive: true })
})

/** The same model with its hash, which comes at once. */
function pinned(): CatalogEntry {
  const entry = slow()
  server.bytesPerSecond = Number.POSITIVE_INFINITY
  return { ...entry, sources: entry.sources.map((source) => ({ ...source, sha256: sha256(model) })) }
}

/** One model that comes over the network so slowly that no test could wait for it. */
function slow(): CatalogEntry {
  server.bytesPerSecond = 50_000
  const facts = { name: 'Slow', licence: 'MIT', parameters: '2.6M', parameterCount: 2_594_048, quantization: 'F32' }
  const more = { contextTokens: 2048, shape: null, abilities: { reasoning: null, tools: null } }
  const source = { kind: 'huggingface', url: server.url('/slow.gguf'), sizeBytes: model.length, sha256: null } as const
  const origin = { fileName: 'slow.gguf', repo: 'maker/slow', commit: 'c'.repeat(40), readAt: { where: 'by hand', when: readAt } }
  return { id: 'slow', ...facts, ...more, ...origin, sources: [{ ...source, readAt: origin.readAt }] }
}

async function open(
  catalog: readonly CatalogEntry[],
  onReady: ModelKeeperOptions['onReady'] = async () => undefined,
  firstPauseMs = 60_000,
  leave: () => Promise<void> = async () => undefined,
) {
  const logger = silentLogger
  const library = new ModelLibrary({ folder: join(folder, 'models'), catalog })
  const beforeLoad = (): Promise<void> => keeper.checkFile()
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, restartPauseMs: 20, beforeLoad, logger })
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  const progress = new StartProgress(logger)
  const served: string[] = []
  const onUnload = async (): Promise<void> => {
    served.push('none')
    await leave()
  }
  const keeper: ModelKeeper = new ModelKeeper({
    ...{ library, engine, settings, progress, logger, onUnload, firstPauseMs },
    onReady: async (ready, signal) => {
      await onReady(ready, signal)
      served.push(ready.name)
    },
  })
  closers.push(
    () => engine.dispose(),
    () => keeper.stop(),
  )
  keeper.start()
  const own = async (name: string): Promise<string> => {
    const path = join(folder, name)
    await copyFile(await tinyGgufFile(), path)
    return (await library.addFile(path)).id
  }
  const status = (id: string): string | undefined => library.models.value.find((one) => one.id === id)?.status
  const part = (name: string): string | undefined => progress.state.value.parts.find(({ id }) => id === name)?.state
  return { library, engine, keeper, served, own, status, part }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const soon = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 30_000, interval: 20 })

describe('the keeper of the model', () => {
  it('drops a download that it began when another model is chosen', async () => {
    const { keeper, own, served, status, part } = await open([slow()])
    await soon(() => expect(status('slow')).toBe('downloading'))
    keeper.use(await own('mine.gguf'))
    await soon(() => expect(served).toEqual(['none', 'mine']))
    expect(keeper.current?.name).toBe('mine')
    expect(status('slow')).toBe('absent')
    expect([part('model'), part('engine')]).toEqual(['ready', 'ready'])
  })

  it('lets a download go on that the user asked for', async () => {
    const { keeper, library, own, status } = await open([slow()])
    await soon(() => expect(status('slow')).toBe('downloading'))
    const asked = library.download('slow')
    const ended = expect(asked).rejects.toMatchObject({ code: 'cancelled' })
    keeper.use(await own('mine.gguf'))
    await soon(() => expect(keeper.current?.name).toBe('mine'))
    expect(status('slow')).toBe('downloading')
    await library.cancelDownload('slow')
    await ended
  })

  it('does not go on to hash a large file when another model is chosen, or when the app stops', async () => {
    const { keeper, library, own, served, status } = await open([])
    const [large, small] = [await own('large.gguf'), await own('small.gguf')]
    await truncate(join(folder, 'large.gguf'), 200_000_000_000)
    keeper.use(large)
    await soon(() => expect(status(large)).toBe('verifying'))
    keeper.use(small)
    await soon(() => expect(served.at(-1)).toBe('small'))
    expect(status(large)).toBe('installed')
    keeper.use(large)
    await soon(() => expect(status(large)).toBe('verifying'))
    await keeper.stop()
    // What was in use stays in use until the next one is proven.
    expect(library.models.value.map(({ name, loaded }) => [name, loaded])).toEqual([
      ['large', false],
      ['small', true],
    ])
  })

  it('stops although what comes after the model never comes', async () => {
    const { keeper, own, served } = await open([], (_, signal) => {
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    keeper.use(await own('mine.gguf'))
    await soon(() => expect(keeper.current?.name).toBe('mine'))
    await keeper.stop()
    expect(keeper.current).toBeUndefined()
    expect(served).toEqual(['none', 'none'])
  })

  it('gives up the model in use so that its file may go, and no other', async () => {
    const { keeper, library, engine, own, served } = await open([])
    const [mine, other] = [await own('mine.gguf'), await own('other.gguf')]
    keeper.use(mine)
    await soon(() => expect(served.at(-1)).toBe('mine'))
    await keeper.giveUp(other)
    expect(keeper.current?.name).toBe('mine')
    await expect(library.delete(mine)).rejects.toMatchObject({ code: 'model-in-use' })
    await keeper.giveUp(mine)
    expect([keeper.current, served.at(-1), engine.state.value.status]).toEqual([undefined, 'none', 'no-model'])
    await library.delete(mine)
    expect(library.models.value.map(({ name }) => name)).toEqual(['other'])
    // It goes on with the next one.
    keeper.use(other)
    await soon(() => expect(served.at(-1)).toBe('other'))
  })

  it('says why there is no model, until one is chosen that works', async () => {
    const { keeper, library, own, part } = await open([])
    await soon(() => expect(keeper.trouble.value).toMatchObject({ code: 'no-model' }))
    const good = await own('good.gguf')
    const bad = await own('bad.gguf')
    await writeFile(join(folder, 'bad.gguf'), model.subarray(0, 2_000_000))
    keeper.use(bad)
    await soon(() => expect(keeper.trouble.value).toMatchObject({ code: 'model-broken' }))
    expect(part('model')).toBe('failed')
    keeper.use(good)
    await soon(() => expect(keeper.current?.name).toBe('good'))
    expect(keeper.trouble.value).toBeNull()
    // A choice that fails leaves the model that works.
    keeper.use(bad)
    await soon(() => expect(part('model')).toBe('failed'))
    expect([keeper.current?.name, keeper.trouble.value]).toEqual(['good', null])
    expect(library.models.value.find(({ name }) => name === 'good')?.loaded).toBe(true)
  })

  it.each([
    ['a crash', 'nothing else happens'],
    ['a sleep', 'nothing else happens'],
    ['a crash', 'a game begins while the file is read'],
    ['a sleep', 'a game begins while the file is read'],
  ])(
    'gives up a model whose file was altered before it is loaded again after %s, when %s, and takes it again once it is mended',
    async (after, meanwhile) => {
      const backWhileLeaving: unknown[] = []
      const { keeper, library, engine, served, status } = await open([pinned()], undefined, undefined, async () => {
        // The game ends while nothing is to be answered in the name of the model any more.
        if (engine.state.value.status === 'asleep') await engine.resume().catch((thrown) => backWhileLeaving.push(thrown.code))
      })
      await soon(() => expect(served.at(-1)).toBe('Slow'))
      const path = join(folder, 'models', 'slow.gguf')
      const altered = Uint8Array.from(model)
      altered.set([1, 2, 3, 4], model.length - 1000)
      const { pid = expect.fail('no engine process') } = engine
      if (after === 'a sleep') expect(await engine.sleep()).toBe(true)
      await writeFile(path, altered)
      const games: Promise<void>[] = []
      if (meanwhile !== 'nothing else happens')
        library.models.onChange(() => {
          if (status('slow') === 'verifying' && games.length === 0) games.push(engine.release({ graceMs: 0 }))
        })
      const loads: string[] = []
      engine.state.onChange((state) => loads.push(state.status))
      if (after === 'a crash') process.kill(pid, 'SIGKILL')
      else await expect(engine.wake(new AbortController().signal)).rejects.toMatchObject({ code: 'model-broken' })
      const isGivenUp = (): void => {
        expect([keeper.current, served.at(-1), engine.state.value.status]).toEqual([undefined, 'none', 'failed'])
        expect(keeper.trouble.value).toMatchObject({ code: 'model-broken' })
        expect(engine.state.value).toMatchObject({ words: { code: 'model-broken', values: { model: 'Slow' } } })
        expect([status('slow'), engine.pid]).toEqual(['broken', undefined])
      }
      await soon(isGivenUp)
      await Promise.all(games)
      // A game begins and ends: nothing brings the altered file into an engine.
      await engine.release({ graceMs: 0 })
      await engine.resume()
      isGivenUp()
      expect(loads).not.toContain('ready')
      if (meanwhile !== 'nothing else happens') expect([games.length, backWhileLeaving]).toEqual([1, ['engine-not-ready']])
      await library.download('slow')
      keeper.installed('slow')
      await soon(() => expect([served.at(-1), engine.state.value.status]).toEqual(['Slow', 'ready']))
    },
  )

  it('does not load an own file again that was exchanged for another one', async () => {
    const { keeper, engine, own, served } = await open([])
    keeper.use(await own('mine.gguf'))
    await soon(() => expect(served.at(-1)).toBe('mine'))
    await writeFile(join(folder, 'mine.gguf'), tinyGguf({ seed: 7 }))
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    await soon(() => expect(keeper.trouble.value).toMatchObject({ words: { code: 'model-exchanged' } }))
    expect([keeper.current, served.at(-1), engine.pid]).toEqual([undefined, 'none', undefined])
  })

  it('keeps the model that serves until the next one is there, whatever is chosen while its file is read again', async () => {
    const { keeper, library, engine, own, served, status } = await open([slow()])
    const id = await own('mine.gguf')
    keeper.use(id)
    await soon(() => expect(served.at(-1)).toBe('mine'))
    keeper.use('slow')
    await soon(() => expect(status('slow')).toBe('downloading'))
    const time = new Date('2026-01-01T00:00:00Z')
    await utimes(join(folder, 'mine.gguf'), time, time)
    const chosen: string[] = []
    library.models.onChange(() => {
      if (status(id) !== 'verifying' || chosen.length > 0) return
      chosen.push('slow')
      keeper.use('slow')
    })
    const states: string[] = []
    engine.state.onChange((state) => states.push(state.status))
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    await soon(() => expect(states).toContain('ready'))
    expect(states).not.toContain('failed')
    expect([chosen, keeper.current?.name, served.at(-1)]).toEqual([['slow'], 'mine', 'mine'])
  })

  /** Kills every process that begins to load, until it is stopped. */
  const killing = (engine: LocalEngine): (() => void) => {
    const kill = setInterval(() => {
      if (engine.pid !== undefined && engine.state.value.status === 'loading') process.kill(engine.pid, 'SIGKILL')
    }, 5)
    return () => clearInterval(kill)
  }

  it('tries again by itself, after growing pauses, when the engine crashed each time that it loaded the model', async () => {
    const { keeper, engine, own, served } = await open([], undefined, 300)
    keeper.use(await own('mine.gguf'))
    await soon(() => expect(served.at(-1)).toBe('mine'))
    const stop = killing(engine)
    const pauses: number[] = []
    keeper.stopped.onChange((stopped) => {
      if (stopped?.nextTryAtMs) pauses.push(stopped.nextTryAtMs - Date.now())
    })
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    await soon(() => expect(pauses.length).toBe(3))
    expect(engine.state.value).toMatchObject({ status: 'failed', isCrash: true })
    stop()
    for (const [index, pauseMs] of pauses.entries()) expect(pauseMs).toBeCloseTo(300 * 2 ** index, -2)
    await soon(() => expect([engine.state.value.status, served.at(-1)]).toEqual(['ready', 'mine']))
    expect([keeper.stopped.value, keeper.trouble.value]).toEqual([null, null])
  })

  it('loads a model that the engine gave up when the user says so, in use before or not, and lets it be deleted', async () => {
    const { keeper, library, engine, own, served } = await open([])
    const id = await own('mine.gguf')
    for (const wasInUse of [false, true]) {
      const stop = killing(engine)
      if (wasInUse) process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
      else keeper.use(id)
      await soon(() => expect(keeper.stopped.value).toMatchObject({ id, nextTryAtMs: expect.any(Number) }))
      expect(keeper.current?.id).toBe(wasInUse ? id : undefined)
      stop()
      keeper.loadAgain()
      await soon(() => expect([engine.state.value.status, served.at(-1), keeper.stopped.value]).toEqual(['ready', 'mine', null]))
    }
    const stop = killing(engine)
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    await soon(() => expect(keeper.stopped.value).not.toBeNull())
    stop()
    await keeper.giveUp(id)
    await library.delete(id)
    expect([keeper.stopped.value, engine.state.value.status]).toEqual([null, 'no-model'])
  })
})
