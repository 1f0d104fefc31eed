import { Failure } from '../base/failure.ts'
import { isObject } from '../base/is-object.ts'
import { isAnswer } from './answer-forms.ts'
import type { Endpoint } from './api-request.ts'
import type { Counts } from './spending.ts'

/** What the shaping of one answer notes on its way. */
export interface Shaped {
  counts: Counts | undefined
  /** The answer said that it is whole: by a reason for its end, or by `[DONE]`. */
  isWhole: boolean
}

export interface ShapeOptions {
  readonly endpoint: Endpoint
  readonly stream: boolean
  /** The model as the caller may name it again. */
  readonly model: string
  readonly includeUsage: boolean
}

/** What a worker thinks that it cost; what it did cost is told by the gateway. */
const foreignCosts = ['prompt_total_cost', 'completion_total_cost', 'total_cost']

/**
 * One object of an answer as the caller gets it: its own name for the model, the usage only where it asked.
 * Undefined for an event that holds nothing else. `value` is changed.
 * @throws Failure `engine-refused` for an error in place of an answer, `answer-malformed`
 */
export function shaped(
  value: unknown,
  { endpoint, stream, model, includeUsage }: ShapeOptions,
  notes: Shaped,
): Record<string, unknown> | undefined {
  if (!isObject(value)) throw malformed()
  const { error, usage, choices } = value
  if (error !== undefined && error !== null) throw engineRefused(error)
  if (!isAnswer(value, endpoint, stream)) throw malformed()
  if (isObject(usage)) {
    notes.counts = { promptTokens: countOf(usage.prompt_tokens), completionTokens: countOf(usage.completion_tokens) }
    for (const name of foreignCosts) delete usage[name]
  }
  if (Array.isArray(choices) && choices.some((choice) => isObject(choice) && choice.finish_reason != null)) notes.isWhole = true
  if (!includeUsage) {
    delete value.usage
    if (isObject(usage) && Array.isArray(choices) && choices.length === 0) return undefined
  }
  value.model = model
  return value
}

export const malformed = (cause?: unknown): Failure<'answer-malformed'> =>
  new Failure('answer-malformed', 'The answer has not the form of OpenAI’s API.', {
    advice: 'Try again, or choose another model.',
    retryable: true,
    ...(cause !== undefined && { cause }),
  })

export const cutShort = (): Failure<'answer-malformed'> =>
  new Failure('answer-malformed', 'The answer ended before it was whole.', { advice: 'Try again.', retryable: true })

function engineRefused(error: unknown): Failure<'engine-refused'> {
  const said = isObject(error) && typeof error.message === 'string' ? error.message : String(error)
  return new Failure('engine-refused', `The engine refused the request: ${said.slice(0, 300)}`, {
    advice: 'Change the request, or choose another model.',
    values: { said: said.slice(0, 300) },
  })
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
}
