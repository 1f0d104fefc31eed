import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Turn } from '../../../preload/api/chat.ts'
import { silentLogger } from '../../base/logger.ts'
import { childEntries } from '../../child-entries.ts'
import { type Core, startCore } from '../../core.ts'
import { tinyGgufFile } from '../../inference/testing/tiny-gguf.ts'
import { intelRoots } from '../../protocol/attestation/intel-chain.ts'
import { freePorts } from '../../roles/testing/role-process.ts'
import { endedTurn, first } from '../testing/streamed.ts'

/**
 * The whole app with an engine of another program that runs already, which no test can bring along:
 * `COCOON_ENGINE_URL=http://127.0.0.1:11434 COCOON_ENGINE_MODEL=name npm run test:long -- foreign-engine`. A key goes into `COCOON_ENGINE_KEY`.
 */
const { COCOON_ENGINE_URL: url = '', COCOON_ENGINE_MODEL: wanted = '', COCOON_ENGINE_KEY: key } = process.env

const longMs = 600_000
const within = (): AbortSignal => AbortSignal.timeout(longMs)

describe.skipIf(url === '')(`an engine of another program at ${url}`, { timeout: longMs }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-foreign-'))
  let [core, id, model] = [] as unknown as [Core, string, string]
  const calls = () => core.handlers.calls
  const streams = () => core.handlers.streams
  async function ask(level: 'external' | 'practice', text: string, stop = false): Promise<Turn> {
    const { id: chat } = await calls()['chat.create']({ level })
    const { id: turnId } = await calls()['chat.send']({ id: chat, text })
    const events = streams()['chat.conversation']({ id: chat }, within())
    if (!stop) return endedTurn(events, turnId)
    await first(events, (event) => event.type === 'delta')
    return calls()['chat.stop']({ id: chat, turnId })
  }

  beforeAll(async () => {
    const entries = childEntries(new URL('../../core.ts', import.meta.url).href)
    core = await startCore({ dataDir, shell: 'browser', entries, roots: intelRoots, logger: silentLogger })
    await calls()['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
    await calls()['models.use']({ id: (await calls()['models.addFile']({ path: await tinyGgufFile() })).id })
    ;({ id } = await calls()['engines.add']({ name: 'mine', url, ...(key && { key }) }))
    const { engines } = await first(streams()['engines.state']({}, within()), (state) => state.engines[0]?.status === 'ready')
    const names = engines[0]?.models ?? []
    model = names.find((name) => name === wanted || name === `${wanted}:latest`) ?? names[0] ?? expect.unreachable('no model')
    await calls()['engines.choose']({ id, model })
  }, longMs)
  afterAll(async () => {
    await core?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }, longMs)

  it('answers a chat, with a usage of its own, and ends an answer that is stopped', async () => {
    const turn = await ask('external', 'Name one colour.')
    expect(turn).toMatchObject({ status: 'done', level: 'external', model, engine: new URL(url).host })
    expect(turn.answer).not.toBe('')
    expect(turn.usage?.promptTokens).toBeGreaterThan(0)
    expect(turn.usage?.completionTokens).toBeGreaterThan(0)
    expect(await ask('external', 'Count from one to ten thousand.', true)).toMatchObject({ status: 'stopped' })
  })

  it('answers the openai client over the local API: whole, streamed with usage, to its own limit', async () => {
    const [port = 0] = await freePorts(1)
    await calls()['gateway.set']({ enabled: true, port })
    const terms = { name: 'test', level: 'external' as const, models: null, origins: [], dailyLimit: 0n }
    const { secret } = await calls()['gateway.createKey']({ ...terms, consent: true })
    const { url: baseURL } = await first(streams()['gateway.state']({}, within()), ({ status }) => status === 'listening')
    const client = new OpenAI({ apiKey: secret, baseURL, maxRetries: 0 })
    const { id: name } = (await client.models.list()).data.find((one) => one.id.endsWith(`/${model}`)) ?? expect.unreachable()
    const asked = { model: name, max_tokens: 8, messages: [{ role: 'user' as const, content: 'Say something long.' }] }
    const whole = await client.chat.completions.create(asked)
    expect(whole).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 8 } })
    let usage: number | undefined
    let text = ''
    for await (const chunk of await client.chat.completions.create({
      ...{ ...asked, stream: true },
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage?.completion_tokens ?? usage
    }
    expect(text).not.toBe('')
    expect(usage).toBe(8)
  })

  it('serves a question of the network, which is charged by its usage and paid out', async () => {
    await calls()['engines.serve']({ with: { id, model, atOnce: 1 } })
    await first(streams()['chat.levels']({}, within()), (levels) =>
      levels.some((one) => one.level === 'practice' && one.engine && one.seal.phase === 'earned'),
    )
    const turn = await ask('practice', 'Name one animal.')
    expect(turn).toMatchObject({ status: 'done', level: 'practice', engine: new URL(url).host })
    const earned = BigInt(turn.usage?.adjustedTokens ?? 0) * 150_000n
    expect(earned).toBeGreaterThan(0n)
    await first(streams()['earn.state']({}, within()), ({ settleable }) => settleable === earned)
    expect(await calls()['earn.settle']({})).toEqual({ ownerReceived: earned })
  })
})
