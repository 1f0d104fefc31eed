import { describe, expect, it } from 'vitest'
import { bounded, mostAnswerBytes } from './answer-bound.ts'

describe('an answer over the network', () => {
  it('is read as far as its limit explains, and then given up', async () => {
    let isReleased = false
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(1000)
      } finally {
        isReleased = true
      }
    }
    let read = 0
    await expect(async () => {
      for await (const part of bounded(endless(), 4500)) read += part.length
    }).rejects.toMatchObject({ code: 'answer-too-large' })
    expect([read, isReleased]).toEqual([4000, true])
  })

  it('passes whole within it', async () => {
    const parts = [Uint8Array.of(1), Uint8Array.of(2, 3)]
    async function* whole(): AsyncGenerator<Uint8Array> {
      yield* parts
    }
    const got: Uint8Array[] = []
    for await (const part of bounded(whole(), 3)) got.push(part)
    expect(got).toEqual(parts)
  })

  it('has room for every token with its alternatives', () => {
    const alternative = { token: '\u0000'.repeat(20), logprob: -12.345678901234567, bytes: new Array(20).fill(255) }
    const event = (top: number) =>
      `data: ${JSON.stringify({ id: `chatcmpl-${'x'.repeat(40)}`, object: 'chat.completion.chunk', created: 1_790_000_000, model: 'm'.repeat(200), choices: [{ index: 0, delta: { content: alternative.token }, logprobs: { content: [{ ...alternative, top_logprobs: new Array(top).fill(alternative) }] }, finish_reason: null }] })}\n\n`
    for (const top of [0, 20]) expect(event(top).length * 512).toBeLessThan(mostAnswerBytes(512, top))
  })
})
