import { createHash } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { measurementBytes, reportDataBytes, type TdxMeasurements } from './image-hash.ts'

/** The fake quote of a key: its report data alone, SHA-512 of the 32-byte public key (10 §10). It proves nothing; for tests. */
export function fakeQuote(publicKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(publicKey).digest())
}

/** All measurements are zero. @throws AttestationError `quote-malformed` */
export function readFakeQuote(quote: Uint8Array): TdxMeasurements {
  if (quote.length !== reportDataBytes)
    throw new AttestationError('quote-malformed', `A fake quote has 64 bytes, not ${quote.length}`)
  const zero = new Uint8Array(measurementBytes)
  return { mrTd: zero, mrConfigId: zero, mrOwner: zero, mrOwnerConfig: zero, rtmrs: [zero, zero, zero, zero], reportData: quote }
}
