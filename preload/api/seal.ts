import { z } from 'zod'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const hex = z
  .string()
  .regex(/^([0-9a-f]{2})+$/)
  .max(65_536)
/** A whole number in decimal: adjusted tokens. */
const whole = z.string().regex(/^(0|[1-9]\d{0,24})$/)
const count = z.int().nonnegative()
const rawAddress = z.string().regex(/^(0|-1):[0-9a-f]{64}$/)

/** Why a question left readable for every proxy and worker on its way; `not-sent`: it did not leave. */
export const unsealedReason = z.enum(['not-wanted', 'proxy-without', 'no-keys', 'not-sent'])

/** How a bill does not fit to what came (docs/protocol-extensions.md, "The bill"). */
export const usageDeviation = z.enum([
  'stated-above-worker',
  'adjusted-wrongly',
  'coefficient-above-limit',
  'completion-beyond-tolerance',
  'prompt-beyond-tolerance',
])
export type UsageDeviation = z.infer<typeof usageDeviation>

/** Three numbers of one bill, and what they were held against. */
export const usageEvidence = z.strictObject({
  /** What the question allowed: its bytes before it was sealed, and the highest price factor in thousandths. */
  asked: z.strictObject({ queryBytes: count, maxCoefficient: count }),
  /** Adjusted tokens that the proxy stated. */
  statedTokens: whole,
  /** What the worker stated inside the seal. */
  worker: z
    .strictObject({
      promptTokens: count,
      cachedTokens: count,
      completionTokens: count,
      reasoningTokens: count,
      /** Thousandths. */
      coefficient: count,
      adjustedTokens: whole,
    })
    .nullable(),
  /** By the text of the answer. */
  recount: z.strictObject({
    textEvents: count,
    textBytes: count,
    brokenTokens: count,
    expectedTokens: count,
    toleratedTokens: count,
    billedTokens: count.nullable(),
  }),
  deviations: z.array(usageDeviation).max(10),
})

export const sealedWorker = z.strictObject({
  keyId: hash,
  owner: rawAddress,
  ownerProof: z.enum(['w5', 'cocoon-wallet']),
  model: z.string().max(512),
  createdAtMs: count,
  expiresAtMs: count,
  attestation: z.union([
    z.strictObject({ kind: z.enum(['none', 'not-checked']) }),
    z.strictObject({ kind: z.enum(['fake_tdx', 'tdx']), imageHash: hash }),
  ]),
  /** What the worker's owner signed. */
  signedKey: hex,
})

const answerSeal = z.strictObject({
  state: z.enum(['pending', 'whole', 'refused', 'unread', 'broken']),
  reason: z.enum(['not-sealed', 'altered', 'truncated', 'after-end', 'malformed']).optional(),
})

/** How the question of a receipt left, and what became of its seal: main/protocol/sealed/outcome.ts has the words for each field. */
export const receiptSeal = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('none'), reason: unsealedReason }),
  z.strictObject({
    scheme: z.literal('direct'),
    worker: sealedWorker,
    requestBytes: count,
    answer: answerSeal,
    usage: usageEvidence.nullable(),
  }),
  z.strictObject({ scheme: z.literal('v1'), receiverKey: hash, answer: answerSeal, usage: usageEvidence.nullable() }),
])
export type ReceiptSeal = z.infer<typeof receiptSeal>

/** The same for a turn of a chat: what a person reads beside an answer. The evidence is in its receipt. */
export const turnSeal = z.discriminatedUnion('scheme', [
  z.object({ scheme: z.literal('none'), reason: unsealedReason }),
  z.object({
    scheme: z.literal('direct'),
    keyId: hash,
    /** Receives the worker's pay; who that is was not checked. */
    owner: rawAddress,
    attestation: z.enum(['none', 'not-checked', 'fake_tdx', 'tdx']),
    deviations: z.array(usageDeviation).max(10),
    /** Adjusted tokens by the proxy and by the worker, and real answer tokens by the worker and as this computer tolerates them; absent before the end. */
    bill: z
      .object({ statedTokens: whole, workerTokens: whole, answerTokens: count, expectedTokens: count, toleratedTokens: count })
      .optional(),
  }),
  z.object({ scheme: z.literal('v1'), receiverKey: hash, deviations: z.array(usageDeviation).max(10) }),
])
export type TurnSeal = z.infer<typeof turnSeal>
