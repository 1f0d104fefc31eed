import type { Endpoint } from '../api-request.ts'

/** One of each kind that JSON has, and numbers that few fields take. */
const strange: readonly unknown[] = ['str', -1, 1.5, 1e308, true, false, [], {}, [1], [null], [''], { a: 1 }, '', '\0']

const is =
  (...taken: readonly unknown[]) =>
  (value: unknown): boolean =>
    taken.some((one) => JSON.stringify(one) === JSON.stringify(value))
const isText = (value: unknown): boolean => typeof value === 'string'
const isName = (value: unknown): boolean => isText(value) && value !== ''
const none = (): boolean => false

/** Which of the strange values each field may have, by OpenAI's reference; the field is wrong with all others. */
const common = {
  model: isName,
  temperature: is(1.5),
  top_p: none,
  max_tokens: none,
  presence_penalty: is(-1, 1.5),
  frequency_penalty: is(-1, 1.5),
  stop: (value: unknown) => value !== '' && (isText(value) || is([])(value)),
  seed: is(-1),
  stream: is(true, false),
  stream_options: none,
  logit_bias: is({}),
  top_k: none,
  min_p: none,
  n: none,
  user: isText,
  repeat_penalty: none,
  grammar: none,
  constructor: none,
}
const right: Readonly<Record<Endpoint, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  chat: {
    ...common,
    messages: none,
    max_completion_tokens: none,
    response_format: none,
    logprobs: is(true, false),
    top_logprobs: none,
    tools: is([]),
    tool_choice: none,
    parallel_tool_calls: is(true, false),
    functions: is([]),
    function_call: none,
    metadata: is({}),
    store: is(false),
    modalities: none,
    audio: none,
    prediction: none,
    reasoning_effort: none,
    verbosity: none,
    web_search_options: none,
    service_tier: none,
    safety_identifier: isText,
    prompt_cache_key: isText,
    prompt_cache_retention: none,
    reasoning_format: none,
  },
  completions: {
    ...common,
    // An empty text is refused where this computer's engine reads it.
    prompt: (value) => isText(value) || is([''], [1])(value),
    best_of: none,
    echo: is(false),
    suffix: is('', false),
    logprobs: is(false),
  },
  embeddings: {
    model: isName,
    input: (value) => isText(value) || is([''], [1])(value),
    encoding_format: none,
    dimensions: none,
    user: isText,
    temperature: none,
  },
}

/** Wrong in a place within the field. */
const withinChat: readonly (readonly [param: string, body: object])[] = [
  ['tools[0]', { tools: ['f'] }],
  ['tools[0].type', { tools: [{ type: 'web_search' }] }],
  ['tools[0].function', { tools: [{ type: 'function' }] }],
  ['tools[0].function.name', { tools: [{ type: 'function', function: { name: 'a b' } }] }],
  ['tools[0].function.parameters', { tools: [{ type: 'function', function: { name: 'f', parameters: 'str' } }] }],
  ['tools[0].function.strict', { tools: [{ type: 'function', function: { name: 'f', strict: 1 } }] }],
  [
    'tools[1].function.name',
    {
      tools: [
        { type: 'function', function: { name: 'f' } },
        { type: 'function', function: {} },
      ],
    },
  ],
  ['response_format.type', { response_format: { type: 'xml' } }],
  ['response_format.json_schema', { response_format: { type: 'json_schema' } }],
  ['response_format.json_schema.schema', { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: 5 } } }],
  ['logit_bias.word', { logit_bias: { word: 1 } }],
  ['logit_bias.5', { logit_bias: { 5: 101 } }],
  ['metadata.a', { metadata: { a: 1 } }],
  ['modalities[0]', { modalities: ['video'] }],
  ['stop', { stop: ['a', ''] }],
  ['stream_options.include_usage', { stream: true, stream_options: { include_usage: 'yes' } }],
  ['messages[0].role', { messages: [{ role: 'god', content: 'x' }] }],
  ['messages[0].content', { messages: [{ role: 'user', content: 5 }] }],
  ['messages[0].content[0]', { messages: [{ role: 'user', content: [5] }] }],
  ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
  ['messages[0].tool_calls', { messages: [{ role: 'assistant', content: 'x', tool_calls: 'str' }] }],
  ['messages[0].tool_calls[0].id', { messages: [{ role: 'assistant', content: 'x', tool_calls: [{ id: 5 }] }] }],
  [
    'messages[0].tool_calls[0].function.arguments',
    { messages: [{ role: 'assistant', content: 'x', tool_calls: [{ id: 'c', function: { name: 'f', arguments: {} } }] }] },
  ],
]

const usual: Readonly<Record<Endpoint, object>> = {
  chat: { messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 },
  completions: { prompt: 'hi', max_tokens: 1 },
  embeddings: { input: 'hi' },
}

export interface WrongRequest {
  readonly endpoint: Endpoint
  /** The field that is wrong, or the place in it. */
  readonly param: string
  /** Without the model, unless that is what is wrong. */
  readonly body: object
}

/** Requests with one wrong value each: every field with everything strange that it may not have. */
export const wrongRequests: readonly WrongRequest[] = [
  ...Object.entries(right).flatMap(([endpoint, fields]) =>
    Object.entries(fields).flatMap(([param, isRight]) =>
      strange
        .filter((value) => !isRight(value))
        .map((value) => {
          const asked: Record<string, unknown> = { ...usual[endpoint as Endpoint], [param]: value }
          if (param === 'max_completion_tokens') delete asked.max_tokens
          return { endpoint: endpoint as Endpoint, param, body: asked }
        }),
    ),
  ),
  ...withinChat.map(([param, body]) => ({ endpoint: 'chat' as const, param, body: { ...usual.chat, ...body } })),
]

/** Whether an error names the field, or the place in it. */
export const names = (told: unknown, param: string): boolean =>
  typeof told === 'string' && (told === param || told.startsWith(`${param}.`) || told.startsWith(`${param}[`))
