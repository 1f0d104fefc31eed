import { z } from 'zod'

const count = z.number().int().nonnegative()
/** Chosen by the parent, unique for one child. */
const id = z.number().int().nonnegative()

export const gpuChoice = z.union([z.literal(false), z.enum(['auto', 'metal', 'cuda', 'vulkan'])])
export type GpuChoice = z.infer<typeof gpuChoice>

/** Values that the makers of a model recommend, used where a request names none. */
export const samplingAdvice = z.object({
  temperature: z.number().min(0).max(5).optional(),
  topP: z.number().min(0).max(1).optional(),
})
export type SamplingAdvice = z.infer<typeof samplingAdvice>

/** How one model is loaded; sent once as the first message to a fresh child. */
export const loadOrder = z.object({
  path: z.string().min(1),
  /** Upper bound for the context of each sequence, in tokens; the model's own limit and memory may make it smaller. */
  contextTokens: z.number().int().min(64),
  /** How many answers are generated at the same time. */
  sequences: z.number().int().min(1).max(64),
  /** 0: as measured best for this machine. */
  threads: z.number().int().min(0).max(1024),
  gpu: gpuChoice,
  sampling: samplingAdvice.optional(),
})
export type LoadOrder = z.infer<typeof loadOrder>

export const generationOptions = z.object({
  maxTokens: z.number().int().positive().optional(),
  temperature: z.number().min(0).max(10).optional(),
  topP: z.number().min(0).max(1).optional(),
  seed: z.number().int().nonnegative().max(0xff_ff_ff_ff).optional(),
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  presencePenalty: z.number().min(-2).max(2).optional(),
  stop: z.array(z.string().min(1)).optional(),
  lane: z.string().optional(),
})

export const chatMessage = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })

export const generationInput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('chat'), messages: z.array(chatMessage).min(1) }),
  z.object({ kind: z.literal('complete'), prompt: z.string() }),
])
export type GenerationInput = z.infer<typeof generationInput>

/** What the parent tells the engine process. */
export const toEngine = z.discriminatedUnion('t', [
  z.object({ t: z.literal('load'), order: loadOrder }),
  z.object({ t: z.literal('generate'), id, input: generationInput, options: generationOptions }),
  z.object({ t: z.literal('cancel'), id }),
])
export type ToEngine = z.infer<typeof toEngine>

export const engineUsage = z.object({
  promptTokens: count,
  cachedTokens: count,
  completionTokens: count,
  reasoningTokens: count,
})

/** What the engine process tells the parent. */
export const fromEngine = z.discriminatedUnion('t', [
  z.object({ t: z.literal('progress'), progress: z.number().min(0).max(1) }),
  z.object({ t: z.literal('loaded'), contextTokens: z.number().int().positive(), backend: z.string(), threads: count }),
  z.object({ t: z.literal('load-failed'), message: z.string() }),
  z.object({ t: z.literal('text'), id, text: z.string(), tokens: count }),
  z.object({ t: z.literal('done'), id, reason: z.enum(['stop', 'length', 'cancelled']), usage: engineUsage }),
  z.object({ t: z.literal('failed'), id, code: z.enum(['context-too-small', 'generation-failed']), message: z.string() }),
  z.object({ t: z.literal('log'), level: z.enum(['warn', 'error']), message: z.string() }),
])
export type FromEngine = z.infer<typeof fromEngine>
