import { describe, expect, it } from 'vitest'
import { keyPairOfPhrase, newPhrase } from './phrase.ts'
import { w5Address } from './w5-wallet.ts'

describe('a recovery phrase', () => {
  it('gives the same wallet each time, however it was typed, and another one for other words', async () => {
    const words = await newPhrase()
    expect(words).toHaveLength(24)
    const key = await keyPairOfPhrase(words)
    const again = await keyPairOfPhrase(words.map((word) => ` ${word.toUpperCase()} `))
    expect(again.publicKey).toEqual(key.publicKey)
    const other = await keyPairOfPhrase(await newPhrase())
    expect(w5Address(other.publicKey, 'mainnet').equals(w5Address(key.publicKey, 'mainnet'))).toBe(false)
  })

  it('is refused without being repeated in the message', async () => {
    const words = [...Array(23).fill('abandon'), 'secretword']
    for (const wrong of [words, words.slice(1), []]) {
      const failure: unknown = await keyPairOfPhrase(wrong).catch((thrown: unknown) => thrown)
      expect(failure).toMatchObject({ code: 'phrase-invalid' })
      expect(String(failure)).not.toMatch(/abandon|secretword/)
    }
  })
})
