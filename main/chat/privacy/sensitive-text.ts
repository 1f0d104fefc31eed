import { mnemonicWordList } from '@ton/crypto'
import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import { Failure } from '../../base/failure.ts'

export type SecretKind = 'phrase' | 'key' | 'card'

/** Shortest recovery phrase in use (BIP 39). */
const leastPhraseWords = 12
const phraseWords: ReadonlySet<string> = new Set(mnemonicWordList)

/**
 * What a text looks like it holds; null when nothing is found. It helps against a slip, not against intent: a secret that is written otherwise is not
 * found. Phrases are found by their words (BIP 39, English, as TON's), keys by their form, card numbers by the digits' own check (ISO/IEC 7812).
 */
export function secretIn(text: string): SecretKind | null {
  if (hasKey(text)) return 'key'
  if (hasPhrase(text)) return 'phrase'
  return hasCard(text) ? 'card' : null
}

/**
 * Holds a message for the Open network or another program that looks like it holds a secret.
 * @param texts everything that would be read there for the first time
 * @throws Failure `looks-secret` with the kind in its words
 */
export function holdSecrets(level: PrivacyLevel, texts: readonly string[]): void {
  if (level !== 'open' && level !== 'external') return
  for (const text of texts) {
    const kind = secretIn(text)
    if (kind !== null)
      throw new Failure('looks-secret', `${sentences[kind]} Nothing was sent.`, {
        words: { code: 'looks-secret', values: { kind } },
      })
  }
}

const sentences: Record<SecretKind, string> = {
  phrase: 'This looks like a recovery phrase.',
  key: 'This looks like a private key.',
  card: 'This looks like a card number.',
}

/** Words of the list one after the other, numbered or not, with nothing else between. */
function hasPhrase(text: string): boolean {
  let run = 0
  for (const [token] of text.toLowerCase().matchAll(/\p{L}+|[^\s\p{L}\d.,:;)(\]["'`*|/\\-]/gu)) {
    run = phraseWords.has(token) ? run + 1 : 0
    if (run >= leastPhraseWords) return true
  }
  return false
}

const keyForms: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // 32 or 64 bytes in hex, alone.
  /(?<![0-9a-zA-Z])(?:0x)?(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})(?![0-9a-zA-Z])/,
  // Extended keys and wallet import format in base 58.
  /(?<![0-9a-zA-Z])[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100,112}(?![0-9a-zA-Z])/,
  /(?<![0-9a-zA-Z])[5KL][1-9A-HJ-NP-Za-km-z]{50,51}(?![0-9a-zA-Z])/,
  /(?<![0-9a-zA-Z])AGE-SECRET-KEY-1[0-9A-Z]{58}(?![0-9a-zA-Z])/,
]

const hasKey = (text: string): boolean => keyForms.some((form) => form.test(text))

function hasCard(text: string): boolean {
  for (const [found] of text.matchAll(/(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)/g)) {
    const digits = found.replaceAll(/\D/g, '')
    if (/^[2-6]/.test(digits) && new Set(digits).size > 1 && isLuhn(digits)) return true
  }
  return false
}

function isLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 1 : 2)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}
