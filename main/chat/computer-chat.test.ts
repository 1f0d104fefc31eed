import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { computerChecker } from '../core/checks/computer-checker.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { computerBackend } from './computer-backend.ts'
import { Privacy } from './privacy/privacy.ts'
import { SealKeeper } from './privacy/seal-keeper.ts'
import { goodFindings } from './testing/controlled-checker.ts'
import { openChat, Reader, settled, testKey } from './testing/open-chat.ts'

/** The real engine in its own process, with a tiny model of random weights: its words are nonsense, its counts are not. */
describe('a chat on this computer', () => {
  const entryPath = fileURLToPath(new URL('../inference/engine-process.ts', import.meta.url))
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, sequences: 2, background: false, restartPauseMs: 20 })
  beforeAll(async () => engine.load({ path: await tinyGgufFile(), name: 'tiny' }))
  afterAll(() => engine.dispose())

  it('is answered, stopped, and goes on when its history no longer fits', async () => {
    const { chat } = openChat([computerBackend(engine, { maxTokens: 200, seed: 1 })])
    expect(chat.levels.value[0]).toMatchObject({ level: 'computer', state: 'ready', model: 'tiny' })
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const first = await chat.send({ id, text: 'Tell me a story' })
    await vi.waitFor(() => expect(reader.turns[0]?.status).toBe('streaming'), { timeout: 60_000 })
    const stopped = await chat.stop({ id, turnId: first.id })
    expect(stopped).toMatchObject({ status: 'stopped', stop: 'ended', model: 'tiny' })
    expect(stopped.usage?.completionTokens).toBeGreaterThan(0)
    expect(stopped.usage?.completionTokens).toBeLessThan(200)
    // The context is 2048 tokens of one letter each: the second question fits only without the first one.
    for (const text of ['a '.repeat(500), 'b '.repeat(500)]) {
      await chat.send({ id, text })
      const done = await settled(reader)
      expect(done).toMatchObject({ status: 'done', cut: true })
      expect(done.usage?.completionTokens).toBe(200)
      expect(done.tokensPerSecond).toBeGreaterThan(1)
      // What is left of the context beside an answer of 200 tokens.
      expect(done.usage?.promptTokens).toBeLessThan(1_850)
      expect(done.answer.length).toBeGreaterThan(0)
    }
    await chat.send({ id, text: 'c '.repeat(3_000) })
    expect((await settled(reader)).error).toMatchObject({ code: 'context-too-small', money: 'You paid nothing.' })
  })

  it('whose engine is killed fails that turn, free of charge, and can be answered again', async () => {
    const { chat } = openChat([computerBackend(engine, { maxTokens: 200, seed: 1 })])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const { id: turnId } = await chat.send({ id, text: 'Tell me a story' })
    await vi.waitFor(() => expect(reader.turns[0]?.status).toBe('streaming'), { timeout: 60_000 })
    process.kill(engine.pid ?? expect.fail('no engine process'), 'SIGKILL')
    const failed = await settled(reader)
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'engine-crashed', money: 'You paid nothing.', retryable: true },
    })
    await vi.waitFor(() => expect(chat.levels.value[0]?.state).toBe('ready'), { timeout: 60_000 })
    await chat.retry({ id, turnId })
    expect(await settled(reader)).toMatchObject({ status: 'done', id: turnId })
  })

  it('wakes an engine that sleeps before the permit is judged, for a seal of the process that answers', async () => {
    const { connection, wake } = computerChecker({
      ...{ engine, library: { verify: () => Promise.reject(new Error('not asked')) }, model: () => undefined },
      ...{ dataDir: 'd', vault: 'v', byPassword: true },
    })
    const checked: string[] = []
    const keeper = new SealKeeper({
      checker: {
        ...{ level: 'computer', connection, ...(wake && { wake }) },
        check: async (name) => {
          checked.push(name)
          return goodFindings('computer')
        },
      },
    })
    const privacy = new Privacy({ keepers: [keeper] })
    const { chat } = openChat([computerBackend(engine, { maxTokens: 5 })], undefined, testKey, privacy)
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    await expect.poll(() => keeper.state.value.phase).toBe('earned')
    expect(await engine.sleep()).toBe(true)
    expect(chat.levels.value[0]).toMatchObject({ state: 'ready', asleep: true, model: 'tiny', seal: { phase: 'idle' } })
    await chat.send({ id, text: 'wake up' })
    expect(await settled(reader)).toMatchObject({ status: 'done' })
    expect(checked.at(-1)).toBe(`tiny, process ${engine.pid}`)
    expect(keeper.state.value).toMatchObject({ phase: 'earned', report: { connection: checked.at(-1) } })
    // While another program has the memory nothing is stored, and the question may be asked again.
    await engine.release({ graceMs: 0 })
    await expect(chat.send({ id, text: 'now' })).rejects.toMatchObject({ code: 'not-ready', words: { code: 'engine-yielded' } })
    expect(reader.turns).toHaveLength(1)
    await engine.resume()
    await chat.send({ id, text: 'now' })
    expect(await settled(reader)).toMatchObject({ status: 'done', question: 'now' })
  })
})
