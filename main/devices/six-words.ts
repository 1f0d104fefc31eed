import { createHash, randomInt } from 'node:crypto'
import { mnemonicWordList } from '@ton/crypto'

/** Six words of a list of 2048: 66 bits. The list is the English one of BIP 39, whose words differ in their first four letters. */
const count = 6
const bitsPerWord = 11
/** Letters by which each word of the list is known. */
const enough = 4

const byBeginning = new Map(mnemonicWordList.map((word) => [word.slice(0, enough), word]))

/** Six random words, 66 bits, with single spaces: the secret of one pairing. */
export function randomWords(): string {
  return Array.from({ length: count }, () => wordAt(randomInt(mnemonicWordList.length))).join(' ')
}

/**
 * What a person typed, as `randomWords` writes it; null if these are not six words of the list. Capitals, commas, hyphens and what follows the
 * fourth letter of a word do not matter as long as the word begins as typed.
 */
export function parseWords(text: string): string | null {
  const typed = text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean)
  const words = typed.map((word) => {
    const known = byBeginning.get(word.slice(0, enough))
    return known?.startsWith(word) ? known : undefined
  })
  return words.length === count && words.every((word) => word !== undefined) ? words.join(' ') : null
}

/**
 * A device's key for people to compare: the first 66 bits of SHA-256 over a fixed prefix and the key, as six words (docs/device-link.md).
 * @param publicKey 32 bytes, Ed25519
 */
export function fingerprintOf(publicKey: Uint8Array): string {
  const digest = createHash('sha256').update('cocoon-desktop device key\0').update(publicKey).digest()
  let bits = digest.readBigUInt64BE(0) * 256n + BigInt(digest[8] ?? 0)
  bits >>= BigInt(72 - count * bitsPerWord)
  const words: string[] = []
  for (let place = 0; place < count; place++) {
    words.unshift(wordAt(Number(bits & 2047n)))
    bits >>= BigInt(bitsPerWord)
  }
  return words.join(' ')
}

function wordAt(index: number): string {
  const word = mnemonicWordList[index]
  if (word === undefined) throw new RangeError(`The list has no word ${index}.`)
  return word
}
