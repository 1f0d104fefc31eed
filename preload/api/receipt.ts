import { z } from 'zod'
import { timeMs } from './scalars.ts'
import { receiptSeal } from './seal.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
/** A whole number in decimal: adjusted tokens, or nanoton. */
const whole = z.string().regex(/^(0|[1-9]\d{0,24})$/)
const number = z.int().nonnegative()
const address = z.string().min(1).max(80)

const machine = {
  imageHash: hash,
  /** When the quote was verified, and with which of Intel's statements: main/protocol/attestation/collateral.ts. */
  verifiedAtMs: timeMs,
  collateral: z.strictObject({ digest: hash, expiresAtMs: timeMs }),
}

/** What was attested about proxy and worker of an answer; the worker's quote is in the key that the question was sealed to. */
const receiptAttestation = z.union([
  z.literal('none'),
  z.strictObject({
    kind: z.literal('tdx'),
    proxy: z.strictObject({ ...machine, tlsKey: hash, quote: z.base64().max(64 * 1024) }),
    worker: z.strictObject(machine),
    /** The network contract as it listed both images. */
    listed: z.strictObject({
      readAtMs: timeMs,
      endpoints: z.array(z.string().max(400)).max(8),
      block: number.optional(),
      blockTimeMs: timeMs.optional(),
    }),
  }),
])
export type ReceiptAttestation = z.infer<typeof receiptAttestation>

/**
 * Receipt of one network answer. The proxy signs totals of adjusted tokens since the client contract began, not answers: the hashes of question and
 * answer are this computer's own word.
 */
export const receipt = z.strictObject({
  kind: z.literal('cocoon-receipt'),
  version: z.literal(1),
  requestId: hash,
  /** Of the request as JSON before any encryption, and of the answer's body as it was read. */
  requestSha256: hash,
  responseSha256: hash,
  model: z.string().max(400),
  answeredAtMs: timeMs,
  /** Adjusted tokens by the proxy's final word. */
  tokens: z.strictObject({ prompt: whole, cached: whole, completion: whole, reasoning: whole, total: whole }),
  /** nanoton per adjusted token, and what the answer cost. */
  pricePerToken: whole,
  cost: whole,
  /** Adjusted tokens of the contract up to and with this answer, as the proxy told right after it. */
  totalAfter: whole,
  contract: z.strictObject({
    address,
    owner: address,
    proxy: address,
    /** Ed25519, hex: the key that the contract takes charges from. */
    proxyKey: hash,
    /** Terms of the contract with its code, as a BoC in base64: with the three above they decide the address. */
    params: z.base64().max(200_000),
  }),
  /** The newest signed payment when the receipt was saved; null while the proxy had signed none. */
  signed: z.strictObject({ tokens: whole, boc: z.base64().max(8_000) }).nullable(),
  /** How the question left, and what the bill was held against. Absent in receipts of before. */
  seal: receiptSeal.optional(),
  /** What was attested about the machine that answered. */
  attestation: receiptAttestation,
  chain: z.strictObject({
    network: z.enum(['local', 'testnet', 'mainnet']),
    root: address,
    rootVersion: number,
    readAtMs: timeMs,
    endpoint: z.string().max(400).optional(),
    block: number.optional(),
  }),
  /** SHA-256 of all other fields: finds a slip, not a forger. */
  digest: hash,
})
export type Receipt = z.infer<typeof receipt>

/** Receipts that one answer may have of answers that stood in its place before; older ones are let go. */
export const mostEarlierReceipts = 20

/** Receipts of all answers to one question, the oldest first. */
export const receipts = z.strictObject({
  kind: z.literal('cocoon-receipts'),
  version: z.literal(1),
  receipts: z
    .array(receipt)
    .min(1)
    .max(mostEarlierReceipts + 1),
})
