import type { BackendResponse, OpenAiBackend } from '../../main/inference/openai-backend.ts'

const encoder = new TextEncoder()
const headers: BackendResponse['headers'] = [['Content-Type', 'text/event-stream; charset=utf-8']]
const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'bench/model' }
const choice = { index: 0, logprobs: null, finish_reason: null }
const event = (value: object): Uint8Array => encoder.encode(`data: ${JSON.stringify({ ...head, ...value })}\n\n`)
const role = (): Uint8Array => event({ choices: [{ ...choice, delta: { role: 'assistant', content: '' } }], usage: null })
const word = (): Uint8Array => event({ choices: [{ ...choice, delta: { content: ' word' } }], usage: null })

/** The back end that stands behind all sides; what stands behind it can be changed. */
export class MeasuredBackend implements OpenAiBackend {
  readonly model = 'bench/model'
  #behind: OpenAiBackend
  /** When the present answer was told to end, by performance.now(). */
  ended = Promise.withResolvers<number>()

  constructor(behind: OpenAiBackend) {
    this.#behind = behind
  }

  set behind(behind: OpenAiBackend) {
    this.#behind = behind
  }

  healthy(): boolean {
    return true
  }

  handle(request: Parameters<OpenAiBackend['handle']>[0], signal: AbortSignal): Promise<BackendResponse> {
    signal.addEventListener('abort', () => this.ended.resolve(performance.now()), { once: true })
    return this.#behind.handle(request, signal)
  }
}

/** Answers at once, in the engine's form: what is left of the time is that of the way, and little of the machine's mood. */
export function instantBackend(tokens: number): OpenAiBackend {
  return scripted(async function* () {
    yield role()
    for (let token = 0; token < tokens; token++) {
      yield word()
      // As with an engine in a process of its own: others get their turn between two tokens.
      await new Promise((resolve) => setImmediate(resolve))
    }
    const finish = { choices: [{ ...choice, delta: {}, finish_reason: 'length' }], usage: null }
    yield event(finish)
    yield event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: tokens, total_tokens: tokens + 9 } })
    yield encoder.encode('data: [DONE]\n\n')
  })
}

/** A word each 5 ms until it is told to end. */
export function endlessBackend(): OpenAiBackend {
  return scripted(async function* (signal) {
    yield role()
    for (let token = 1; token < 400 && !signal.aborted; token++) {
      yield word()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    yield event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 9, total_tokens: 18 } })
  })
}

function scripted(body: (signal: AbortSignal) => AsyncGenerator<Uint8Array>): OpenAiBackend {
  return {
    model: 'bench/model',
    healthy: () => true,
    handle: async (_request, signal) => ({ status: 200, reason: 'OK', headers, body: body(signal) }),
  }
}
