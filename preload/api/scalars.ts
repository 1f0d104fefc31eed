import { z } from 'zod'

/** Amount of Toncoin in nanoton. A bigint inside, a decimal string on the link, so that no nano is lost to floating point. */
export const nano = z.codec(z.string().regex(/^-?\d{1,30}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
})

/** Unix time in milliseconds, up to the last that a `Date` knows (ECMAScript, "Time Values and Time Range"). */
export const timeMs = z.number().int().nonnegative().max(8.64e15)

/** A TON address in its user-friendly form, as shown to people. */
export const addressText = z.string().min(1).max(80)

/** Identifier made by the core; the page makes that of a turn alone, so that it may be sent twice. */
export const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

/**
 * By what the page says a sentence of the core in its reader's language: a code and what fills its places. It stands beside the same sentence in
 * English, which is shown for a code that the page does not know. Amounts are nanoton in decimal under names that end in `Nano`.
 */
export const words = z.object({
  code: z.string(),
  values: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
})
export type Words = z.infer<typeof words>
