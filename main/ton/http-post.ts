import type { TonClientParameters } from '@ton/ton'
import { asError, Failure } from '../base/failure.ts'

/** Why the endpoint gave no usable answer. */
export type ChainFailureCode = 'chain-unreachable' | 'chain-busy' | 'chain-refused' | 'chain-malformed'

/** Largest answer that is read; 100 transactions with big messages stay well below. */
const maxAnswerBytes = 16 * 1024 * 1024

type Adapter = NonNullable<TonClientParameters['httpAdapter']>
type Post = (config: Parameters<Adapter>[0], signal: AbortSignal) => ReturnType<Adapter>

/**
 * How `TonClient` posts its calls: by `fetch`, so that no proxy variable of the environment catches calls to 127.0.0.1, with a
 * bounded answer, until `signal` aborts, and with failures that tell "no answer" (`chain-unreachable`) from "said no" (`chain-refused`).
 */
export const postByFetch: Post = async (config, signal) => {
  const url = config.url ?? ''
  const timeoutMs = config.timeout ?? 30_000
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { ...(config.headers.toJSON() as Record<string, string>) },
      body: String(config.data),
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]),
    })
    text = await readBounded(response)
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    throw new Failure('chain-unreachable', `The TON endpoint did not answer: ${reason(thrown)}`, {
      advice: 'Check the connection; it is tried again by itself.',
      retryable: true,
      cause: thrown,
    })
  }
  if (!response.ok) throw refusal(response.status, text)
  return { data: text, status: response.status, statusText: response.statusText, headers: {}, config }
}

function refusal(status: number, text: string): Failure<ChainFailureCode> {
  const said = saidBy(text)
  if (status === 429) return new Failure('chain-busy', 'The TON endpoint asks for fewer calls (429).', { retryable: true })
  if (status === 502 || status === 503 || status === 504) {
    return new Failure('chain-unreachable', `The TON endpoint is down (${status}).`, { retryable: true })
  }
  return new Failure('chain-refused', `The TON endpoint refused the call (${status}): ${said}`)
}

/** The `error` text of a toncenter answer, cut to one short line. */
function saidBy(text: string): string {
  let said = text
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) said = String(parsed.error)
  } catch {
    said = text
  }
  return said.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 300)
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return ''
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body) {
    size += part.byteLength
    if (size > maxAnswerBytes) throw new Failure('chain-malformed', 'The TON endpoint sent an answer that is too long.')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function reason(thrown: unknown): string {
  const error = asError(thrown)
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}
