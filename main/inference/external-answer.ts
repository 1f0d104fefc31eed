import { Failure } from '../base/failure.ts'
import type { ExternalServer } from './external-backend.ts'
import { badAnswer, bytesOf, contentTypeOf, isJson } from './external-models.ts'
import type { BackendResponse } from './openai-backend.ts'

export interface ExternalQuestion {
  /** e.g. `/v1/chat/completions`. */
  readonly path: string
  /** JSON. */
  readonly body: string
  /** Whether server-sent events were asked for. */
  readonly stream: boolean
  /** Of the answer; what comes beyond is not read. */
  readonly mostBytes: number
  /** The engine may be silent for so long, before its answer and within it. Default 5 minutes: long prompts take their time. */
  readonly mostSilenceMs?: number
}

const mostErrorBytes = 64 << 10

/**
 * Asks an external engine. The engine is a stranger: an answer in another form than the one that was asked for, one without an end and one that
 * stalls are given up. A refusal (status other than 200) comes as it is, its body cut short.
 * @throws Failure `engine-unreachable`, `engine-answer-bad`, `engine-silent`, `cancelled`; in the body too, and `answer-too-large`
 */
export async function askExternal(
  server: Pick<ExternalServer, 'handle'>,
  { path, body, stream, mostBytes, mostSilenceMs = 300_000 }: ExternalQuestion,
  signal: AbortSignal,
): Promise<BackendResponse> {
  const silence = new SilenceLimit(mostSilenceMs)
  const ended = AbortSignal.any([signal, silence.signal])
  const request = {
    method: 'POST',
    path,
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', stream ? 'text/event-stream' : 'application/json'],
    ] as const,
    body: new TextEncoder().encode(body),
  }
  let response: BackendResponse
  try {
    response = await server.handle(request, ended)
  } catch (thrown) {
    silence.end()
    throw silence.signal.aborted ? silence.signal.reason : thrown
  }
  if (response.status !== 200) {
    const said = await bytesOf(response.body, mostErrorBytes).catch(() => new Uint8Array(0))
    silence.end()
    return { ...response, body: once(said) }
  }
  const isRight = stream ? /^text\/event-stream *(;|$)/.test(contentTypeOf(response.headers)) : isJson(response.headers)
  if (!isRight) {
    silence.end()
    await response.body[Symbol.asyncIterator]().return?.()
    throw badAnswer('The engine answered in another form than it was asked for.')
  }
  return { ...response, body: watched(response.body, mostBytes, silence) }
}

async function* watched(body: AsyncIterable<Uint8Array>, mostBytes: number, silence: SilenceLimit): AsyncGenerator<Uint8Array> {
  let length = 0
  try {
    for await (const part of body) {
      silence.heard()
      length += part.length
      if (length > mostBytes) throw new Failure('answer-too-large', 'The answer is longer than its limit allows.')
      yield part
    }
    // The body of an answer that is given up ends early, without an error.
    if (silence.signal.aborted) throw silence.signal.reason
  } finally {
    silence.end()
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

/** Aborts its signal when nothing is heard for too long. */
class SilenceLimit {
  readonly #control = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(mostMs: number) {
    this.#timer = setTimeout(() => this.#control.abort(silent(mostMs)), mostMs)
    this.#timer.unref()
  }

  get signal(): AbortSignal {
    return this.#control.signal
  }

  heard(): void {
    this.#timer.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

const silent = (mostMs: number): Failure<'engine-silent'> =>
  new Failure('engine-silent', `The engine said nothing for ${Math.round(mostMs / 1000)} s.`, {
    advice: 'Look at the engine, and try again.',
    retryable: true,
    values: { seconds: Math.round(mostMs / 1000) },
  })
