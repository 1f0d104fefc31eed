import { messages } from './message-rules.ts'
import {
  any,
  array,
  arrayOf,
  boolean,
  booleans,
  completionLimit,
  integer,
  number,
  object,
  penalty,
  positive,
  type Rule,
  string,
  stringOrArray,
  unsigned,
} from './rules.ts'

/**
 * Which generation of the network judges a request. `recorded`: nodes as they were recorded (protocol 40 §5, golden data). `newest`: later ones
 * (protocol 95 §5). `either`: everything that one of them takes, for where it is not known who reads it.
 */
export type Revision = 'recorded' | 'newest' | 'either'

export interface Table {
  readonly kind: 'chat' | 'completion'
  readonly required: readonly string[]
  /** An unknown field is an error. */
  readonly fields: Readonly<Record<string, Rule>>
}

const streamOptions = booleans(
  'stream_options',
  ['include_obfuscation', 'include_usage'],
  (key) => `unknown option '${key}' in stream_options`,
)
const templateOptions = booleans(
  'chat_template_kwargs',
  ['enable_thinking'],
  (key) => `unknown suboption '${key}' in chat_template_kwargs in request`,
)

const chat: Table = {
  kind: 'chat',
  required: ['messages', 'model'],
  fields: {
    messages: array,
    model: string,
    frequency_penalty: penalty,
    presence_penalty: number,
    max_tokens: completionLimit,
    max_completion_tokens: completionLimit,
    n: positive,
    parallel_tool_calls: boolean,
    prediction: number,
    reasoning_effort: string,
    verbosity: string,
    response_format: any,
    stop: stringOrArray,
    stream: boolean,
    stream_options: streamOptions,
    temperature: number,
    top_p: number,
    top_logprobs: unsigned,
    chat_template_kwargs: templateOptions,
  },
}

const completion: Table = {
  kind: 'completion',
  required: ['model', 'prompt'],
  fields: {
    model: string,
    prompt: stringOrArray,
    best_of: positive,
    echo: boolean,
    frequency_penalty: penalty,
    max_tokens: unsigned,
    n: positive,
    presence_penalty: number,
    seed: number,
    stop: stringOrArray,
    stream: boolean,
    stream_options: streamOptions,
    suffix: boolean,
    temperature: number,
    top_p: number,
    skip_special_tokens: boolean,
  },
}

/** What newer workers take beside it. Types that are not known are those of the OpenAI API, but for `service_tier`, which is told. */
const addedToChat: Readonly<Record<string, Rule>> = {
  audio: object,
  logprobs: boolean,
  modalities: arrayOf(string),
  prompt_cache_key: string,
  prompt_cache_retention: string,
  safety_identifier: string,
  seed: integer,
  service_tier: integer,
  store: boolean,
  user: string,
  skip_special_tokens: boolean,
}
const addedToCompletion: Readonly<Record<string, Rule>> = { user: string }

const tablesOf = (one: Table, other: Table): ReadonlyMap<string, Table> =>
  new Map([
    ['/v1/chat/completions', one],
    ['/v1/completions', other],
  ])

/** By path. */
export const requestTables: Readonly<Record<Revision, ReadonlyMap<string, Table>>> = {
  recorded: tablesOf(chat, completion),
  newest: tablesOf(
    { ...chat, fields: { ...chat.fields, ...addedToChat, messages, stop: array } },
    { ...completion, fields: { ...completion.fields, ...addedToCompletion, stop: array } },
  ),
  either: tablesOf(
    { ...chat, fields: { ...addedToChat, ...chat.fields } },
    { ...completion, fields: { ...addedToCompletion, ...completion.fields } },
  ),
}
