import { isObject } from '../base/is-object.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { ApiRequest, Endpoint } from './api-request.ts'
import { wrongValue } from './field-values.ts'
import { checkFormat, checkTools } from './members.ts'
import { checkMessages } from './messages.ts'
import { ApiRefusal } from './refusal.ts'

type Body = ApiRequest['body']
/**
 * What is wrong with the value of one field where it goes; undefined where nothing is. `plain` fields are left to the engine, which honours them all;
 * `hint` fields change nothing in the answer by their own definition, so that leaving them out drops nothing.
 */
type Rule = 'plain' | 'hint' | ((value: unknown, can: EngineCapabilities, body: Body) => string | undefined)

const cannot = 'is not supported by this model here.'
const unless =
  (is: (can: EngineCapabilities) => boolean): Rule =>
  (_value, can) =>
    is(can) ? undefined : cannot
/** Values that ask for nothing beside the usual. */
const only =
  (...usual: readonly unknown[]): Rule =>
  (value) =>
    usual.includes(value) ? undefined : cannot
const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
const emptyOr =
  (is: (can: EngineCapabilities) => boolean): Rule =>
  (value, can) =>
    isEmpty(value) || is(can) ? undefined : cannot
const hasTools = ({ tools }: Body): boolean => Array.isArray(tools) && tools.length > 0

const toolChoice: Rule = (value, can, body) => {
  if (hasTools(body)) return can.tools ? undefined : cannot
  return value === 'none' || value === 'auto' ? undefined : "needs 'tools'."
}

const responseFormat: Rule = (value, can) => {
  switch (isObject(value) ? value.type : undefined) {
    case 'text':
      return undefined
    case 'json_object':
      return can.json ? undefined : cannot
    case 'json_schema':
      return can.jsonSchema ? undefined : cannot
    default:
      return cannot
  }
}

const answers: Rule = (value, can) => (typeof value === 'number' && value > can.answers ? cannot : undefined)
const penalty: Rule = (value, can) => (value === 0 || can.penalties ? undefined : cannot)

const common: Readonly<Record<string, Rule>> = {
  model: 'plain',
  stream: 'plain',
  stream_options: (value) => {
    if (!isObject(value)) return 'must be an object.'
    const other = Object.keys(value).find((name) => name !== 'include_usage' && name !== 'include_obfuscation')
    if (other !== undefined) return `has no option '${other.slice(0, 60)}'.`
    return value.include_obfuscation === true ? 'cannot pad its events: the connection stays on this computer.' : undefined
  },
  max_tokens: 'plain',
  temperature: 'plain',
  top_p: 'plain',
  frequency_penalty: penalty,
  presence_penalty: penalty,
  seed: unless((can) => can.seed),
  stop: unless((can) => can.stop),
  logit_bias: emptyOr((can) => can.logitBias),
  // Not OpenAI's, but other servers have them.
  top_k: unless((can) => can.topK),
  min_p: unless((can) => can.minP),
  n: answers,
  user: 'hint',
}

const fields: Readonly<Record<Endpoint, Readonly<Record<string, Rule>>>> = {
  chat: {
    ...common,
    messages: 'plain',
    max_completion_tokens: 'plain',
    tools: emptyOr((can) => can.tools),
    tool_choice: toolChoice,
    // An engine that makes several calls cannot be held to one.
    parallel_tool_calls: (value, can, body) => (hasTools(body) && value === false && can.parallelToolCalls ? cannot : undefined),
    functions: emptyOr(() => false),
    function_call: only('none'),
    response_format: responseFormat,
    logprobs: (value, can) => (value === false || can.topLogprobs !== null ? undefined : cannot),
    top_logprobs: (value, can, { logprobs }) => {
      if (logprobs !== true) return "needs 'logprobs': true."
      return typeof value === 'number' && value > (can.topLogprobs ?? -1) ? cannot : undefined
    },
    modalities: (value) => (Array.isArray(value) && value.every((one) => one === 'text') ? undefined : cannot),
    service_tier: only('auto', 'default'),
    store: (value) => (value === false ? undefined : 'cannot be true: nothing is stored here.'),
    metadata: 'hint',
    safety_identifier: 'hint',
    prompt_cache_key: 'hint',
    prompt_cache_retention: 'hint',
    audio: only(),
    prediction: only(),
    reasoning_effort: only(),
    reasoning_format: (value, can) => (value === 'none' || (value === 'deepseek' && can.reasoningSplit) ? undefined : cannot),
    verbosity: only(),
    web_search_options: only(),
  },
  completions: {
    ...common,
    prompt: 'plain',
    best_of: answers,
    echo: only(false),
    suffix: only('', false),
    logprobs: (value, can) =>
      value === false || (typeof value === 'number' && value <= (can.topLogprobs ?? -1)) ? undefined : cannot,
  },
  embeddings: {
    model: 'plain',
    input: 'plain',
    encoding_format: only('float', 'base64'),
    dimensions: only(),
    user: 'hint',
  },
}

const endpointCapability = { chat: 'chat', completions: 'complete', embeddings: 'embeddings' } as const
const endpointNames = { chat: 'chat completions', completions: 'plain completions', embeddings: 'embeddings' } as const

/**
 * Judges a request by its values, and by what its model can do at that place. A field is honoured, or refused by its name before anything is sent; none is
 * dropped but hints, which change nothing in an answer.
 * @param can null while that is not known: the values are judged alone
 * @throws ApiRefusal with `param`
 */
export function checkFields({ endpoint, body }: ApiRequest, can: EngineCapabilities | null): void {
  if (can !== null && !can[endpointCapability[endpoint]])
    throw new ApiRefusal(`This model gives no ${endpointNames[endpoint]} here.`, { param: 'model', code: 'unsupported_endpoint' })
  const known = fields[endpoint]
  for (const [name, value] of Object.entries(body)) {
    const rule = Object.hasOwn(known, name) ? known[name] : undefined
    if (rule === undefined)
      throw new ApiRefusal(`Unknown field: '${name.slice(0, 100)}'.`, { param: name.slice(0, 100), code: 'unknown_parameter' })
    const bad = wrongValue(endpoint, name, value)
    if (bad !== undefined) throw new ApiRefusal(bad.message, { param: bad.param ?? name, code: 'invalid_value' })
    const wrong = typeof rule === 'string' || can === null ? undefined : rule(value, can, body)
    if (wrong !== undefined)
      throw new ApiRefusal(`'${name}' ${wrong}`, {
        param: name,
        code: wrong === cannot ? 'unsupported_parameter' : 'invalid_value',
      })
  }
  if (endpoint !== 'chat') return
  checkTools(body)
  checkFormat(body.response_format)
  checkMessages(body.messages, can)
}

/** The body without the fields that are hints: they name the caller and its conversations, which is nobody's business elsewhere. */
export function withoutHints(endpoint: Endpoint, body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([name]) => fields[endpoint][name] !== 'hint'))
}
