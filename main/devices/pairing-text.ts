import { deviceFailure } from './device-failure.ts'
import { parseAddress, withPort } from './lan-addresses.ts'
import { parseWords } from './six-words.ts'

const scheme = 'cocoon-pair:1?'

/** Addresses and words in one text, for a QR code: `cocoon-pair:1?w=six-words…&a=192.168.1.5:4812,…`. */
export function pairingText(words: string, addresses: readonly string[]): string {
  return `${scheme}w=${words.replaceAll(' ', '-')}&a=${addresses.join(',')}`
}

/**
 * What a person typed or pasted: an address and words, or the text of a QR code in the place of the address.
 * @throws Failure `pairing-address`, `pairing-words`
 */
export function parsePairing(address: string, words: string): { addresses: string[]; words: string } {
  const text = address.trim()
  const fields = text.startsWith(scheme) ? new URLSearchParams(text.slice(scheme.length)) : undefined
  const addresses = (fields?.get('a')?.split(',') ?? [text]).slice(0, 8).map((one) => {
    const parsed = parseAddress(one)
    if (!parsed) throw deviceFailure('pairing-address')
    return withPort(parsed.host, parsed.port)
  })
  const known = parseWords(fields?.get('w') ?? words)
  if (known === null) throw deviceFailure('pairing-words')
  return { addresses, words: known }
}
