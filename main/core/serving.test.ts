import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LevelView, Turn } from '../../preload/api/chat.ts'
import type { EarnState } from '../../preload/api/earn.ts'
import type { EnginesState } from '../../preload/api/engines.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { type Core, startCore } from '../core.ts'
import { tinyEngine } from '../gateway/testing/gateway-stage.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { type EngineServer, engineServer } from './engines/testing/engine-server.ts'
import { endedTurn, first } from './testing/streamed.ts'

/** A busy machine takes its time. */
const busyMs = 100_000
const testMs = 400_000
const within = (): AbortSignal => AbortSignal.timeout(busyMs)

describe('the app serving with an engine of another program', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-serving-'))
  const model = 'org/tiny:1b'
  let [core, engine, server, id] = [] as unknown as [Core, LocalEngine, EngineServer, string]
  const calls = () => core.handlers.calls
  const streams = () => core.handlers.streams
  const start = (): Promise<Core> =>
    startCore({
      dataDir,
      shell: 'browser',
      entries: childEntries(new URL('../core.ts', import.meta.url).href),
      roots: intelRoots,
      logger: silentLogger,
    })
  const offers = (name: string, workers: number): Promise<unknown> =>
    first(
      streams()['network.state']({}, within()),
      ({ models }) => (models.find((one) => one.name === name)?.workers ?? 0) === workers,
    )
  const earn = (holds: (state: EarnState) => boolean = () => true): Promise<EarnState> =>
    first(streams()['earn.state']({}, within()), holds)
  const engines = (holds: (state: EnginesState) => boolean = () => true): Promise<EnginesState> =>
    first(streams()['engines.state']({}, within()), holds)
  const practice = async (holds: (level: LevelView) => boolean): Promise<LevelView> => {
    const isPractice = (one: LevelView): boolean => one.level === 'practice'
    const levels = await first(streams()['chat.levels']({}, within()), (all) => all.some((one) => isPractice(one) && holds(one)))
    return levels.find(isPractice) as LevelView
  }
  const questions = (): EngineServer['asked'][number][] => server.asked.filter(({ path }) => path !== '/v1/models')
  const chatOf = async (): Promise<string> => (await calls()['chat.create']({ level: 'practice' })).id
  async function ask(id: string, text: string, stop = false): Promise<Turn> {
    const { id: turnId } = await calls()['chat.send']({ id, text })
    if (stop) return calls()['chat.stop']({ id, turnId })
    return endedTurn(streams()['chat.conversation']({ id }, within()), turnId)
  }

  beforeAll(async () => {
    engine = await tinyEngine()
    server = await engineServer(createEngineBackend({ engine, model }))
    core = await start()
    const own = await calls()['models.addFile']({ path: await tinyGgufFile() })
    await calls()['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
    await calls()['models.use']({ id: own.id })
    ;({ id } = await calls()['engines.add']({ name: 'mine', url: server.url }))
    await engines((state) => state.engines[0]?.status === 'ready')
  }, testMs)
  afterAll(async () => {
    await core?.stop()
    await server?.close()
    await engine?.dispose()
    rmSync(dataDir, { recursive: true, force: true })
  }, testMs)

  afterEach(() => {
    server.misbehave = undefined
    server.list = undefined
  })

  it('takes only a listed model with a name that a network carries', async () => {
    const serve =
      (name: string, engineId = id) =>
      () =>
        calls()['engines.serve']({ with: { id: engineId, model: name, atOnce: 1 } })
    expect(serve('unlisted')).toThrow(expect.objectContaining({ code: 'not-found' }))
    expect(serve(model, 'nobody')).toThrow(expect.objectContaining({ code: 'not-found' }))
    expect(serve('tiny@0123:abc')).toThrow(expect.objectContaining({ code: 'model-unservable' }))
    expect(serve('ä'.repeat(257))).toThrow(expect.objectContaining({ code: 'model-unservable' }))
    expect((await engines()).serving).toBeNull()
  })

  it(
    'answers questions of the network, which are counted, charged and paid out; own chat says who reads',
    async () => {
      const { model: ownModel = '' } = await practice(({ state, seal }) => state === 'ready' && seal.phase === 'earned')
      expect(ownModel).not.toBe(model)
      const before = await chatOf()
      expect(await ask(before, 'Only for this app', true)).not.toHaveProperty('engine')
      await calls()['engines.serve']({ with: { id, model, atOnce: 2 } })
      const level = await practice(({ engine, seal }) => engine !== undefined && seal.phase === 'earned')
      expect(level).toMatchObject({ model, engine: { name: 'mine', host: new URL(server.url).host, isLoopback: true } })
      const { seal } = level
      const rows = seal.phase === 'earned' ? seal.report.rows : []
      expect(rows.at(-1)).toMatchObject({ id: 'engine-program', result: 'not-checked' })
      await offers(model, 1)
      // What was written before was not meant for it.
      await expect(calls()['chat.send']({ id: before, text: 'And now?' })).rejects.toMatchObject({ code: 'needs-choice' })
      const chat = await chatOf()
      const turn = await ask(chat, 'Good morning?')
      expect(turn).toMatchObject({ status: 'done', level: 'practice', model, engine: new URL(server.url).host })
      expect(questions()).toHaveLength(1)
      expect(JSON.parse(questions()[0]?.body ?? '')).toMatchObject({ model, messages: [{}, { content: 'Good morning?' }] })
      // The key that it was sealed to holds no quote.
      expect(turn.seal).toMatchObject({ scheme: 'direct', attestation: 'none' })
      const { promptTokens = 0, cachedTokens = 0, completionTokens = 0, adjustedTokens = 0, cost = 0n } = turn.usage ?? {}
      expect(completionTokens).toBe(12)
      expect(adjustedTokens).toBe(promptTokens - cachedTokens + Math.trunc(cachedTokens / 10) + completionTokens * 8)
      expect(cost).toBe(BigInt(adjustedTokens) * 200_000n)
      const earned = BigInt(adjustedTokens) * 150_000n
      const pending = await earn(({ requests: [request] }) => request?.money === 'pending')
      expect(pending).toMatchObject({
        status: 'earning',
        line: 'Serving with mine, test coins. No request now.',
        settleable: earned,
      })
      expect(pending.requests[0]).toMatchObject({ model, result: 'answered', adjustedTokens, earned })
      expect(await calls()['earn.settle']({})).toEqual({ ownerReceived: earned })
      await earn(({ settled }) => settled === earned)
      expect((await calls()['chat.setLevel']({ id: before, level: 'practice', along: 'send-along' })).id).toBe(before)
      expect(await ask(before, 'And now?')).toMatchObject({ status: 'done', engine: new URL(server.url).host })
      // What waits for the seal of an engine that reads is held as for any other program.
      await expect(calls()['chat.send']({ id: chat, text: `0x${'ab'.repeat(32)}` })).rejects.toMatchObject({
        code: 'looks-secret',
      })
    },
    testMs,
  )

  it(
    'gives it no more at once than was chosen',
    async () => {
      const waiting: Array<() => void> = []
      server.misbehave = (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        const event = (value: object): void => void response.write(`data: ${JSON.stringify(value)}\n\n`)
        event({ choices: [{ index: 0, delta: { content: 'One' }, finish_reason: null }] })
        const end = (): void => {
          event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
          const usage = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 }
          event({ choices: [], usage: { ...usage, prompt_tokens_details: { cached_tokens: 8 } }, timings: { cache_n: 8 } })
          response.end('data: [DONE]\n\n')
        }
        waiting.push(end)
        if (waiting.length > 2) end()
      }
      const chats = await Promise.all([chatOf(), chatOf()])
      const running = chats.map((chat) => ask(chat, 'At once'))
      await vi.waitFor(() => expect(waiting).toHaveLength(2), { timeout: busyMs, interval: 20 })
      // The proxy turns it away, and the engine is not told of it.
      const turnedAway = await ask(await chatOf(), 'One more')
      expect(turnedAway).toMatchObject({ status: 'failed', error: { words: { code: 'sealing-workers-busy' } } })
      expect(waiting).toHaveLength(2)
      server.misbehave = undefined
      for (const end of waiting) end()
      // What it knew of a prompt already, from others who asked it, is not told.
      for (const turn of await Promise.all(running))
        expect(turn).toMatchObject({ status: 'done', answer: 'One', usage: { promptTokens: 9, cachedTokens: 0 } })
    },
    testMs,
  )

  it(
    'tells the proxy when the engine is gone, and when it is back',
    async () => {
      server.list = (_, response) => response.destroy()
      const away = await earn(({ status }) => status === 'offline')
      expect(away).toMatchObject({ title: 'mine cannot be used', titleWords: { code: 'serving-engine-away' } })
      await offers(model, 0)
      expect(await practice(({ state }) => state === 'unavailable')).toMatchObject({
        reasonWords: { code: 'engine-unreachable' },
      })
      server.list = undefined
      await earn(({ status }) => status !== 'offline')
      await offers(model, 1)
      await practice(({ state, seal }) => state === 'ready' && seal.phase === 'earned')
      expect(await ask(await chatOf(), 'Back?')).toMatchObject({ status: 'done' })
    },
    testMs,
  )

  it(
    'takes nothing while earning is paused, and is chosen again after a restart',
    async () => {
      await calls()['earn.pause']({})
      await offers(model, 0)
      const limits = await first(streams()['limits.state']({}, within()), () => true)
      expect(limits).toMatchObject({ servedBy: 'mine', offered: false })
      await calls()['earn.resume']({})
      await core.stop()
      server.asked.length = 0
      core = await start()
      await offers(model, 1)
      expect((await engines()).serving).toEqual({ id, model, atOnce: 2 })
      await practice(({ state, seal }) => state === 'ready' && seal.phase === 'earned')
      expect(await ask(await chatOf(), 'After the restart')).toMatchObject({ status: 'done', model })
      expect(questions()).toHaveLength(1)
    },
    testMs,
  )

  it(
    'goes back to this app’s engine with the user’s word, or when the engine is removed, and asks it nothing more',
    async () => {
      const asked = server.asked.length
      await calls()['engines.remove']({ id })
      expect(await engines()).toMatchObject({ engines: [], serving: null })
      await offers(model, 0)
      const own = await practice(({ state, seal }) => state === 'ready' && seal.phase === 'earned')
      expect([own.engine, own.model === model]).toEqual([undefined, false])
      expect((await earn(({ status }) => status === 'waiting' || status === 'earning')).line).toMatch(/^Serving on the CPU/)
      expect(await ask(await chatOf(), 'Who is there?', true)).not.toHaveProperty('engine')
      expect(server.asked.slice(asked).filter(({ path }) => path !== '/v1/models')).toEqual([])
    },
    testMs,
  )
})
