import { z } from 'zod'
import { privacyLevel } from './chat.ts'
import { id, nano, timeMs, words } from './scalars.ts'

/** Where the local API listens when nothing else was chosen. */
export const usualGatewayPort = 4811

/** An origin of a web page as browsers send it: scheme, host, and port where it is not the usual one. */
export const pageOrigin = z
  .string()
  .max(200)
  .regex(
    /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$|^https?:\/\/\[[0-9a-f:]+\](:\d{1,5})?$/,
    'Not an origin such as https://example.org',
  )

/** Name of a model as `/v1/models` lists it, e.g. `local/SmolLM2-135M-Instruct`. */
const modelName = z.string().trim().min(1).max(300)

/** What the user decides about one program's key. */
export const gatewayKeyTerms = z.strictObject({
  name: z.string().trim().min(1).max(60),
  /** Where its requests go that name no other place, and the widest that they may go. */
  level: privacyLevel,
  /** Null: every model. */
  models: z.array(modelName).max(50).nullable(),
  /** Web pages that may use it. */
  origins: z.array(pageOrigin).max(20),
  /** nanoton that its requests may cost in one day. */
  dailyLimit: nano.pipe(z.bigint().nonnegative().max(1_000_000_000_000_000_000n)),
})
export type GatewayKeyTerms = z.output<typeof gatewayKeyTerms>

/** What a key used in one day. Amounts in nanoton. */
export const gatewayDay = z.object({
  requests: z.number().int().nonnegative(),
  promptTokens: z.number().int().nonnegative(),
  completionTokens: z.number().int().nonnegative(),
  /** Told by the proxy. */
  spent: nano,
  /** Of answers whose cost nobody told: the most that each may have cost. It counts against the limit. */
  unsure: nano,
  /** Held back for requests under way. */
  reserved: nano,
})
export type GatewayDay = z.output<typeof gatewayDay>

export const gatewayKey = gatewayKeyTerms.extend({
  id,
  /** The last letters of the key, to tell keys apart. */
  hint: z.string(),
  createdAtMs: timeMs,
  lastUsedAtMs: timeMs.nullable(),
  /** When the user agreed that its requests leave for a network; null where that was never asked for. */
  consentedAtMs: timeMs.nullable(),
  /** For which level; it holds for narrower ones too. */
  consentedLevel: privacyLevel.nullable(),
  today: gatewayDay,
})
export type GatewayKey = z.output<typeof gatewayKey>

/** One answered or refused request: counts, nothing of its content. */
export const gatewayRequest = z.object({
  id: z.string(),
  atMs: timeMs,
  keyName: z.string(),
  endpoint: z.enum(['chat', 'completions', 'embeddings']),
  /** As `/v1/models` lists it; null where none of that name was found. */
  model: z.string().nullable(),
  level: privacyLevel.nullable(),
  /** HTTP status; 499 when the caller left before the end. */
  status: z.number().int(),
  durationMs: z.number().nonnegative(),
  promptTokens: z.number().int().nonnegative().nullable(),
  completionTokens: z.number().int().nonnegative().nullable(),
  /** Null for what is free, and where nobody told. */
  cost: nano.nullable(),
})
export type GatewayRequest = z.output<typeof gatewayRequest>

export const gatewayState = z.object({
  enabled: z.boolean(),
  port: z.number().int(),
  status: z.enum(['off', 'starting', 'listening', 'failed']),
  error: z.string().optional(),
  errorWords: words.optional(),
  /** For clients: `http://127.0.0.1:<port>/v1`. */
  url: z.string(),
  /** Levels that requests can be answered at on this network, narrowest first, and which of them a key needs an agreement for. */
  levels: z.array(
    z.object({
      level: privacyLevel,
      needsConsent: z.boolean(),
      /** Most that even the smallest request there may cost, in nanoton: a limit of the day below it lets none through. */
      leastAside: nano.optional(),
    }),
  ),
  /** Names of the models that can be asked now. */
  models: z.array(z.string()),
  keys: z.array(gatewayKey),
  running: z.number().int().nonnegative(),
  /** The newest first. */
  recent: z.array(gatewayRequest),
})
export type GatewayState = z.output<typeof gatewayState>

export const gatewayCalls = {
  /** Switches the local API, or moves it to another port. */
  'gateway.set': {
    input: z.strictObject({ enabled: z.boolean().optional(), port: z.number().int().min(1024).max(65_535).optional() }),
    output: z.object({}),
  },
  /** `secret` is told this once. `consent`: the user agreed that requests leave for a network; without it such a level is refused. */
  'gateway.createKey': {
    input: gatewayKeyTerms.extend({ consent: z.boolean() }),
    output: z.object({ id, secret: z.string() }),
  },
  'gateway.changeKey': { input: gatewayKeyTerms.extend({ id, consent: z.boolean() }), output: z.object({}) },
  /** The key opens nothing from now on; its requests under way are ended. */
  'gateway.revokeKey': { input: z.strictObject({ id }), output: z.object({}) },
} as const

export const gatewayStreams = {
  'gateway.state': { input: z.strictObject({}), event: gatewayState },
} as const
