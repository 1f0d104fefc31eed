import { z } from 'zod'

const count = z.number().int().nonnegative()
/** Chosen by the parent, unique for one child. */
const id = z.number().int().nonnegative()

/** As OpenAI has it. */
export const mostTopLogprobs = 20

export const gpuChoice = z.union([z.literal(false), z.enum(['auto', 'metal', 'cuda', 'vulkan'])])
export type GpuChoice = z.infer<typeof gpuChoice>

/** Values that the makers of a model recommend, used where a request names none. */
export const samplingAdvice = z.object({
  temperature: z.number().min(0).max(5).optional(),
  topP: z.number().min(0).max(1).optional(),
})
export type SamplingAdvice = z.infer<typeof samplingAdvice>

/** How the memory of what was read is kept: `q8_0` takes about half of `f16`. */
export const kvCacheType = z.enum(['f16', 'q8_0'])
export type KvCacheType = z.infer<typeof kvCacheType>

export const loadNotice = z.object({ kind: z.enum(['less-context', 'fewer-layers']), asked: count, got: count })

/** How one model is loaded; sent once as the first message to a fresh child. */
export const loadOrder = z.object({
  path: z.string().min(1),
  /** Upper bound for the context of each sequence, in tokens; the model's own limit and memory may make it smaller. */
  contextTokens: z.number().int().min(64),
  /** What was asked for at first, before memory was short; told when less was got. */
  askedContextTokens: z.number().int().min(64),
  /** How many answers are generated at the same time. */
  sequences: z.number().int().min(1).max(64),
  /** 0: as measured best for this machine. */
  threads: z.number().int().min(0).max(1024),
  gpu: gpuChoice,
  /** Which part of the layers may go to the graphics card; 1: as many as fit. */
  gpuPart: z.number().min(0).max(1),
  kvCache: kvCacheType,
  sampling: samplingAdvice.optional(),
  /** One of the places is left to the lane `own`. */
  keepOwn: z.boolean(),
})
export type LoadOrder = z.infer<typeof loadOrder>

export const tool = z.object({
  name: z
    .string()
    .regex(
      /^[a-zA-Z0-9_.-]{1,128}$/,
      'The name of a tool consists of letters, digits, underscores, points and dashes, 128 at most.',
    ),
  description: z.string().exactOptional(),
  parameters: z.unknown().exactOptional(),
})

export const outputForm = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('json') }),
  z.object({ kind: z.literal('json-schema'), schema: z.unknown() }),
  z.object({ kind: z.literal('grammar'), grammar: z.string().min(1).max(65_536) }),
])

export const generationOptions = z.object({
  maxTokens: z.number().int().positive().exactOptional(),
  temperature: z.number().min(0).max(10).exactOptional(),
  topP: z.number().min(0).max(1).exactOptional(),
  topK: z.number().int().nonnegative().max(1_000_000).exactOptional(),
  minP: z.number().min(0).max(1).exactOptional(),
  seed: z.number().int().nonnegative().max(0xff_ff_ff_ff).exactOptional(),
  frequencyPenalty: z.number().min(-2).max(2).exactOptional(),
  presencePenalty: z.number().min(-2).max(2).exactOptional(),
  stop: z.array(z.string().min(1)).exactOptional(),
  logitBias: z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100)).exactOptional(),
  logprobs: z.number().int().nonnegative().max(mostTopLogprobs).exactOptional(),
  output: outputForm.exactOptional(),
  tools: z.array(tool).max(128).exactOptional(),
  toolChoice: z.union([z.enum(['auto', 'none', 'required']), z.object({ name: z.string() })]).exactOptional(),
  reasoning: z.enum(['inline', 'split']).exactOptional(),
  whenFull: z.enum(['fail', 'drop-oldest']).exactOptional(),
  lane: z.string().exactOptional(),
  cacheScope: z.string().exactOptional(),
})

export const toolCall = z.object({ id: z.string(), name: z.string(), arguments: z.string() })

export const chatMessage = z.object({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string(),
  toolCalls: z.array(toolCall).exactOptional(),
  toolCallId: z.string().exactOptional(),
})

export const generationInput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('chat'), messages: z.array(chatMessage).min(1) }),
  z.object({ kind: z.literal('complete'), prompt: z.string() }),
])
export type GenerationInput = z.infer<typeof generationInput>

/** What the parent tells the engine process. */
export const toEngine = z.discriminatedUnion('t', [
  z.object({ t: z.literal('load'), order: loadOrder }),
  z.object({ t: z.literal('generate'), id, input: generationInput, options: generationOptions }),
  z.object({ t: z.literal('embed'), id, inputs: z.array(z.string()).min(1).max(2048) }),
  z.object({ t: z.literal('cancel'), id }),
])
export type ToEngine = z.infer<typeof toEngine>

export const engineUsage = z.object({
  promptTokens: count,
  cachedTokens: count,
  completionTokens: count,
  reasoningTokens: count,
})

const alternative = z.object({ text: z.string(), bytes: z.array(count.max(255)).readonly().nullable(), logprob: z.number() })
const tokenLogprob = alternative.extend({ top: z.array(alternative).readonly() })

export const engineEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('text'),
    text: z.string(),
    tokens: count,
    logprobs: z.array(tokenLogprob).readonly().exactOptional(),
  }),
  z.object({ type: z.literal('reasoning'), text: z.string(), tokens: count }),
  z.object({ type: z.literal('tool-call'), call: toolCall, tokens: count }),
  z.object({ type: z.literal('context'), droppedMessages: count, promptTokens: count, contextTokens: count }),
  z.object({ type: z.literal('done'), reason: z.enum(['stop', 'length', 'cancelled']), usage: engineUsage }),
])

export const capabilities = z.object({
  contextTokens: count.nullable(),
  chat: z.boolean(),
  complete: z.boolean(),
  embeddings: z.boolean(),
  tools: z.boolean(),
  parallelToolCalls: z.boolean(),
  json: z.boolean(),
  jsonSchema: z.boolean(),
  grammar: z.boolean(),
  seed: z.boolean(),
  stop: z.boolean(),
  penalties: z.boolean(),
  topK: z.boolean(),
  minP: z.boolean(),
  logitBias: z.boolean(),
  topLogprobs: count.nullable(),
  reasoningSplit: z.boolean(),
  dropOldest: z.boolean(),
  images: z.boolean(),
  answers: count,
})

/** Failures of a request that are no defect of the engine. */
export const requestFault = z.enum(['context-too-small', 'not-capable', 'bad-schema', 'bad-request'])

/** What the engine process tells the parent. */
export const fromEngine = z.discriminatedUnion('t', [
  z.object({ t: z.literal('progress'), progress: z.number().min(0).max(1) }),
  z.object({
    t: z.literal('loaded'),
    contextTokens: z.number().int().positive(),
    backend: z.string(),
    devices: z.array(z.string().max(300)).max(64),
    threads: count,
    capabilities,
    notices: z.array(loadNotice),
  }),
  /** The weights are here; the chat template comes next, a program of whoever made the file. */
  z.object({ t: z.literal('reading-template') }),
  z.object({ t: z.literal('load-failed'), message: z.string(), wantOfMemory: z.boolean() }),
  /** The prompt is read now, which nothing else is meanwhile: requests before it may have taken their time. */
  z.object({ t: z.literal('reading'), id }),
  /** The prompt is read into tokens; the answer waits for its place. */
  z.object({ t: z.literal('read'), id }),
  z.object({ t: z.literal('event'), id, event: engineEvent }),
  z.object({ t: z.literal('embeddings'), id, vectors: z.array(z.array(z.number())), promptTokens: count }),
  z.object({
    t: z.literal('failed'),
    id,
    code: z.union([requestFault, z.literal('generation-failed')]),
    message: z.string(),
    /** Of `not-capable` and `bad-request`: which field of the request, or which place in it. */
    field: z.string().optional(),
  }),
  z.object({ t: z.literal('log'), level: z.enum(['warn', 'error']), message: z.string() }),
])
export type FromEngine = z.infer<typeof fromEngine>
