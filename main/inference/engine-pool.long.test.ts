import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../base/failure.ts'
import type { EngineEvent } from './engine.ts'
import { EnginePool, type PooledModel } from './engine-pool.ts'
import type { LocalEngine } from './local-engine.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
let pool: EnginePool | undefined

afterEach(() => pool?.dispose())

function newPool(budgetBytes: number, waitMs = 60_000, beforeLoad = async (): Promise<void> => undefined): EnginePool {
  pool = new EnginePool({
    beforeLoad,
    engine: { entryPath, gpu: false, threads: 1, background: false },
    budgetBytes: () => budgetBytes,
    waitMs,
  })
  return pool
}

const model = async (id: string, bytes = 100): Promise<PooledModel> => ({ id, name: id, bytes, path: await tinyGgufFile() })
const statuses = (...engines: LocalEngine[]): string[] => engines.map(({ state }) => state.value.status)

async function ask(
  engine: LocalEngine,
  maxTokens: number,
  signal = new AbortController().signal,
): Promise<EngineEvent | undefined> {
  let last: EngineEvent | undefined
  for await (last of engine.chat([{ role: 'user', content: 'x' }], { maxTokens }, signal));
  return last
}

describe('EnginePool', () => {
  it('loads by first use, and lets go of what was not asked for longest when the budget is full', async () => {
    const pool = newPool(250)
    const [a, b, c] = [pool.engineOf(await model('a')), pool.engineOf(await model('b')), pool.engineOf(await model('c'))]
    expect(pool.engineOf(await model('a'))).toBe(a)
    expect([statuses(a, b, c), pool.usedBytes]).toEqual([['asleep', 'asleep', 'asleep'], 0])
    await ask(a, 2)
    await ask(b, 2)
    expect([statuses(a, b, c), pool.usedBytes]).toEqual([['ready', 'ready', 'asleep'], 200])
    await ask(a, 2)
    await ask(c, 2)
    expect([statuses(a, b, c), pool.usedBytes]).toEqual([['ready', 'asleep', 'ready'], 200])
    await pool.forget('a')
    expect(pool.usedBytes).toBe(100)
    await pool.release({ graceMs: 0 })
    expect(pool.usedBytes).toBe(0)
    await expect(ask(b, 2)).rejects.toMatchObject({ code: 'engine-yielded' })
    pool.resume()
    expect(await ask(b, 2)).toMatchObject({ type: 'done', reason: 'length' })
  })

  it('asks for leave before each load, also after a crash', async () => {
    let isAllowed = true
    const pool = newPool(100, 60_000, async () => {
      if (!isAllowed) throw new Failure('model-broken', 'The file was changed.')
    })
    const engine = pool.engineOf(await model('a'))
    await ask(engine, 1)
    isAllowed = false
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    await vi.waitFor(
      () => expect(engine.state.value).toMatchObject({ status: 'failed', words: { code: 'model-broken' } }),
      20_000,
    )
    expect(engine.pid).toBeUndefined()
  })

  it('never takes a model away that answers: the request is told to come again', async () => {
    const pool = newPool(100, 300)
    const [a, b] = [pool.engineOf(await model('a')), pool.engineOf(await model('b'))]
    const stop = new AbortController()
    await ask(a, 1)
    const long = ask(a, 1_900, stop.signal)
    await expect(ask(b, 2)).rejects.toMatchObject({ code: 'engine-busy', retryable: true })
    expect(statuses(a, b)).toEqual(['ready', 'asleep'])
    stop.abort()
    expect(await long).toMatchObject({ reason: 'cancelled' })
  })

  it('keeps no room for a model whose request was given up on the way', async () => {
    const pool = newPool(100)
    const [a, b] = [pool.engineOf(await model('a')), pool.engineOf(await model('b'))]
    await ask(a, 1)
    const outcomes = Promise.allSettled([ask(a, 1_900), ask(b, 2)])
    await new Promise((resolve) => setTimeout(resolve, 100))
    await pool.release({ graceMs: 0 })
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'engine-yielded' } })
    expect([statuses(a, b), pool.usedBytes]).toEqual([['asleep', 'asleep'], 0])
  })

  it('lets a request wait until the model that answers has finished', async () => {
    const pool = newPool(100)
    const [a, b] = [pool.engineOf(await model('a')), pool.engineOf(await model('b'))]
    const stop = new AbortController()
    await ask(a, 1)
    const long = ask(a, 1_900, stop.signal)
    const most: number[] = []
    const stopWatching = b.state.onChange(() => most.push(pool.usedBytes))
    const waiting = ask(b, 2)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(statuses(a, b)).toEqual(['ready', 'asleep'])
    stop.abort()
    expect(await long).toMatchObject({ reason: 'cancelled' })
    expect(await waiting).toMatchObject({ type: 'done', reason: 'length' })
    expect(statuses(a, b)).toEqual(['asleep', 'ready'])
    expect(Math.max(...most)).toBe(100)
    stopWatching()
  })

  it('keeps no place in line for a request that left', async () => {
    const pool = newPool(100)
    const [a, b, c] = [pool.engineOf(await model('a')), pool.engineOf(await model('b')), pool.engineOf(await model('c'))]
    const [stopA, stopB] = [new AbortController(), new AbortController()]
    await ask(a, 1)
    const long = ask(a, 1_900, stopA.signal)
    const ofB: string[] = []
    const stopWatching = b.state.onChange(({ status }) => ofB.push(status))
    const [left, next] = [ask(b, 2, stopB.signal), ask(c, 2)]
    stopB.abort()
    expect(await left).toMatchObject({ reason: 'cancelled' })
    stopA.abort()
    expect(await long).toMatchObject({ reason: 'cancelled' })
    expect(await next).toMatchObject({ type: 'done', reason: 'length' })
    expect([ofB, statuses(a, b, c)]).toEqual([[], ['asleep', 'asleep', 'ready']])
    // Who comes again is answered.
    expect(await ask(b, 2)).toMatchObject({ type: 'done', reason: 'length' })
    stopWatching()
  })

  it('keeps no place in line for a model that was given up', async () => {
    const pool = newPool(100)
    const [a, b] = [pool.engineOf(await model('a')), pool.engineOf(await model('b'))]
    const stop = new AbortController()
    await ask(a, 1)
    const long = ask(a, 1_900, stop.signal)
    const waiting = ask(b, 2)
    void pool.forget('b')
    await expect(waiting).rejects.toMatchObject({ code: 'engine-not-ready', retryable: true })
    expect([statuses(a), a.running.value]).toEqual([['ready'], 1])
    stop.abort()
    expect(await long).toMatchObject({ reason: 'cancelled' })
  })

  it('counts the time in line as time of waiting', async () => {
    const waitMs = 300
    const pool = newPool(100, waitMs)
    const [a, b, c] = [pool.engineOf(await model('a')), pool.engineOf(await model('b')), pool.engineOf(await model('c'))]
    const stop = new AbortController()
    await ask(a, 1)
    const long = ask(a, 1_900, stop.signal)
    const codeOf = (asked: Promise<unknown>): Promise<unknown> => asked.catch(({ code }: { code: string }) => code)
    const [first, second] = [codeOf(ask(b, 2)), codeOf(ask(c, 2))]
    expect(await first).toBe('engine-busy')
    const later = new Promise((resolve) => setTimeout(resolve, waitMs * 0.8, 'later'))
    expect(await Promise.race([second, later])).toBe('engine-busy')
    stop.abort()
    expect(await long).toMatchObject({ reason: 'cancelled' })
  })
})
