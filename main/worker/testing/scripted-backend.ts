import { Failure } from '../../base/failure.ts'
import type { BackendRequest, BackendResponse, OpenAiBackend } from '../../inference/openai-backend.ts'

const encoder = new TextEncoder()

/** Usage that the recorded model server stated. */
const usage = {
  prompt_tokens: 16,
  completion_tokens: 5,
  total_tokens: 21,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 1 },
}

const chunk = (content: string): unknown => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })

/** An OpenAI-compatible engine whose answer the question names. */
export class ScriptedBackend implements OpenAiBackend {
  readonly model = 'Qwen/Qwen3-8B'
  readonly requests: BackendRequest[] = []
  /** When each running request was aborted. */
  readonly abortedAt: number[] = []
  isHealthy = true
  keepsPromptsApart = true

  healthy(): boolean {
    return this.isHealthy
  }

  async handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    this.requests.push(request)
    signal.addEventListener('abort', () => this.abortedAt.push(performance.now()), { once: true })
    const asked = JSON.parse(new TextDecoder().decode(request.body)) as { stream?: boolean; messages: { content: string }[] }
    const question = asked.messages[0]?.content ?? ''
    const json = (value: unknown, status = 200): BackendResponse => ({
      status,
      reason: status === 200 ? 'OK' : 'Internal Server Error',
      headers: [
        ['content-type', 'application/json'],
        ['Connection', 'close'],
      ],
      body: bodyOf([JSON.stringify(value)]),
    })
    if (question === 'FAIL500 WITH USAGE') return json({ error: { code: 500, message: 'boom' }, usage }, 500)
    if (question === 'FAIL500') return json({ error: { code: 500, message: 'boom' } }, 500)
    if (question === 'CRASH') throw new Failure('engine-crashed', 'The engine ended unexpectedly.')
    if (question === 'SLOW')
      return await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      })
    if (question.includes('NDJSON'))
      return {
        status: 200,
        reason: 'OK',
        headers: [['content-type', 'application/x-ndjson']],
        body: bodyOf(
          ['Hello', ' from', ' fake', ' AI']
            .map((text) => `${JSON.stringify(chunk(text))}\n`)
            .concat(`${JSON.stringify({ usage })}\n`),
        ),
      }
    if (asked.stream === true)
      return {
        status: 200,
        reason: 'OK',
        headers: [
          ['content-type', 'text/event-stream; charset=utf-8'],
          ['x-cocoon-prompt-tokens', '16'],
        ],
        body: question === 'ENDLESS' ? endless(signal) : question === 'BREAK' ? breaking() : events(),
      }
    return json({ choices: [{ message: { role: 'assistant', content: 'Hello from fake AI' } }], usage })
  }
}

async function* bodyOf(parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield encoder.encode(part)
}

async function* events(): AsyncGenerator<Uint8Array> {
  for (const text of ['Hello', ' from', ' fake', ' AI']) yield encoder.encode(`data: ${JSON.stringify(chunk(text))}\n\n`)
  yield encoder.encode(`data: ${JSON.stringify({ choices: [], usage, timings: { cache_n: 4 } })}\n\ndata: [DONE]\n\n`)
}

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield encoder.encode(`data: ${JSON.stringify(chunk('half'))}\n\n`)
  throw new Failure('engine-crashed', 'The engine ended unexpectedly.')
}

/** One event every few milliseconds; ends without usage when it is aborted. */
async function* endless(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  while (!signal.aborted) {
    yield encoder.encode(`data: ${JSON.stringify(chunk('x'))}\n\n`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
