import { mnemonicWordList } from '@ton/crypto'
import { describe, expect, it } from 'vitest'
import { fingerprintOf, parseWords, randomWords } from './six-words.ts'

describe('six words', () => {
  it('are of a list of 2048 whose words differ in their first four letters', () => {
    expect(mnemonicWordList).toHaveLength(2048)
    expect(new Set(mnemonicWordList.map((word) => word.slice(0, 4))).size).toBe(2048)
  })

  it('are random, and read back however they are typed', () => {
    const all = new Set(Array.from({ length: 200 }, () => randomWords()))
    expect(all.size).toBe(200)
    for (const words of all) {
      expect(words.split(' ')).toHaveLength(6)
      expect(parseWords(words)).toBe(words)
      expect(parseWords(`  ${words.toUpperCase().replaceAll(' ', ', ')}. `)).toBe(words)
      expect(parseWords(words.replaceAll(' ', '-'))).toBe(words)
      expect(
        parseWords(
          words
            .split(' ')
            .map((word) => word.slice(0, 4))
            .join(' '),
        ),
      ).toBe(words)
    }
  })

  it.each([
    ['five', 'abandon ability able about above'],
    ['seven', 'abandon ability able about above absent absorb'],
    ['a word that is not on the list', 'abandon ability able about above cocoon'],
    ['a word that goes on otherwise', 'abandonx ability able about above absent'],
    ['three letters of a longer word', 'aba ability able about above absent'],
    ['nothing', ''],
  ])('are refused: %s', (_, text) => {
    expect(parseWords(text)).toBeNull()
  })
})

describe('a fingerprint', () => {
  it('is the first 66 bits of a hash, and another one for each bit of the key', () => {
    const key = new Uint8Array(32).fill(1)
    // Computed apart from this code: sha256sum, and the words by hand from the list.
    expect(fingerprintOf(key)).toBe('phone thing half nature strike sick')
    const all = new Set([fingerprintOf(key)])
    for (let bit = 0; bit < 256; bit++) {
      const other = Uint8Array.from(key)
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      all.add(fingerprintOf(other))
    }
    expect(all.size).toBe(257)
  })
})
