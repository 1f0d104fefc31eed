import { type KeyPair, mnemonicNew, mnemonicToPrivateKey, mnemonicValidate } from '@ton/crypto'
import { Failure } from '../base/failure.ts'

/** 24 words that make a new wallet. They are the wallet: whoever knows them has the money. */
export function newPhrase(): Promise<string[]> {
  return mnemonicNew(24)
}

/**
 * Ed25519 key pair of a 24-word phrase, as every TON wallet derives it (no password).
 * @throws Failure `phrase-invalid` without any of the words in it.
 */
export async function keyPairOfPhrase(words: readonly string[]): Promise<KeyPair> {
  const cleaned = words.map((word) => word.trim().toLowerCase())
  if (cleaned.length !== 24) {
    throw new Failure('phrase-invalid', `A recovery phrase has 24 words; these are ${cleaned.length}.`)
  }
  if (!(await mnemonicValidate(cleaned))) {
    throw new Failure('phrase-invalid', 'These words are no recovery phrase.', {
      advice: 'Check the spelling and the order of the words.',
    })
  }
  return mnemonicToPrivateKey(cleaned)
}
