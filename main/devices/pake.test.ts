import { describe, expect, it } from 'vitest'
import { answerHello, beginHello, type Parties } from './pake.ts'
import { randomWords } from './six-words.ts'

const bytes = (value: number): Uint8Array => new Uint8Array(32).fill(value)
const parties: Parties = { hostKey: bytes(1), guestKey: bytes(2), binding: bytes(3) }

/** The whole exchange; who it failed for, or nobody. */
async function exchange(
  host: Parties,
  guest: Parties,
  hostWords: string,
  guestWords = hostWords,
): Promise<'guest' | 'host' | 'nobody'> {
  const { hello, proofFor } = await beginHello(guestWords, guest)
  const { answer, check } = await answerHello(hello, hostWords, host)
  let proof: string
  try {
    proof = proofFor(answer)
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'pairing-not-proven' })
    return 'guest'
  }
  try {
    check(proof)
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'pairing-not-proven' })
    return 'host'
  }
  return 'nobody'
}

describe('the proof of the words', () => {
  it('passes for the same words between the same parties', async () => {
    expect(await exchange(parties, parties, randomWords())).toBe('nobody')
  })

  it('fails for other words, and the guest sees it first', async () => {
    expect(await exchange(parties, parties, randomWords(), randomWords())).toBe('guest')
  })

  it.each(['hostKey', 'guestKey', 'binding'] as const)('fails when the two sides see another %s', async (part) => {
    const other = Uint8Array.from(parties[part])
    other[31] = (other[31] ?? 0) ^ 1
    expect(await exchange(parties, { ...parties, [part]: other }, randomWords())).toBe('guest')
  })

  it('fails for a proof that was changed, and for one of another exchange', async () => {
    const words = randomWords()
    const first = await beginHello(words, parties)
    const answered = await answerHello(first.hello, words, parties)
    const proof = first.proofFor(answered.answer)
    const changed = `${proof[0] === 'A' ? 'B' : 'A'}${proof.slice(1)}`
    expect(() => answered.check(changed)).toThrow(expect.objectContaining({ code: 'pairing-not-proven' }))
    const again = await answerHello(first.hello, words, parties)
    expect(() => again.check(proof)).toThrow(expect.objectContaining({ code: 'pairing-not-proven' }))
    expect(() => first.proofFor(again.answer)).not.toThrow()
    answered.check(proof)
  })

  it.each(['', 'AAAA', 'not base64!', 'A'.repeat(128)])('takes nothing that is no message: %s', async (text) => {
    await expect(answerHello(text, randomWords(), parties)).rejects.toMatchObject({ code: 'pairing-not-proven' })
  })
})
