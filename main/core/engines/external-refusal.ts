import { Failure } from '../../base/failure.ts'
import { engineErrorIn } from '../../inference/engine-error.ts'
import { isKeyRefused, keyRefused } from '../../inference/external-models.ts'
import type { BackendResponse } from '../../inference/openai-backend.ts'

/** What engines call a prompt that is too long for them: OpenAI and vLLM, llama.cpp. */
const tooLong: readonly unknown[] = ['context_length_exceeded', 'exceed_context_size_error']

/** Why an external engine did not answer, for people. Its own words are cut short; they are another program's. */
export async function refusalOf({ status, body }: BackendResponse, contextTokens: number | undefined): Promise<Failure> {
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  const error = engineErrorIn(Buffer.concat(parts).toString('utf8'))
  const message = typeof error?.message === 'string' ? error.message : `The engine answered with the status ${status}.`
  const said = message.replaceAll(/\p{C}+/gu, ' ').slice(0, 300)
  if (isKeyRefused(status)) return keyRefused()
  if (tooLong.includes(error?.code) || tooLong.includes(error?.type))
    return new Failure('context-too-small', `The text is too long for this model: ${said}`, {
      advice: 'Shorten the text, or start a new chat.',
      ...(contextTokens === undefined
        ? { words: { code: 'engine-refused', values: { said } } }
        : { values: { most: contextTokens } }),
    })
  return new Failure('engine-refused', `The engine refused the request: ${said}`, {
    retryable: status >= 500 || status === 429,
    values: { said },
  })
}
