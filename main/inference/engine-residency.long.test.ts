import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { alive } from '../base/testing/alive.ts'
import type { ChatMessage, EngineEvent } from './engine.ts'
import { LocalEngine } from './local-engine.ts'
import type { LocalEngineOptions } from './local-engine-options.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
const never = new AbortController().signal
const ask = (content: string): ChatMessage[] => [{ role: 'user', content }]
const engines: LocalEngine[] = []

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose()
})

async function loaded(options: Partial<LocalEngineOptions> = {}): Promise<LocalEngine> {
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false, restartPauseMs: 20, ...options })
  engines.push(engine)
  await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
  return engine
}

async function last(events: AsyncIterable<EngineEvent>): Promise<EngineEvent | undefined> {
  let event: EngineEvent | undefined
  for await (event of events);
  return event
}

async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  const startedMs = performance.now()
  while (!condition()) {
    if (performance.now() - startedMs > limitMs) throw new Error('waited too long')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('sleep', () => {
  it('gives the memory back when nothing is asked, and comes back with the next request', async () => {
    const engine = await loaded({ idleUnloadMs: 150 })
    const { pid } = engine
    // While it answers it stays awake, however long that takes.
    await last(engine.chat(ask('on'), { maxTokens: 60 }, never))
    expect(engine.pid).toBe(pid)
    await until(() => engine.state.value.status === 'asleep')
    await until(() => !alive(pid))
    expect(engine.state.value).toMatchObject({ model: 'tiny', contextTokens: 2048, why: 'idle' })
    expect(engine.capabilities.tools).toBe(true)
    const both = [1, 2].map((n) => last(engine.chat(ask(`question ${n}`), { maxTokens: 3 }, never)))
    for (const event of await Promise.all(both)) expect(event).toMatchObject({ type: 'done', usage: { completionTokens: 3 } })
    expect(engine.pid).not.toBe(pid)
    expect(engine.running.value).toBe(0)
  })

  it('sleeps by the newest rule only, and is woken before a question too', async () => {
    const engine = await loaded()
    engine.setIdleUnload(60_000)
    engine.setIdleUnload(50)
    await until(() => engine.state.value.status === 'asleep')
    await Promise.all([engine.wake(never), engine.wake(never)])
    expect(engine.state.value.status).toBe('ready')
    engine.setIdleUnload(0)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(engine.state.value.status).toBe('ready')
  })

  it('ends a request that is stopped while the model comes back, with nothing used', async () => {
    const engine = await loaded()
    expect(await engine.sleep()).toBe(true)
    expect(await engine.sleep()).toBe(false)
    const stop = new AbortController()
    const stopped = last(engine.chat(ask('x'), { maxTokens: 3 }, stop.signal))
    setTimeout(() => stop.abort(), 20)
    expect(await stopped).toMatchObject({ type: 'done', reason: 'cancelled', usage: { promptTokens: 0 } })
    expect((await engine.embed(['wake up'], never)).vectors).toHaveLength(1)
  })

  it('comes back also when its process is killed while it does', async () => {
    const engine = await loaded()
    await engine.sleep()
    const answer = last(engine.chat(ask('x'), { maxTokens: 3 }, never))
    await until(() => engine.state.value.status === 'loading' && engine.pid !== undefined)
    const { pid } = engine
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    expect(await answer).toMatchObject({ type: 'done', usage: { completionTokens: 3 } })
    expect(engine.state.value).toMatchObject({ status: 'ready', contextTokens: 2048 })
  })

  it('does not sleep while it answers', async () => {
    const engine = await loaded()
    const running = last(engine.chat(ask('x'), { maxTokens: 200 }, never))
    expect(await engine.sleep()).toBe(false)
    expect(await running).toMatchObject({ type: 'done', reason: 'length' })
  })
})

describe('release', () => {
  it('lets a short answer finish, ends a long one, and is gone within its time', async () => {
    const engine = await loaded()
    const { pid } = engine
    const short = last(engine.chat(ask('short'), { maxTokens: 4 }, never))
    const long = last(engine.chat(ask('long'), { maxTokens: 1900 }, never))
    await until(() => engine.running.value === 2)
    const startedMs = performance.now()
    const released = engine.release({ graceMs: 1_000 })
    await expect(last(engine.chat(ask('late'), {}, never))).rejects.toMatchObject({ code: 'engine-yielded', retryable: true })
    expect(await short).toMatchObject({ type: 'done', reason: 'length' })
    await expect(long).rejects.toMatchObject({ code: 'engine-yielded', retryable: true })
    await released
    expect(performance.now() - startedMs).toBeLessThan(6_000)
    expect(alive(pid)).toBe(false)
    expect(engine.state.value).toMatchObject({ status: 'asleep', why: 'yielded', model: 'tiny' })
    await engine.resume()
    expect(await last(engine.chat(ask('again'), { maxTokens: 2 }, never))).toMatchObject({ type: 'done', reason: 'length' })
  })

  it('waits for nothing when nothing runs, also while the model loads or sleeps', async () => {
    const engine = await loaded()
    for (const before of [() => Promise.resolve(), () => engine.sleep()]) {
      await before()
      const startedMs = performance.now()
      await engine.release({ graceMs: 60_000 })
      expect(performance.now() - startedMs).toBeLessThan(10_000)
      await engine.resume()
    }
    const loading = engine.load({ path: await tinyGgufFile(), name: 'tiny' })
    await until(() => engine.state.value.status === 'loading')
    await engine.release({ graceMs: 60_000 })
    // The model was taken all the same: it comes back with the memory.
    await loading
    expect(engine.pid).toBeUndefined()
    expect(engine.state.value).toMatchObject({ status: 'asleep', why: 'yielded' })
    await engine.resume()
    expect(engine.state.value.status).toBe('ready')
  })

  it('keeps the process and its answers when the memory is not needed any more before the end', async () => {
    const engine = await loaded()
    const { pid } = engine
    const long = last(engine.chat(ask('long'), { maxTokens: 300 }, never))
    await until(() => engine.running.value === 1)
    const released = engine.release({ graceMs: 60_000 })
    expect(engine.state.value).toMatchObject({ status: 'asleep', why: 'yielded' })
    await engine.resume()
    expect(engine.state.value.status).toBe('ready')
    expect(await long).toMatchObject({ type: 'done', reason: 'length', usage: { completionTokens: 300 } })
    await released
    expect([engine.pid, engine.state.value.status]).toEqual([pid, 'ready'])
    // It is watched as before.
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await until(() => engine.state.value.status === 'ready' && engine.pid !== pid)
  })

  it('called again while it waits, waits for the end of the same, and can only shorten the grace', async () => {
    const engine = await loaded()
    const { pid } = engine
    const long = expect(last(engine.chat(ask('long'), { maxTokens: 1900 }, never))).rejects.toMatchObject({
      code: 'engine-yielded',
    })
    await until(() => engine.running.value === 1)
    const seen: [string, boolean][] = []
    const released = (name: string, graceMs: number): Promise<unknown> =>
      engine.release({ graceMs }).then(() => seen.push([name, alive(pid)]))
    const startedMs = performance.now()
    await Promise.all([released('long', 60_000), released('short', 300), released('longer', 120_000), long])
    expect(performance.now() - startedMs).toBeLessThan(30_000)
    expect(seen).toEqual([
      ['long', false],
      ['short', false],
      ['longer', false],
    ])
  })

  it('does not bring back a process that dies while it finishes', async () => {
    const engine = await loaded()
    const { pid } = engine
    const long = expect(last(engine.chat(ask('long'), { maxTokens: 1900 }, never))).rejects.toMatchObject({ retryable: true })
    await until(() => engine.running.value === 1)
    const released = engine.release({ graceMs: 60_000 })
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await Promise.all([long, released])
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect([engine.pid, engine.state.value]).toMatchObject([undefined, { status: 'asleep', why: 'yielded' }])
  })

  it('loads nothing while the memory is given away, and the next request brings it back after `rest`', async () => {
    const engine = await loaded()
    await engine.release({ graceMs: 0 })
    await engine.load({ path: await tinyGgufFile(), name: 'other' })
    expect([engine.pid, engine.state.value]).toMatchObject([undefined, { model: 'other', why: 'yielded' }])
    await expect(engine.wake(never)).rejects.toMatchObject({ code: 'engine-yielded' })
    engine.rest()
    expect([engine.pid, engine.state.value]).toMatchObject([undefined, { model: 'other', why: 'idle' }])
    await engine.wake(never)
    expect(engine.state.value).toMatchObject({ status: 'ready', model: 'other' })
  })

  it('is gone when the beginning of a game was answered, whatever it answers', async () => {
    const engine = await loaded()
    const tookMs: number[] = []
    for (let round = 0; round < 5; round++) {
      const { pid } = engine
      const outcomes = [1, 2].map((n) => last(engine.chat(ask(`long ${n}`), { maxTokens: 1900 }, never)).catch(() => undefined))
      await until(() => engine.running.value === 2)
      const startedMs = performance.now()
      await engine.release({ graceMs: 1_000 })
      tookMs.push(Math.round(performance.now() - startedMs))
      expect(alive(pid)).toBe(false)
      await Promise.all(outcomes)
      await engine.resume()
    }
    // How long that takes is told and not judged: on a busy machine it says more about the machine.
    process.stdout.write(`gone after ${tookMs.join(', ')} ms\n`)
  })
})

describe('memory', () => {
  it('keeps what was read in half the memory when asked', async () => {
    const engine = await loaded({ kvCache: 'q8_0' })
    expect(await last(engine.chat(ask('x'), { maxTokens: 8, temperature: 0 }, never))).toMatchObject({
      usage: { completionTokens: 8 },
    })
  })

  it.runIf(process.platform === 'linux')('takes less context when memory is short, and says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cocoon-memory-'))
    const node = process.execPath
    const limited = join(folder, 'node')
    // 2 x 262,144 tokens of context take 1 GiB; the process may have about half of that beside itself.
    await writeFile(limited, `#!/bin/sh\nulimit -d ${900_000}\nexec "${node}" "$@"\n`)
    await chmod(limited, 0o755)
    const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false, contextTokens: 262_144 })
    engines.push(engine)
    process.execPath = limited
    try {
      await engine.load({ path: await tinyGgufFile({ contextTokens: 262_144 }), name: 'tiny' })
    } finally {
      process.execPath = node
      await rm(folder, { recursive: true })
    }
    const state = engine.state.value
    if (state.status !== 'ready') throw new Error(`the engine is ${state.status}`)
    expect(state.contextTokens).toBeLessThan(262_144)
    expect(state.notices).toEqual([{ kind: 'less-context', asked: 262_144, got: state.contextTokens }])
    expect(await last(engine.chat(ask('x'), { maxTokens: 3 }, never))).toMatchObject({ reason: 'length' })
  })
})
