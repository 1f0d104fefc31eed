import { z } from 'zod'
import { id, timeMs, words } from './scalars.ts'

/** Stands in the names of its models in the local API, `external/<name>/<model>`, so it holds no slash. */
export const engineName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,29}$/, 'Up to 30 letters, digits, dots, dashes')

/** As it can stand in an HTTP header. */
export const engineKey = z.string().regex(/^[\x21-\x7e]{1,500}$/, 'Letters, digits and signs without spaces')

export const mostEngines = 20

/** An engine that another program runs: any server that speaks OpenAI's API. */
export const externalEngine = z.object({
  id,
  name: engineName,
  /** Without the `/v1` at its end. */
  url: z.string(),
  /** Host and port. */
  host: z.string(),
  /** At this computer's own address; what its program does with what it reads is another matter. */
  isLoopback: z.boolean(),
  isEncrypted: z.boolean(),
  hasKey: z.boolean(),
  addedAtMs: timeMs,
  status: z.enum(['connecting', 'ready', 'failed']),
  problem: z.string().optional(),
  problemWords: words.optional(),
  /** Names of its models. */
  models: z.array(z.string()),
})
export type ExternalEngine = z.output<typeof externalEngine>

/** Most requests that an engine of another program is given at once. */
export const mostAtOnce = 64

/** What the worker serves with in place of this app's engine, and how many requests at once. */
export const serving = z.object({ id, model: z.string().min(1).max(300), atOnce: z.number().int().min(1).max(mostAtOnce) })
export type Serving = z.output<typeof serving>

export const enginesState = z.object({
  engines: z.array(externalEngine),
  /** What chats at the level "Another program" are answered by. */
  chosen: z.object({ id, model: z.string() }).nullable(),
  /** Null: this app's engine serves. */
  serving: serving.nullable(),
})
export type EnginesState = z.output<typeof enginesState>

/** The user read what it means that messages leave this computer for that address. Needed for every address but this computer's own. */
const understood = z.literal(true).optional()
const done = z.object({})

export const enginesCalls = {
  /** Fails with `needs-consent` for an address elsewhere without `understood`; nothing was sent there then. */
  'engines.add': {
    input: z.strictObject({ name: engineName, url: z.string().trim().min(1).max(500), key: engineKey.optional(), understood }),
    output: z.object({ id }),
  },
  /** Asks the engine for its models now; the state tells what came of it. */
  'engines.test': { input: z.strictObject({ id }), output: done },
  /** Also forgets its key. */
  'engines.remove': { input: z.strictObject({ id }), output: done },
  /** Every chat at the level "Another program" is answered by it from now on. Fails with `needs-consent` as `engines.add`. */
  'engines.choose': { input: z.strictObject({ id, model: z.string().min(1).max(300), understood }), output: done },
  /**
   * What the worker serves with from now on; null: this app's engine. Requests under way are given up, and nobody is charged for them. Fails with
   * `needs-consent` as `engines.add`, and for a name of a model that the network does not carry.
   */
  'engines.serve': { input: z.strictObject({ with: serving.extend({ understood }).nullable() }), output: done },
} as const

export const enginesStreams = {
  'engines.state': { input: z.strictObject({}), event: enginesState },
} as const
