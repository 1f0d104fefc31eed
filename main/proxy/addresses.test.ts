import { describe, expect, it } from 'vitest'
import { parseOwner } from './addresses.ts'
import { Refusal } from './refusal.ts'

describe('the owner that a peer names', () => {
  const hash = '11'.repeat(32)

  it('may live in both workchains', () => {
    expect(parseOwner(`0:${hash}`).workChain).toBe(0)
    expect(parseOwner(`-1:${hash}`).workChain).toBe(-1)
  })

  it.each([`1:${hash}`, `-2:${hash}`, 'nobody'])('cannot be %s: what is paid there comes back', (text) => {
    expect(() => parseOwner(text)).toThrow(Refusal)
  })
})
