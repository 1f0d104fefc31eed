import { describe, expect, it } from 'vitest'
import { type Counters, fundsOf } from './budget.ts'
import { remoteFailure } from './query-failure.ts'

const ton = 1_000_000_000n
const price = 200_000n
const counters = (change: Partial<Counters> = {}): Counters => ({
  chain: { balance: 5n * ton, stake: 5n * ton, tokensUsed: 0n },
  signedTokens: 0n,
  committedTokens: 0n,
  maxTokens: 0n,
  ...change,
})

describe('what may be reserved', () => {
  it('is bound by the stake, also with much more on the balance', () => {
    const rich = counters({ chain: { balance: 100n * ton, stake: 5n * ton, tokensUsed: 7n }, maxTokens: 10_007n })
    expect(fundsOf(rich, price, 0n)).toEqual({ free: 3n * ton, most: 5n * ton, boundBy: 'stake' })
    expect(fundsOf(rich, price, 5_000n)).toMatchObject({ free: 2n * ton })
    expect(fundsOf(rich, price, 50_000n)).toMatchObject({ free: 0n })
  })

  it('is bound by the balance where that is less, and by nothing where nothing is paid', () => {
    const poor = counters({ chain: { balance: 2n * ton, stake: 5n * ton, tokensUsed: 7n }, maxTokens: 5_007n })
    expect(fundsOf(poor, price, 0n)).toEqual({ free: 1n * ton, most: 5n * ton, boundBy: 'balance' })
    expect(fundsOf(poor, 0n, 0n)).toBeUndefined()
    expect(fundsOf(counters({ chain: undefined }), price, 0n)).toBeUndefined()
  })
})

describe('a refusal for want of money', () => {
  const refusal = (needed: bigint, counted: Counters) =>
    remoteFailure(651, 'balance is too low', { needed, funds: fundsOf(counted, price, 0n) })

  it('says what was needed, what there is, and that nothing was paid', () => {
    const low = refusal(4n * ton, counters({ chain: { balance: 3n * ton, stake: 5n * ton, tokensUsed: 0n } }))
    expect(low).toMatchObject({ code: 'balance-too-low', money: 'You paid nothing.', retryable: true })
    expect(`${low.message} ${low.advice}`).toBe(
      'The proxy has to reserve 4\u00a0TON for this question, and 3\u00a0TON are free now. 1\u00a0TON more on the chat balance would do. Or shorten the text.',
    )
    expect(low.words).toEqual({
      code: 'balance-too-low',
      values: { bound: 'balance', neededNano: '4000000000', freeNano: '3000000000', missingNano: '1000000000' },
    })
  })

  it('tells a credit that frees itself from a text that never fits', () => {
    const used = refusal(
      4n * ton,
      counters({ maxTokens: 10_000n, chain: { balance: 50n * ton, stake: 5n * ton, tokensUsed: 0n } }),
    )
    expect(used).toMatchObject({ code: 'balance-too-low', retryable: true })
    expect(used.advice).toContain('charged on chain now')
    const huge = refusal(6n * ton, counters())
    expect(huge).toMatchObject({ code: 'above-credit', retryable: false, money: 'You paid nothing.' })
    expect(huge.message).toContain('6\u00a0TON')
    expect(huge.message).toContain('5\u00a0TON')
    expect(`${huge.message} ${huge.advice}`).not.toContain('Top up')
  })

  it('names no figures that do not explain it', () => {
    for (const failure of [refusal(1n * ton, counters()), remoteFailure(602, 'client balance is too low: max_tokens=5')])
      expect(failure).toMatchObject({ code: 'balance-too-low', words: { values: { bound: 'unknown' } } })
  })
})
