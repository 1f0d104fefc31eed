import { z } from 'zod'
import { flag, readValue, responseFormat, text, toolChoice, tools, values, type WrongValue } from '../inference/openai-values.ts'
import type { Endpoint } from './api-request.ts'

type Table = Readonly<Record<string, z.ZodType>>

const metadataText = 'must be a text of at most 512 characters.'
const metadataMust = 'must be an object of at most 16 texts with names of at most 64 characters.'
const logprobsMust = 'must be a whole number from 0 to 20, or false.'
const notEmpty = 'must not be empty.'
const token = z.int('must be the number of a token.').nonnegative('must be the number of a token.')
const tokens = z.array(token).min(1, notEmpty)
const mostInputs = 2048
const texts = z.union(
  [z.string(), z.array(z.string()).min(1, notEmpty), tokens, z.array(tokens).min(1, notEmpty)],
  'must be a text or a list of texts, or of numbers of tokens.',
)

const common: Table = {
  ...values,
  stream_options: z.object({ include_usage: flag.nullish(), include_obfuscation: flag.nullish() }, 'must be an object.'),
  user: text,
}

/**
 * What the fields may hold, wherever the request goes: OpenAI's types and bounds. A field that no place here takes, whatever it holds, is not listed, nor
 * are those that `readApiRequest` or `checkMessages` judge.
 */
const tables: Readonly<Record<Endpoint, Table>> = {
  chat: {
    ...common,
    tools,
    tool_choice: toolChoice,
    parallel_tool_calls: flag,
    functions: z.array(z.unknown(), 'must be a list.'),
    response_format: responseFormat,
    logprobs: flag,
    modalities: z
      .array(z.enum(['text', 'audio'], "must be 'text' or 'audio'."), "must be a list of 'text' or 'audio'.")
      .min(1, notEmpty),
    store: flag,
    metadata: z
      .record(z.string().max(64), z.string(metadataText).max(512, metadataText), metadataMust)
      .refine((held) => Object.keys(held).length <= 16, metadataMust),
    safety_identifier: text,
    prompt_cache_key: text,
    prompt_cache_retention: z.enum(['in-memory', 'in_memory', '24h'], "must be 'in-memory' or '24h'."),
    reasoning_format: z.enum(['none', 'deepseek'], "must be 'none' or 'deepseek'."),
  },
  completions: {
    ...common,
    // An empty one is what the engine makes of it.
    prompt: texts,
    logprobs: z.union([z.literal(false), values.top_logprobs], logprobsMust),
  },
  embeddings: {
    input: texts.refine(
      (input) => typeof input === 'string' || typeof input[0] === 'number' || input.length <= mostInputs,
      `has more than ${mostInputs} entries.`,
    ),
    user: text,
  },
}

/** What is wrong with the value of one field; undefined where nothing is, and for fields that are judged elsewhere. */
export function wrongValue(endpoint: Endpoint, name: string, value: unknown): WrongValue | undefined {
  const table = tables[endpoint]
  const schema = Object.hasOwn(table, name) ? table[name] : undefined
  return schema === undefined ? undefined : readValue(schema, value, name).wrong
}
