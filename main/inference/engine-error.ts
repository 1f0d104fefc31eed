import { isObject } from '../base/is-object.ts'

/**
 * The error in the body of a refusal, in OpenAI's form where it has it. Other programs write its text alone: Ollama as `error`, older vLLM as `message`,
 * servers made with FastAPI as `detail`. Undefined where there is none.
 */
export function engineErrorIn(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The status says enough.
    return undefined
  }
  if (!isObject(value)) return undefined
  if (isObject(value.error)) return value.error
  const message = [value.error, value.message, value.detail].find((one) => typeof one === 'string')
  return message === undefined ? undefined : { message }
}
