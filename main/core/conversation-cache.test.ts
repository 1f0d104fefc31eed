import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readChatCompletion } from '../client/chat-completion.ts'
import type { ChatRequest } from '../client/client.ts'
import { tinyEngine } from '../gateway/testing/gateway-stage.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { PaidNetwork } from './testing/paid-network.ts'

const model = 'Qwen/Qwen3-8B'
const words = 'there will be many words in this one so that a cache would show '.repeat(6)

describe('a conversation over the network', () => {
  let engine: LocalEngine
  let net: PaidNetwork
  beforeAll(async () => {
    engine = await tinyEngine()
    net = await PaidNetwork.start(createEngineBackend({ engine, model }))
    await net.openAccount(toNano('5'))
    await net.workerReady()
  })
  afterAll(async () => {
    await net.stop()
    await engine.dispose()
  })

  let asked = 0
  /** What a question cost that begins as all others do. */
  async function ask(how: Partial<ChatRequest>) {
    const messages = [{ role: 'user', content: `${words} ${++asked}` }]
    const body = JSON.stringify({ model, messages, max_tokens: 1, stream: true })
    const handle = net.client.runChat({ model, body, seal: 'required', ...how }, AbortSignal.timeout(60_000))
    let cached = Number.NaN
    let prompt = Number.NaN
    for await (const event of readChatCompletion(handle.body))
      if (event.type === 'usage') ({ cachedTokens: cached, promptTokens: prompt } = event)
    const { tokens, stopped } = await handle.end
    expect(stopped).toBeUndefined()
    return { cached, prompt, paid: tokens }
  }

  it('is read on where it ended, for the price of cached tokens, and by nobody else', async () => {
    const first = await ask({ conversation: 'one' })
    expect(first.cached).toBeLessThan(20)
    const second = await ask({ conversation: 'one' })
    expect(second.cached).toBeGreaterThan(first.prompt - 30)
    const { multipliers } = net.network.config.params
    expect(second.paid?.cached).toBe((BigInt(second.cached) * BigInt(multipliers.cached)) / 10_000n)
    expect(second.paid?.prompt).toBeLessThan(30n)
    expect((await ask({ conversation: 'another' })).cached).toBeLessThan(20)
    expect((await ask({})).cached).toBeLessThan(20)
    // Readable on its way: the one who carries it could ask again as the same.
    expect((await ask({ conversation: 'one', seal: 'none' })).cached).toBeLessThan(20)
  })

  it('is another one for the next client, whatever it is called', async () => {
    await ask({ conversation: 'one' })
    const former = net.client
    await former.stop()
    net.client = net.newClient()
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
    expect((await ask({ conversation: 'one' })).cached).toBeLessThan(20)
  })
})
