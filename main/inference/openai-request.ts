import { z } from 'zod'
import type { ChatMessage, GenerationOptions, OutputForm, Tool } from './engine.ts'
import {
  calls,
  flag,
  readValue,
  responseFormat,
  someText,
  text,
  textContent,
  type tool,
  toolChoice,
  tools,
  values,
} from './openai-values.ts'

/** A request that cannot be served as it is; becomes an OpenAI error body. */
export class BadRequest extends Error {
  readonly param: string | null
  readonly code: string | null
  readonly status: number

  constructor(message: string, param: string | null, code: string | null = null, status = 400) {
    super(message)
    this.name = 'BadRequest'
    this.param = param
    this.code = code
    this.status = status
  }
}

const message = z.discriminatedUnion(
  'role',
  [
    z.object({ role: z.enum(['system', 'developer', 'user']), content: textContent }),
    z.object({ role: z.literal('assistant'), content: textContent.nullish(), tool_calls: calls.nullish() }),
    z.object({ role: z.literal('tool'), content: textContent, tool_call_id: text }),
  ],
  'must be system, developer, user, assistant or tool.',
)
type Message = z.infer<typeof message>

const noFunctions = 'is not supported; tools are.'
const oneAnswer = z.literal(1, 'can only be 1: one answer a request is supported.').nullish()

const common = {
  model: text,
  stream: flag.nullish(),
  stream_options: z.object({ include_usage: flag.nullish() }, 'must be an object.').nullish(),
  max_tokens: values.max_tokens.nullish(),
  temperature: values.temperature.nullish(),
  top_p: values.top_p.nullish(),
  frequency_penalty: values.frequency_penalty.nullish(),
  presence_penalty: values.presence_penalty.nullish(),
  seed: values.seed.nullish(),
  stop: values.stop.nullish(),
  logit_bias: values.logit_bias.nullish(),
  // Not OpenAI's, but llama-server and vLLM have them.
  top_k: values.top_k.nullish(),
  min_p: values.min_p.nullish(),
  // More would be charged, but the engine gives one.
  n: oneAnswer,
}

const messagesMust = 'must be a list of at least one message.'

/** Fields whose silent omission would change what the caller gets are refused; hints such as `user` are ignored. */
const chatBody = z.object({
  ...common,
  messages: z.array(message, messagesMust).min(1, messagesMust),
  max_completion_tokens: values.max_completion_tokens.nullish(),
  tools: tools.nullish(),
  tool_choice: toolChoice.nullish(),
  functions: z.array(z.unknown(), noFunctions).max(0, noFunctions).nullish(),
  response_format: responseFormat.nullish(),
  logprobs: flag.nullish(),
  top_logprobs: values.top_logprobs.nullish(),
  // As llama-server has it: `deepseek` puts thoughts into `reasoning_content`.
  reasoning_format: z.enum(['none', 'deepseek'], "must be 'none' or 'deepseek'.").nullish(),
})

const noTokens = 'lists of numbers of tokens are not supported'
const promptMust = `must be one text: several in a request and ${noTokens}.`
const completionBody = z.object({
  ...common,
  prompt: z.union([someText, z.array(someText).length(1, promptMust)], promptMust),
  echo: z.literal(false, 'can only be false.').nullish(),
  best_of: oneAnswer,
  suffix: z.union([z.literal(''), z.literal(false)], 'is not supported.').nullish(),
  logprobs: z.union([z.literal(false), values.top_logprobs], 'must be a whole number from 0 to 20.').nullish(),
})

const mostInputs = 2048
const inputMust = `must be a text or a list of at most ${mostInputs} texts: ${noTokens}.`
const embeddingBody = z.object({
  model: text,
  input: z.union([someText, z.array(someText).min(1, inputMust).max(mostInputs, inputMust)], inputMust),
  encoding_format: z.enum(['float', 'base64'], "must be 'float' or 'base64'.").nullish(),
  dimensions: z.null('is not supported.').optional(),
})

/** What a request asks of the engine, and how it wants the answer. */
export interface ParsedRequest {
  readonly input: { kind: 'chat'; messages: ChatMessage[] } | { kind: 'complete'; prompt: string }
  readonly options: GenerationOptions
  readonly stream: boolean
  readonly includeUsage: boolean
}

export interface ParsedEmbedding {
  readonly inputs: readonly string[]
  readonly encoding: 'float' | 'base64'
}

/** Throws `BadRequest`. `servedModel` must be the `model` of the body. */
export function parseRequest(kind: 'chat' | 'complete', body: Uint8Array, servedModel: string): ParsedRequest {
  const raw = json(body)
  if (kind === 'chat') {
    const request = parse(chatBody, raw)
    checkModel(request.model, servedModel)
    const maxTokens = request.max_completion_tokens ?? request.max_tokens
    const param = request.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens'
    const parsed = settings(request, maxTokens, param)
    return {
      ...parsed,
      input: { kind, messages: request.messages.map((one, index) => chatMessage(one, `messages[${index}]`)) },
      options: { ...parsed.options, ...chatOptions(request) },
    }
  }
  const request = parse(completionBody, raw)
  checkModel(request.model, servedModel)
  const prompt = typeof request.prompt === 'string' ? request.prompt : (request.prompt[0] ?? '')
  const parsed = settings(request, request.max_tokens, 'max_tokens')
  const { logprobs } = request
  return { ...parsed, input: { kind, prompt }, options: { ...parsed.options, ...(typeof logprobs === 'number' && { logprobs }) } }
}

/** Throws `BadRequest`. */
export function parseEmbedding(body: Uint8Array, servedModel: string): ParsedEmbedding {
  const { model, input, encoding_format } = parse(embeddingBody, json(body))
  checkModel(model, servedModel)
  return { inputs: typeof input === 'string' ? [input] : input, encoding: encoding_format ?? 'float' }
}

function chatMessage(message: Message, place: string): ChatMessage {
  if (message.role === 'tool') return { role: 'tool', content: message.content, toolCallId: message.tool_call_id }
  if (message.role !== 'assistant')
    return { role: message.role === 'developer' ? 'system' : message.role, content: message.content }
  const called = message.tool_calls ?? []
  if (called.length === 0 && message.content == null)
    throw new BadRequest('An answer needs its content or calls.', `${place}.content`, 'invalid_value')
  const toolCalls = called.map(({ id, function: { name, arguments: text } }) => ({ id, name, arguments: text }))
  return { role: 'assistant', content: message.content ?? '', ...(toolCalls.length > 0 && { toolCalls }) }
}

function chatOptions(request: z.infer<typeof chatBody>): GenerationOptions {
  const {
    tools,
    tool_choice: choice,
    response_format: format,
    logprobs,
    top_logprobs: top,
    reasoning_format: reasoning,
  } = request
  if (top != null && logprobs !== true)
    throw new BadRequest("'top_logprobs' needs 'logprobs': true.", 'top_logprobs', 'invalid_value')
  if (choice != null && choice !== 'none' && choice !== 'auto' && !tools?.length)
    throw new BadRequest("'tool_choice' needs 'tools'.", 'tool_choice', 'invalid_value')
  const output = format == null ? undefined : outputForm(format)
  return {
    ...(tools?.length && { tools: tools.map(toolOf) }),
    ...(tools?.length && choice != null && { toolChoice: typeof choice === 'string' ? choice : { name: choice.function.name } }),
    ...(output && { output }),
    ...(logprobs === true && { logprobs: top ?? 0 }),
    ...(reasoning === 'deepseek' && { reasoning: 'split' as const }),
  }
}

function toolOf({ function: { name, description, parameters } }: z.infer<typeof tool>): Tool {
  return { name, ...(description != null && { description }), ...(parameters != null && { parameters }) }
}

function outputForm(format: z.infer<typeof responseFormat>): OutputForm | undefined {
  if (format.type === 'text') return undefined
  return format.type === 'json_object' ? { kind: 'json' } : { kind: 'json-schema', schema: format.json_schema.schema }
}

type Common = z.infer<z.ZodObject<typeof common>>

function settings(request: Common, maxTokens: number | null | undefined, maxParam: string): Omit<ParsedRequest, 'input'> {
  if (maxTokens === 0) throw new BadRequest(`'${maxParam}' must be 1 at least.`, maxParam, 'invalid_value')
  const stop = typeof request.stop === 'string' ? [request.stop] : request.stop
  const options: GenerationOptions = {
    ...(maxTokens != null && { maxTokens }),
    ...(request.temperature != null && { temperature: request.temperature }),
    ...(request.top_p != null && { topP: request.top_p }),
    ...(request.top_k != null && { topK: request.top_k }),
    ...(request.min_p != null && { minP: request.min_p }),
    // Any 64-bit seed is allowed there; here 32 bits of it count.
    ...(request.seed != null && { seed: Number(BigInt.asUintN(32, BigInt(request.seed))) }),
    ...(request.frequency_penalty != null && { frequencyPenalty: request.frequency_penalty }),
    ...(request.presence_penalty != null && { presencePenalty: request.presence_penalty }),
    ...(request.logit_bias != null && { logitBias: request.logit_bias }),
    ...(stop != null && { stop }),
  }
  return { options, stream: request.stream === true, includeUsage: request.stream_options?.include_usage === true }
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new BadRequest('The body is not valid JSON.', null, 'invalid_json')
  }
}

function parse<T>(schema: z.ZodType<T>, raw: unknown): T {
  const read = readValue(schema, raw)
  if (read.wrong !== undefined) throw new BadRequest(read.wrong.message, read.wrong.param, 'invalid_value')
  return read.value
}

function checkModel(asked: string, served: string): void {
  if (asked !== served)
    throw new BadRequest(`The model '${asked.slice(0, 200)}' is not served here.`, 'model', 'model_not_found', 404)
}
