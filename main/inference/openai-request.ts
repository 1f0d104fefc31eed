import { z } from 'zod'
import type { ChatMessage, GenerationOptions } from './engine.ts'

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
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content,
})

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
  // One answer a request: more would be charged, but the engine gives one.
  n: z.literal(1, 'Only one answer a request is supported.').nullish(),
  logprobs: z.union([z.literal(false), z.literal(0)], 'Log probabilities are not supported.').nullish(),
}

/** Fields whose silent omission would change what the caller gets are refused; hints such as `user` are ignored. */
const chatBody = z.object({
  ...common,
  messages: z.array(message).min(1),
  max_completion_tokens: z.number().int().nonnegative().nullish(),
  tools: z.array(z.unknown()).max(0, 'Tools are not supported by this model.').nullish(),
  functions: z.array(z.unknown()).max(0, 'Functions are not supported by this model.').nullish(),
  response_format: z.object({ type: z.literal('text', 'Only text is supported.') }).nullish(),
})

const completionBody = z.object({
  ...common,
  prompt: z.union([z.string(), z.array(z.string()).length(1, 'Only one prompt a request is supported.')]),
  echo: z.literal(false, 'Echo is not supported.').nullish(),
  best_of: z.literal(1, 'Only one answer a request is supported.').nullish(),
  suffix: z.union([z.literal(''), z.literal(false)], 'A suffix is not supported.').nullish(),
})

/** What a request asks of the engine, and how it wants the answer. */
export interface ParsedRequest {
  readonly input: { kind: 'chat'; messages: ChatMessage[] } | { kind: 'complete'; prompt: string }
  readonly options: GenerationOptions
  readonly stream: boolean
  readonly includeUsage: boolean
}

/** Throws `BadRequest`. `servedModel` must be the `model` of the body. */
export function parseRequest(kind: 'chat' | 'complete', body: Uint8Array, servedModel: string): ParsedRequest {
  const raw = json(body)
  if (kind === 'chat') {
    const request = parse(chatBody, raw)
    checkModel(request.model, servedModel)
    const messages = request.messages.map(
      ({ role, content }): ChatMessage => ({ role: role === 'developer' ? 'system' : role, content }),
    )
    const maxTokens = request.max_completion_tokens ?? request.max_tokens
    const param = request.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens'
    return { input: { kind, messages }, ...settings(request, maxTokens, param) }
  }
  const request = parse(completionBody, raw)
  checkModel(request.model, servedModel)
  const prompt = typeof request.prompt === 'string' ? request.prompt : (request.prompt[0] ?? '')
  return { input: { kind, prompt }, ...settings(request, request.max_tokens, 'max_tokens') }
}

type Common = z.infer<z.ZodObject<typeof common>>

function settings(request: Common, maxTokens: number | null | undefined, maxParam: string): Omit<ParsedRequest, 'input'> {
  if (maxTokens === 0) throw new BadRequest('At least one token must be allowed.', maxParam)
  const stop = typeof request.stop === 'string' ? [request.stop] : request.stop
  const options: GenerationOptions = {
    ...(maxTokens != null && { maxTokens }),
    ...(request.temperature != null && { temperature: request.temperature }),
    ...(request.top_p != null && { topP: request.top_p }),
    // Any 64-bit seed is allowed there; here 32 bits of it count.
    ...(request.seed != null && { seed: Number(BigInt.asUintN(32, BigInt(request.seed))) }),
    ...(request.frequency_penalty != null && { frequencyPenalty: request.frequency_penalty }),
    ...(request.presence_penalty != null && { presencePenalty: request.presence_penalty }),
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
