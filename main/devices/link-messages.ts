import { z } from 'zod'
import { deviceAddress, deviceName } from './pairing-messages.ts'

/** The longest frame of the link: a conversation as long as a large context, as JSON. */
export const mostLinkBytes = 2 * 1024 * 1024

/** The most messages of one question. */
export const mostMessages = 2_000
/** The most that a guest may ask an answer to be long. */
export const mostAskedTokens = 65_536

const count = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 40)
const chatMessage = z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })

/** Sampling that a guest may ask for. Its bounds are the host's protection; the engine checks what they mean. */
const askedOptions = z.strictObject({
  maxTokens: z.number().int().positive().max(mostAskedTokens).optional(),
  temperature: z.number().min(0).max(10).optional(),
  topP: z.number().min(0).max(1).optional(),
  seed: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  stop: z.array(z.string().min(1).max(200)).max(8).optional(),
})

/** What the host can do right now. */
export const hostState = z.strictObject({
  engine: z.enum(['ready', 'starting', 'unavailable']),
  /** The loaded model; absent without one. */
  model: z
    .strictObject({ name: z.string().max(200), sha256: z.string().regex(/^[0-9a-f]{64}$/), contextTokens: count })
    .optional(),
  /** Every model that the host holds ready on its disk. */
  models: z.array(z.strictObject({ name: z.string().max(200), loaded: z.boolean() })).max(200),
})
export type HostState = z.infer<typeof hostState>

/** Link, host to guest. The first is `welcome` or `refused`. */
export const fromHost = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('welcome'), name: deviceName, addresses: z.array(deviceAddress).max(8) }),
  z.strictObject({ t: z.literal('refused'), code: z.string().max(40) }),
  z.strictObject({ t: z.literal('state'), state: hostState }),
  /** Nothing new; the host is there. */
  z.strictObject({ t: z.literal('alive') }),
  /** `tokens`: sampled since the last one. */
  z.strictObject({ t: z.literal('text'), text: z.string(), tokens: count }),
  z.strictObject({
    t: z.literal('done'),
    reason: z.enum(['stop', 'length', 'cancelled']),
    usage: z.strictObject({ promptTokens: count, cachedTokens: count, completionTokens: count, reasoningTokens: count }),
  }),
  /** The engine's failure by its code; its sentences stay with the host. */
  z.strictObject({ t: z.literal('failed'), code: z.string().max(40) }),
])
export type FromHost = z.infer<typeof fromHost>

/** Link, guest to host: what the connection is for, and then nothing but `alive`. */
export const fromGuest = z.discriminatedUnion('t', [
  /** The host's state, and each change of it, until the connection ends. */
  z.strictObject({ t: z.literal('watch') }),
  /** One question; the connection ends with its answer, and the answer with the connection. */
  z.strictObject({ t: z.literal('ask'), messages: z.array(chatMessage).min(1).max(mostMessages), options: askedOptions }),
  z.strictObject({ t: z.literal('alive') }),
])
export type FromGuest = z.infer<typeof fromGuest>
export type AskedOptions = z.infer<typeof askedOptions>
