import { expect, it } from 'vitest'
import { encode } from '../protocol/tl/codec.ts'
import type { Reply } from './query-reply.ts'
import { serveQuery } from './serve-query.ts'
import { ScriptedBackend } from './testing/scripted-backend.ts'

const scope = 'ab'.repeat(32)
const sealed = { bodyLimit: undefined, choices: 1 }

/** What the engine is told when a request comes with this header. */
async function toldFor(given: string, sealedLimits?: typeof sealed): Promise<string | undefined> {
  const backend = new ScriptedBackend()
  const reply: Reply = {
    answer: async () => undefined,
    part: async () => undefined,
    error: async () => expect.unreachable('refused'),
  }
  const query = encode({
    '@type': 'http.request',
    method: 'POST',
    url: '/v1/chat/completions',
    http_version: 'HTTP/1.1',
    headers: [{ '@type': 'http.header', name: 'x-cocoon-cache-scope', value: given }],
    payload: Buffer.from(JSON.stringify({ model: backend.model, messages: [{ role: 'user', content: 'hi' }] })),
  })
  const multipliers = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
  const outcome = await serveQuery(
    { query, timeoutMs: 60_000, revision: 'newest', ...(sealedLimits && { sealedLimits }) },
    reply,
    {
      backend,
      tariff: { coefficient: 1000, multipliers, pricePerToken: 1n },
      cancelled: new AbortController().signal,
      lost: new AbortController().signal,
      now: Date.now,
    },
  )
  expect(outcome.result).toBe('answered')
  const [request, ...more] = backend.requests
  expect(more).toEqual([])
  expect(request?.headers).toEqual([])
  return request?.cacheScope
}

it('keeps what a sealed request names as its own, under a name that no scope of this computer has', async () => {
  expect(await toldFor(scope, sealed)).toBe(`conversation ${scope}`)
})

it('keeps nothing of a readable request, whatever it names', async () => {
  expect(await toldFor(scope)).toBeUndefined()
})

it.each(['own', 'key 1', '', 'ab'.repeat(31), `${scope}ab`, scope.toUpperCase()])(
  'keeps nothing for a name that could be guessed: %j',
  async (weak) => {
    expect(await toldFor(weak, sealed)).toBeUndefined()
  },
)
