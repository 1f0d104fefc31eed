import { contentTypeOf } from '../inference/external-models.ts'
import type { BackendResponse } from '../inference/openai-backend.ts'
import type { AnswerEnd, RunningAnswer } from './backend.ts'

const free: Promise<AnswerEnd> = Promise.resolve({ costNano: 0n })

/** The answer of an engine that costs nothing. */
export function freeAnswer(response: Promise<BackendResponse>): RunningAnswer {
  const head = response.then(({ status, headers }) => ({ status, contentType: contentTypeOf(headers) }))
  head.catch(() => undefined)
  return {
    head,
    end: free,
    body: {
      async *[Symbol.asyncIterator]() {
        yield* (await response).body
      },
    },
  }
}
