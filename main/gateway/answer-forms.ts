import { z } from 'zod'
import type { Endpoint } from './api-request.ts'

/** Engines write what is not there as null, or leave it out. */
const optional = <T extends z.ZodType>(schema: T) => schema.nullish()
const count = z.int().nonnegative()
const index = optional(count)
const text = optional(z.string())

/** Engines have words of their own beside OpenAI's, e.g. `abort`; none of them makes an answer worthless. */
const reason = optional(z.string().regex(/^[a-z_]{1,40}$/))
const usage = optional(
  z.looseObject({ prompt_tokens: optional(count), completion_tokens: optional(count), total_tokens: optional(count) }),
)
/** Of a stream some are empty at first, and calls come in pieces. */
const role = optional(z.enum(['assistant', '']))
const call = z.looseObject({ index, id: text, function: optional(z.looseObject({ name: text, arguments: text })) })
const words = z.looseObject({ role, content: text, reasoning_content: text, refusal: text, tool_calls: optional(z.array(call)) })

const answer = (choice: z.ZodType, least: number) => z.looseObject({ choices: z.array(choice).min(least), usage })
const completion = z.looseObject({ index, text: z.string(), finish_reason: reason })
const vector = z.union([z.string(), z.custom((value) => Array.isArray(value) && value.every(Number.isFinite))])

/** What OpenAI's API answers with; more fields may stand beside these. */
const documents: Readonly<Record<Endpoint, z.ZodType>> = {
  chat: answer(z.looseObject({ index, message: words, finish_reason: reason }), 1),
  completions: answer(completion, 1),
  embeddings: z.looseObject({ data: z.array(z.looseObject({ index, embedding: vector })), usage }),
}
/** The event that tells the usage has no choice. */
const events: Readonly<Record<Exclude<Endpoint, 'embeddings'>, z.ZodType>> = {
  chat: answer(z.looseObject({ index, delta: words, finish_reason: reason }), 0),
  completions: answer(completion, 0),
}

/** Whether an object is an answer to a request of that endpoint, or an event of a streamed one, as OpenAI's clients read it. */
export function isAnswer(value: unknown, endpoint: Endpoint, stream: boolean): boolean {
  const form = stream && endpoint !== 'embeddings' ? events[endpoint] : documents[endpoint]
  return form.safeParse(value).success
}
