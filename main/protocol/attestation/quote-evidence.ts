import { z } from 'zod'
import { AttestationError } from './attestation-error.ts'
import { collateralJson, collateralSchema } from './collateral-json.ts'
import type { TrustedRoots } from './intel-chain.ts'
import { type VerifiedQuote, verifyQuote } from './verify-quote.ts'

/** Enough for a third party to verify a quote once more, as of the time when it was verified here. Nothing in it is secret. */
const schema = z.strictObject({
  kind: z.literal('tdx-quote'),
  version: z.literal(1),
  quote: z.base64().max(64 * 1024),
  collateral: collateralSchema,
  /** Unix ms. */
  verifiedAtMs: z.int().min(0).max(8.64e15),
})

export type QuoteEvidence = z.input<typeof schema>

export function quoteEvidence({ evidence, verifiedAtMs }: VerifiedQuote): QuoteEvidence {
  return {
    kind: 'tdx-quote',
    version: 1,
    quote: Buffer.from(evidence.quote).toString('base64'),
    collateral: collateralJson(evidence.collateral),
    verifiedAtMs,
  }
}

/**
 * Verifies what `quoteEvidence` wrote, as of the time that it names. Who says so is not proven by it: only that such a quote was good then.
 * @param json from anywhere
 * @param roots trusted root keys
 * @throws AttestationError
 */
export function verifyQuoteEvidence(json: unknown, roots: TrustedRoots): VerifiedQuote {
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new AttestationError('quote-malformed', 'This is no evidence of a quote', { cause: parsed.error })
  const { quote, collateral, verifiedAtMs } = parsed.data
  return verifyQuote(new Uint8Array(Buffer.from(quote, 'base64')), collateral, verifiedAtMs, roots)
}
