import { z } from 'zod'
import type { ChatMessage, GenerationOptions, OutputForm, Tool } from './engine.ts'

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

const textPart = z.object({ type: z.literal('text'), text: z.string() })
const content = z.union([z.string(), z.array(textPart).transform((parts) => parts.map((part) => part.text).join(''))])
const call = z.object({
  id: z.string(),
  type: z.literal('function').nullish(),
  function: z.object({ name: z.string(), arguments: z.string() }),
})
const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer', 'user']), content }),
  z.object({ role: z.literal('assistant'), content: content.nullish(), tool_calls: z.array(call).nullish() }),
  z.object({ role: z.literal('tool'), content, tool_call_id: z.string() }),
])
type Message = z.infer<typeof message>

const tool = z.object({
  type: z.literal('function', 'Only tools of the type "function" are supported.'),
  function: z.object({ name: z.string(), description: z.string().nullish(), parameters: z.unknown().optional() }),
})
const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
])
const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: z.object({ schema: z.unknown() }) }),
])

const common = {
  model: z.string(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.number().int().nonnegative().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'Names must be numbers of tokens.'), z.number().min(-100).max(100))
    .nullish(),
  // Not OpenAI's, but llama-server and vLLM have them.
  top_k: z.number().int().nonnegative().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  // One answer a request: more would be charged, but the engine gives one.
  n: z.literal(1, 'Only one answer a request is supported.').nullish(),
}

/** Fields whose silent omission would change what the caller gets are refused; hints such as `user` are ignored. */
const chatBody = z.object({
  ...common,
  messages: z.array(message).min(1),
  max_completion_tokens: z.number().int().nonnegative().nullish(),
  tools: z.array(tool).max(128).nullish(),
  tool_choice: toolChoice.nullish(),
  functions: z.array(z.unknown()).max(0, 'Functions are not supported; tools are.').nullish(),
  response_format: responseFormat.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  // As llama-server has it: `deepseek` puts thoughts into `reasoning_content`.
  reasoning_format: z.enum(['none', 'deepseek']).nullish(),
})

const completionBody = z.object({
  ...common,
  prompt: z.union([z.string(), z.array(z.string()).length(1, 'Only one prompt a request is supported.')]),
  echo: z.literal(false, 'Echo is not supported.').nullish(),
  best_of: z.literal(1, 'Only one answer a request is supported.').nullish(),
  suffix: z.union([z.literal(''), z.literal(false)], 'A suffix is not supported.').nullish(),
  logprobs: z.union([z.literal(false), z.number().int().min(0).max(20)]).nullish(),
})

const embeddingBody = z.object({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)], 'The input must be a text or a list of texts.'),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.null('Vectors of another length are not supported.').optional(),
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
      input: { kind, messages: request.messages.map(chatMessage) },
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

function chatMessage(message: Message): ChatMessage {
  if (message.role === 'tool') return { role: 'tool', content: message.content, toolCallId: message.tool_call_id }
  if (message.role !== 'assistant')
    return { role: message.role === 'developer' ? 'system' : message.role, content: message.content }
  const calls = message.tool_calls ?? []
  if (calls.length === 0 && message.content == null) throw new BadRequest('An answer needs its content or calls.', 'messages')
  const toolCalls = calls.map(({ id, function: { name, arguments: text } }) => ({ id, name, arguments: text }))
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
  if (top != null && logprobs !== true) throw new BadRequest("'top_logprobs' needs 'logprobs': true.", 'top_logprobs')
  if (choice != null && choice !== 'none' && choice !== 'auto' && !tools?.length)
    throw new BadRequest("'tool_choice' needs 'tools'.", 'tool_choice')
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
  if (maxTokens === 0) throw new BadRequest('At least one token must be allowed.', maxParam)
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
    ...(stop != null && { stop: stop.filter((text) => text !== '') }),
  }
  return { options, stream: request.stream === true, includeUsage: request.stream_options?.include_usage === true }
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new BadRequest('The body is not valid JSON.', null)
  }
}

function parse<T>(schema: z.ZodType<T>, raw: unknown): T {
  const result = schema.safeParse(raw)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const param = issue === undefined || issue.path.length === 0 ? null : issue.path.join('.')
  throw new BadRequest(`Invalid value${param === null ? '' : ` for '${param}'`}: ${issue?.message ?? 'unknown'}`, param)
}

function checkModel(asked: string, served: string): void {
  if (asked !== served)
    throw new BadRequest(`The model '${asked.slice(0, 200)}' is not served here.`, 'model', 'model_not_found', 404)
}
