import { z } from 'zod'
import { mostTopLogprobs } from './engine-messages.ts'

/** What is wrong in a request: `param` is the place as `messages[0].content`, null for the request as a whole. */
export interface WrongValue {
  readonly param: string | null
  /** A sentence with the name of the field. */
  readonly message: string
}

export type Reading<T> = { readonly value: T; readonly wrong?: undefined } | { readonly wrong: WrongValue }

/** A value by its schema, or the first thing in it that the schema does not take. The texts of the schemas go on after the name of the field. */
export function readValue<T>(schema: z.ZodType<T>, value: unknown, place = ''): Reading<T> {
  const result = schema.safeParse(value, { error: () => 'has a wrong value.' })
  if (result.success) return { value: result.data }
  const [issue] = result.error.issues
  const param = (issue?.path ?? []).reduce<string>(member, place)
  return {
    wrong: { param: param === '' ? null : param, message: `${param === '' ? 'The body' : `'${param}'`} ${issue?.message}` },
  }
}

function member(place: string, name: PropertyKey): string {
  if (typeof name === 'number') return `${place}[${name}]`
  const short = String(name).slice(0, 60)
  return place === '' ? short : `${place}.${short}`
}

const number = (least: number, most: number): z.ZodNumber => {
  const must = `must be a number from ${least} to ${most}.`
  return z.number(must).min(least, must).max(most, must)
}
const whole = (least: number, most: number): z.ZodNumber => {
  const must = `must be a whole number from ${least} to ${most}.`
  return z.int(must).min(least, must).max(most, must)
}
const anObject = 'must be an object.'

export const text = z.string('must be a text.')
/** A text that says something. */
export const someText = text.min(1, 'must not be empty.')
export const flag = z.boolean('must be true or false.')
/** JSON that is no list, text or number. */
const plainObject = z.record(z.string(), z.unknown(), anObject)
const count = whole(0, 2_147_483_647)

/** 0 would leave nothing to choose from. */
const topP = 'must be a number above 0, and 1 at most.'
const mostStops = 16
const stopMust = `must be a text, or a list of at most ${mostStops} texts, none of them empty.`

/** Fields of OpenAI's API, and two that other servers have, by the values that they may have wherever a request is answered. */
export const values = {
  max_tokens: count,
  max_completion_tokens: count,
  temperature: number(0, 2),
  top_p: z.number(topP).gt(0, topP).max(1, topP),
  frequency_penalty: number(-2, 2),
  presence_penalty: number(-2, 2),
  seed: z.int('must be a whole number.'),
  stop: z.union([someText, z.array(someText).max(mostStops, stopMust)], stopMust),
  logit_bias: z.record(z.string().regex(/^\d{1,9}$/), number(-100, 100), {
    error: ({ code }) => (code === 'invalid_key' ? 'is no number of a token.' : 'must be an object of numbers of tokens.'),
  }),
  top_k: whole(0, 1_000_000),
  min_p: number(0, 1),
  top_logprobs: whole(0, mostTopLogprobs),
} as const

const textPart = z.object({ type: z.literal('text'), text: z.string() })
/** Read as one text. */
export const textContent = z.union(
  [z.string(), z.array(textPart).transform((parts) => parts.map((part) => part.text).join(''))],
  'must be a text or a list of parts of the type text.',
)

/** A call in an earlier answer. */
export const call = z.object(
  {
    id: text,
    type: z.literal('function', "must be 'function'.").nullish(),
    function: z.object({ name: text, arguments: text }, anObject),
  },
  anObject,
)
export const calls = z.array(call, 'must be a list of calls.')

const toolName = z
  .string('must be a text.')
  .regex(/^[a-zA-Z0-9_.-]{1,128}$/, 'must be letters, digits, underscores, points and dashes, 128 at most.')
export const tool = z.object(
  {
    type: z.literal('function', "must be 'function': no tools of other types are supported."),
    function: z.object(
      { name: toolName, description: text.nullish(), parameters: plainObject.nullish(), strict: flag.nullish() },
      anObject,
    ),
  },
  anObject,
)
const toolsMust = 'must be a list of at most 128 tools.'
export const tools = z.array(tool, toolsMust).max(128, toolsMust)
export const toolChoice = z.union(
  [z.enum(['auto', 'none', 'required']), z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) })],
  "must be 'auto', 'none', 'required', or an object that names a function.",
)

const formatTypes = "must be 'text', 'json_object' or 'json_schema'."
export const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      json_schema: z.object(
        { name: text.nullish(), description: text.nullish(), schema: plainObject, strict: flag.nullish() },
        anObject,
      ),
    }),
  ],
  { error: ({ input }) => (typeof input === 'object' && input !== null && !Array.isArray(input) ? formatTypes : anObject) },
)
