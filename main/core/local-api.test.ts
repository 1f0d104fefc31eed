import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EarnState } from '../../preload/api/earn.ts'
import type { GatewayKey, GatewayKeyTerms, GatewayState } from '../../preload/api/gateway.ts'
import { silentLogger } from '../base/logger.ts'
import { alive } from '../base/testing/alive.ts'
import { canaryBelow, spelledIn } from '../base/testing/canary.ts'
import { childEntries } from '../child-entries.ts'
import { type Core, startCore } from '../core.ts'
import { endpointPaths } from '../gateway/api-request.ts'
import { names, wrongRequests } from '../gateway/testing/wrong-values.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { engineServer } from './engines/testing/engine-server.ts'
import { first } from './testing/streamed.ts'

const busyMs = 200_000
const testMs = 400_000

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Engine processes that this one started (Linux). */
function enginePids(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-process'))
}

const termsOf = ({ name, level, models, origins, dailyLimit }: GatewayKeyTerms) => ({
  ...{ name, level, models, origins, dailyLimit },
  consent: false,
})

describe(
  'the local API of the app, on this computer and over the practice network',
  () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-api-'))
    const lines: string[] = []
    const limit = 20_000_000_000n
    let core: Core
    let client: OpenAI
    let secret: string
    let [localId, networkId] = ['', '']
    const calls = () => core.handlers.calls
    const state = (holds: (state: GatewayState) => boolean = () => true): Promise<GatewayState> =>
      first(core.handlers.streams['gateway.state']({}, AbortSignal.timeout(busyMs)), holds)
    const key = async (): Promise<GatewayKey> => {
      const [only] = (await state()).keys
      if (!only) throw new Error('There is no key.')
      return only
    }
    const earn = (holds: (state: EarnState) => boolean = () => true): Promise<EarnState> =>
      first(core.handlers.streams['earn.state']({}, AbortSignal.timeout(busyMs)), holds)
    const start = (): Promise<Core> =>
      startCore({
        dataDir,
        shell: 'browser',
        entries: childEntries(new URL('../core.ts', import.meta.url).href),
        roots: intelRoots,
        logger: { ...silentLogger, warn: (message, fields) => lines.push(message, JSON.stringify(fields ?? {})) },
      })

    beforeAll(async () => {
      core = await start()
      const { id } = await calls()['models.addFile']({ path: await tinyGgufFile() })
      await calls()['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
      await calls()['models.use']({ id })
      expect((await state()).status).toBe('off')
      await calls()['gateway.set']({ enabled: true, port: await freePort() })
      const terms: GatewayKeyTerms = { name: 'Test', level: 'practice', models: null, origins: [], dailyLimit: limit }
      expect(() => calls()['gateway.createKey']({ ...terms, consent: false })).toThrow(/agreed/)
      ;({ secret } = await calls()['gateway.createKey']({ ...terms, consent: true }))
      const { url, models } = await state(({ status, models }) => status === 'listening' && models.length === 2)
      ;[localId = '', networkId = ''] = models
      client = new OpenAI({ apiKey: secret, baseURL: url, maxRetries: 0 })
    }, testMs)
    afterAll(async () => {
      await core?.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }, testMs)

    const messages = [{ role: 'user' as const, content: 'A canary of the local API sings here.' }]

    it('lists the same model at both places, with what each can do', async () => {
      const { data } = await client.models.list()
      expect(data.map(({ id }) => id)).toEqual([localId, networkId])
      expect([localId.split('/')[0], networkId.split('/')[0]]).toEqual(['local', 'network'])
      expect(localId.slice('local/'.length)).toBe(networkId.slice('network/'.length))
      const [local, network] = data as unknown as { capabilities: Record<string, unknown>; level: string }[]
      expect([local?.level, network?.level]).toEqual(['computer', 'practice'])
      expect(network?.capabilities).toMatchObject({ chat_completions: true, tools: false, logit_bias: false, embeddings: false })
    })

    it('answers here for nothing, and over the network for what the proxy charges', async () => {
      const here = await client.chat.completions.create({ model: localId, messages, max_tokens: 8 }).withResponse()
      expect(here.response.headers.get('x-cocoon-cost-nano')).toBe('0')
      const before = await earn()
      const { data, response } = await client.chat.completions
        .create({ model: networkId, messages, max_tokens: 8 })
        .withResponse()
      expect(data).toMatchObject({ model: networkId, usage: { completion_tokens: 8 } })
      expect(data.usage).not.toHaveProperty('total_cost')
      const cost = BigInt(response.headers.get('x-cocoon-cost-nano') ?? '-1')
      // Price 200,000 nanoton; prompt 1, cached 0.1, completion 8.
      const { prompt_tokens: prompt = 0, prompt_tokens_details: details } = data.usage ?? {}
      const cached = details?.cached_tokens ?? 0
      expect(cost).toBe(BigInt(prompt - cached + Math.trunc(cached * 0.1) + 8 * 8) * 200_000n)
      const { today } = await key()
      expect(today).toMatchObject({ spent: cost, unsure: 0n, reserved: 0n })
      const after = await earn(({ requests }) => requests.length > before.requests.length)
      expect(after.requests.length).toBe(before.requests.length + 1)
    })

    it('measures how fast the model is with answers that programs asked for, here and over the network', async () => {
      const speed = async (): Promise<number | undefined> => {
        const models = await first(core.handlers.streams['models.list']({}, AbortSignal.timeout(busyMs)), () => true)
        return models.find(({ loaded }) => loaded)?.tokensPerSecond
      }
      expect(await speed()).toBeUndefined()
      await client.chat.completions.create({ model: networkId, messages, max_tokens: 40 })
      expect(await speed()).toBeGreaterThan(0)
    })

    it('streams over the network, and tells the cost', async () => {
      const before = (await key()).today.spent
      const stream = await client.chat.completions.create({
        model: networkId,
        messages,
        max_tokens: 8,
        stream: true,
        stream_options: { include_usage: true },
      })
      let text = ''
      let completion = 0
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? ''
        completion = chunk.usage?.completion_tokens ?? completion
      }
      expect(text.length).toBeGreaterThan(0)
      expect(completion).toBe(8)
      expect((await key()).today.spent).toBeGreaterThan(before)
      const text2 = await client.completions.create({ model: networkId, prompt: 'the first', max_tokens: 4 })
      expect(text2.usage?.completion_tokens).toBe(4)
    })

    it('refuses what the network does not carry before anything is sent or paid', async () => {
      const before = [await key(), (await earn()).requests.length] as const
      const tools = [{ type: 'function' as const, function: { name: 'f', parameters: {} } }]
      for (const [more, param] of [
        [{ tools }, 'tools'],
        [{ logit_bias: { '5': 1 } }, 'logit_bias'],
        [{ metadata: { a: 'b' } }, 'metadata'],
        [{ presence_penalty: 'high' }, 'presence_penalty'],
        [{ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'sand' } } } }, 'response_format'],
      ] as const) {
        const error = await client.chat.completions
          .create({ model: networkId, messages, ...(more as object) })
          .catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ status: 400, param })
      }
      await expect(client.embeddings.create({ model: networkId, input: 'x' })).rejects.toMatchObject({
        status: 400,
        code: 'unsupported_endpoint',
      })
      expect((await key()).today.spent).toBe(before[0].today.spent)
      expect((await earn()).requests.length).toBe(before[1])
    })

    it('refuses every wrong value by its field at each place, and asks no engine and pays nothing for it', async () => {
      const never: OpenAiBackend = { model: 'm', healthy: () => true, handle: () => Promise.reject(new Error('It was asked.')) }
      const other = await engineServer(never)
      other.list = (_, response) =>
        response
          .writeHead(200, { 'Content-Type': 'application/json' })
          .end(JSON.stringify({ object: 'list', data: [{ id: 'm', owned_by: 'llamacpp' }] }))
      const { id: engineId } = await calls()['engines.add']({ name: 'mine', url: other.url })
      const terms: GatewayKeyTerms = { name: 'Wide', level: 'external', models: null, origins: [], dailyLimit: limit }
      const wide = await calls()['gateway.createKey']({ ...terms, consent: true })
      const { url } = await state(({ models }) => models.includes('external/mine/m'))
      const authorization = `Bearer ${wide.secret}`
      /** What was read, generated and paid until now. */
      const used = async (): Promise<string> =>
        (await (await fetch(url.replace(/v1$/, 'metrics'), { headers: { authorization } })).text())
          .split('\n')
          .filter((line) => /^cocoon_api_(tokens|spent).* [1-9]/.test(line))
          .join('\n')
      const before = [await used(), (await earn()).requests.length]
      expect(before[0]).toContain('cocoon_api_tokens_total{level="computer",kind="completion"}')
      for (const model of [localId, networkId, 'external/mine/m'])
        for (const { endpoint, param, body } of wrongRequests) {
          const reply = await fetch(url.replace(/\/v1$/, endpointPaths[endpoint]), {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body: JSON.stringify({ model, ...body }),
          })
          const { error } = (await reply.json()) as { error: Record<string, unknown> }
          const asked = `${endpoint} ${JSON.stringify({ model, ...body })}: ${JSON.stringify(error)}`
          expect(reply.status, asked).toBe(400)
          expect(Object.keys(error).sort(), asked).toEqual(['code', 'message', 'param', 'type'])
          expect([typeof error.message, error.type, typeof error.code], asked).toEqual([
            'string',
            'invalid_request_error',
            'string',
          ])
          // The network has no path for embeddings, whatever they hold.
          const isPathless = endpoint === 'embeddings' && model === networkId
          expect(names(error.param, isPathless ? 'model' : param), asked).toBe(true)
        }
      expect([await used(), (await earn()).requests.length]).toEqual(before)
      expect(other.asked.filter(({ path }) => path !== '/v1/models')).toEqual([])
      await calls()['gateway.revokeKey']({ id: wide.id })
      await calls()['engines.remove']({ id: engineId })
      await other.close()
    })

    it('a caller that leaves stops the worker, and pays for what was generated', async () => {
      const before = (await key()).today.spent
      // So many that the answer cannot come to its end before the caller's leaving is heard of.
      const most = 1_800
      const stream = await client.chat.completions.create({ model: networkId, messages, max_tokens: most, stream: true })
      let chunks = 0
      for await (const _chunk of stream) if (++chunks === 4) break
      const ended = await state(({ running, recent }) => running === 0 && recent[0]?.status === 499)
      const [last] = ended.recent
      expect(last?.completionTokens).toBeGreaterThan(0)
      expect(last?.completionTokens).toBeLessThan(most)
      const { today } = await key()
      expect(today.spent - before).toBe(last?.cost)
      expect(today).toMatchObject({ unsure: 0n, reserved: 0n })
    })

    it('sends nothing when the worst case would pass the limit', async () => {
      const { id, today, ...terms } = await key()
      const { name, level, models, origins } = terms
      await calls()['gateway.changeKey']({ id, name, level, models, origins, dailyLimit: today.spent + 1n, consent: false })
      const served = (await earn()).requests.length
      await expect(client.chat.completions.create({ model: networkId, messages })).rejects.toMatchObject({
        status: 429,
        code: 'daily_limit_reached',
      })
      // The smallest request there is: a limit of what is told to be put aside for it lets it through, one below that does not.
      const { leastAside = 0n } = (await state()).levels.find((one) => one.level === 'practice') ?? {}
      expect(leastAside).toBeGreaterThan(0n)
      const smallest = { model: networkId, messages: [{ role: 'user' as const, content: '' }], max_tokens: 1 }
      const limited = (more: bigint) =>
        calls()['gateway.changeKey']({ id, name, level, models, origins, dailyLimit: today.spent + more, consent: false })
      await limited(leastAside - 1n)
      await expect(client.chat.completions.create(smallest)).rejects.toMatchObject({ code: 'daily_limit_reached' })
      expect((await earn()).requests.length).toBe(served)
      await limited(leastAside)
      expect((await client.chat.completions.create(smallest)).usage?.completion_tokens).toBe(1)
      await limited(1n)
      // What is free goes on.
      await client.chat.completions.create({ model: localId, messages, max_tokens: 2 })
      await earn(({ requests }) => requests.length === served + 1)
      await calls()['gateway.changeKey']({ id, name, level, models, origins, dailyLimit: limit, consent: false })
    })

    it('answers with another installed model too, which its first request loads', async () => {
      const worker = async () => (await earn()).requests.length
      const served = await worker()
      await calls()['models.addFile']({ path: await tinyGgufFile({ seed: 2 }) })
      const { models } = await state(({ models }) => models.length === 3)
      const otherId = models.find((one) => one !== localId && one !== networkId) ?? expect.unreachable('It is not listed.')
      expect(otherId).toMatch(/^local\/own\//)
      const asked = { messages, max_tokens: 6, temperature: 0 }
      expect(enginePids().length).toBe(1)
      const answers = await Promise.all([otherId, localId].map((model) => client.chat.completions.create({ model, ...asked })))
      expect(answers.map(({ model, usage }) => [model, usage?.completion_tokens])).toEqual([
        [otherId, 6],
        [localId, 6],
      ])
      expect(enginePids().length).toBe(2)
      expect(await worker()).toBe(served)
      const { id, today, ...terms } = await key()
      await calls()['gateway.changeKey']({ id, ...termsOf(terms), models: [localId, networkId] })
      await expect(client.chat.completions.create({ model: otherId, ...asked })).rejects.toMatchObject({ status: 403 })
      await calls()['gateway.changeKey']({ id, ...termsOf(terms) })
    })

    it('is there again after a restart, with the spending of the day, and nothing of it is in any file', async () => {
      const before = await key()
      const engines = enginePids()
      expect(engines.length).toBe(2)
      await core.stop()
      expect(engines.filter(alive)).toEqual([])
      core = await start()
      const again = await state(({ status, models }) => status === 'listening' && models.length === 3)
      expect(again.keys).toEqual([{ ...before, today: before.today }])
      const { choices } = await client.chat.completions.create({ model: localId, messages, max_tokens: 2 })
      expect(choices.length).toBe(1)
      await expect(calls()['gateway.revokeKey']({ id: before.id })).toEqual({})
      await expect(client.models.list()).rejects.toMatchObject({ status: 401 })
      for (const words of ['canary of the local API', secret]) {
        expect(spelledIn(Buffer.from(lines.join('\n')), words)).toEqual([])
        expect(canaryBelow(dataDir, words).found).toEqual([])
      }
    })
  },
  testMs,
)
