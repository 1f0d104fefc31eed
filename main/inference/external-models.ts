import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { type EngineCapabilities, noCapabilities } from './capabilities.ts'
import type { EngineHttpResponse } from './engine-http.ts'

/** A model that an external engine lists. */
export interface ExternalModel {
  /** As the engine wants to be asked for it. */
  readonly id: string
  readonly capabilities: EngineCapabilities
}

/** Longer lists are no honest ones, nor longer names. */
const mostListBytes = 4 << 20
const mostModels = 500

const modelId = z
  .string()
  .min(1)
  .max(300)
  // They are shown to people, and stand in the names of the local API.
  .regex(/^[^\p{C}\p{Z}]+$/u)

const tokens = z.number().int().positive()
const entry = z.looseObject({
  id: z.unknown(),
  owned_by: z.string().optional().catch(undefined),
  /** Where another Cocoon Desktop would answer it. */
  level: z.string().optional().catch(undefined),
  /** vLLM. */
  max_model_len: tokens.optional().catch(undefined),
  /** llama.cpp. */
  meta: z.looseObject({ n_ctx: tokens }).optional().catch(undefined),
  architecture: z
    .looseObject({ input_modalities: z.array(z.string()) })
    .optional()
    .catch(undefined),
})
const list = z.looseObject({ data: z.array(entry) })

/**
 * Another Cocoon Desktop lists what it gets elsewhere too: what its own engines are asked for would come back to whoever added it, through ever longer
 * names, and its networks are paid by its owner. What its own computer answers is taken alone.
 */
const isPassedOn = ({ owned_by, level }: z.output<typeof entry>): boolean =>
  owned_by === 'cocoon' && level !== undefined && level !== 'computer'

export const isKeyRefused = (status: number): boolean => status === 401 || status === 403

export const keyRefused = (): Failure =>
  new Failure('engine-key-refused', 'The engine wants a key, or refuses the one that it was given.', {
    advice: 'Remove it, and add it anew with its key.',
  })

/**
 * The models of an answer to `GET /v1/models`. Entries without a usable name are left out, and those that another Cocoon Desktop would get elsewhere.
 * @throws Failure `engine-key-refused`, `engine-unhealthy`, `engine-answer-bad`; an error of the connection
 */
export async function readModels({ status, headers, body }: EngineHttpResponse): Promise<ExternalModel[]> {
  if (isKeyRefused(status)) throw keyRefused()
  if (status !== 200)
    throw new Failure('engine-unhealthy', `The engine answered with the status ${status}.`, {
      retryable: true,
      values: { status },
    })
  if (!isJson(headers)) throw badAnswer('The list of models is not JSON.')
  const parsed = list.safeParse(jsonOf(await bytesOf(body, mostListBytes)))
  if (!parsed.success) throw badAnswer('The list of models has another form than that of OpenAI.', parsed.error)
  const seen = new Set<string>()
  return parsed.data.data
    .flatMap((one) => {
      const id = modelId.safeParse(one.id)
      if (!id.success || seen.has(id.data) || isPassedOn(one)) return []
      seen.add(id.data)
      return [{ id: id.data, capabilities: capabilitiesOf(one) }]
    })
    .slice(0, mostModels)
}

/** Sampling settings beyond OpenAI's usual ones, by who says to own the model. Other engines drop some of them without a word, so they are refused. */
const generous: Readonly<Record<string, Partial<EngineCapabilities>>> = {
  llamacpp: { topK: true, minP: true, logitBias: true, topLogprobs: 20 },
  vllm: { topK: true, minP: true, logitBias: true, topLogprobs: 20 },
}

/**
 * What an engine of the usual kind does. Its list says little: where it tells the context or that it takes text alone, that holds; else pictures may be
 * tried, and the engine refuses them itself.
 */
function capabilitiesOf({ owned_by: owner = '', max_model_len, meta, architecture }: z.output<typeof entry>): EngineCapabilities {
  return {
    ...noCapabilities,
    contextTokens: max_model_len ?? meta?.n_ctx ?? null,
    chat: true,
    complete: true,
    embeddings: true,
    tools: true,
    parallelToolCalls: true,
    json: true,
    jsonSchema: true,
    seed: true,
    stop: true,
    penalties: true,
    images: architecture === undefined || architecture.input_modalities.includes('image'),
    ...(Object.hasOwn(generous, owner) ? generous[owner] : {}),
  }
}

type Headers = EngineHttpResponse['headers']

export const contentTypeOf = (headers: Headers): string =>
  headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1].toLowerCase() ?? ''

export const isJson = (headers: Headers): boolean => /^application\/json *(;|$)/.test(contentTypeOf(headers))

/**
 * A body as a whole.
 * @throws Failure `engine-answer-bad` when it has more than `most` bytes; it is given up then
 */
export async function bytesOf(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > most) throw badAnswer(`The engine's answer is longer than ${most} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw badAnswer('The list of models is not JSON.', cause)
  }
}

/** What an engine that speaks OpenAI's API does not send. */
export const badAnswer = (message: string, cause?: unknown): Failure<'engine-answer-bad'> =>
  new Failure('engine-answer-bad', message, {
    advice: 'Check that an OpenAI-compatible engine answers at this address.',
    words: { code: 'engine-answer-bad' },
    ...(cause !== undefined && { cause }),
  })
