import { asError, Failure } from '../base/failure.ts'
import { type CapableEngine, canAnswer, type Engine, type EngineEvent } from './engine.ts'
import { AnswerShape, embeddingsBody } from './openai-answer.ts'
import type { BackendRequest, BackendResponse, OpenAiBackend } from './openai-backend.ts'
import { BadRequest, type ParsedRequest, parseEmbedding, parseRequest } from './openai-request.ts'

export interface EngineBackendOptions {
  /** Gives no embeddings unless it is one that can be asked for them. */
  readonly engine: Engine | CapableEngine
  /** Base name of the served model; requests must name it. */
  readonly model: string
  /** Lane of these requests in the engine's line (see `GenerationOptions`). Default `served`. */
  readonly lane?: string
}

/**
 * Speaks OpenAI's HTTP API for an engine: `POST /v1/chat/completions`, `POST /v1/completions`, `POST /v1/embeddings` and `GET /v1/models`. Errors before the
 * first token are responses with an OpenAI error body; a failure in the middle of a stream is thrown from the body; after an abort the
 * body ends with the usage so far, if usage was asked for, and without `[DONE]`. A request aborted before its answer began throws `Failure` `cancelled`.
 */
export function createEngineBackend({ engine, model, lane = 'served' }: EngineBackendOptions): OpenAiBackend {
  const startedS = Math.floor(Date.now() / 1000)
  return {
    model,
    keepsPromptsApart: true,
    healthy: () => canAnswer(engine.state.value),
    async handle(request, signal) {
      try {
        return await route(request, signal)
      } catch (error) {
        return errorResponse(error, request.path)
      }
    },
  }

  async function route(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse> {
    const method = request.method.toUpperCase()
    if (request.path === '/v1/models') {
      if (method !== 'GET') throw wrongMethod(method)
      if (!canAnswer(engine.state.value)) throw new Failure('engine-not-ready', 'No model is ready.', { retryable: true })
      return jsonResponse(200, { object: 'list', data: [{ id: model, object: 'model', created: startedS, owned_by: 'cocoon' }] })
    }
    if (request.path === '/v1/embeddings' && 'embed' in engine) {
      if (method !== 'POST') throw wrongMethod(method)
      const parsed = parseEmbedding(request.body, model)
      return jsonResponse(200, embeddingsBody(parsed, await engine.embed(parsed.inputs, signal), model))
    }
    const kind = request.path === '/v1/chat/completions' ? 'chat' : request.path === '/v1/completions' ? 'complete' : undefined
    if (request.path === '/v1/audio/transcriptions')
      throw new BadRequest('This engine does not turn audio into text: it runs text models only.', 'file', 'not_capable', 400)
    if (kind === undefined) throw new BadRequest(`Unknown path: ${request.path.slice(0, 200)}`, null, 'not_found', 404)
    if (method !== 'POST') throw wrongMethod(method)
    const parsed = parseRequest(kind, request.body, model)
    const { cacheScope } = request
    const options = { ...parsed.options, lane, ...(cacheScope !== undefined && { cacheScope }) }
    const events =
      parsed.input.kind === 'chat'
        ? engine.chat(parsed.input.messages, options, signal)
        : engine.complete(parsed.input.prompt, options, signal)
    const iterator = events[Symbol.asyncIterator]()
    // The first event decides between an error response and an answer.
    const first = await iterator.next().catch((thrown: unknown) => {
      if (!(thrown instanceof Failure && thrown.code === 'bad-schema')) throw thrown
      const param = options.output === undefined ? 'tools' : 'response_format'
      throw new BadRequest(thrown.message, param, 'invalid_json_schema')
    })
    return parsed.stream ? streamed(parsed, first, iterator) : await whole(parsed, first, iterator)
  }

  function streamed(
    parsed: ParsedRequest,
    first: IteratorResult<EngineEvent>,
    rest: AsyncIterator<EngineEvent>,
  ): BackendResponse {
    const shape = new AnswerShape(parsed, model)
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        const opening = shape.opening()
        if (opening !== undefined) yield sse(opening)
        for (let next = first; !next.done; next = await rest.next()) {
          const event = next.value
          if (event.type === 'context') continue
          if (event.type !== 'done') {
            shape.add(event)
            yield sse(shape.piece(event))
            continue
          }
          // A stopped answer ends without a finish reason, but what it used is still told: somebody may have to pay for it.
          if (event.reason !== 'cancelled') yield sse(shape.finish(event.reason))
          if (parsed.includeUsage) yield sse(shape.usage(event.usage))
          if (event.reason !== 'cancelled') yield bytes('data: [DONE]\n\n')
        }
      } finally {
        // A reader that leaves early ends the generation.
        await rest.return?.()
      }
    }
    const headers = [
      ['Content-Type', 'text/event-stream; charset=utf-8'],
      ['Cache-Control', 'no-cache'],
    ] as const
    return { status: 200, reason: 'OK', headers, body: body() }
  }

  async function whole(
    parsed: ParsedRequest,
    first: IteratorResult<EngineEvent>,
    rest: AsyncIterator<EngineEvent>,
  ): Promise<BackendResponse> {
    const shape = new AnswerShape(parsed, model)
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        const event = next.value
        if (event.type === 'context') continue
        if (event.type !== 'done') {
          shape.add(event)
          continue
        }
        if (event.reason === 'cancelled') throw cancelled()
        return jsonResponse(200, shape.whole(event.reason, event.usage))
      }
    } finally {
      // The engine lets go of a request when its events are read to their end, or given up.
      await rest.return?.()
    }
    throw new Failure('generation-failed', 'The engine ended without a result.', { retryable: true })
  }
}

/** Names of fields here by those of the engine. */
const params: Readonly<Record<string, string>> = {
  output: 'response_format',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  topK: 'top_k',
  minP: 'min_p',
  logitBias: 'logit_bias',
  reasoning: 'reasoning_format',
  toolChoice: 'tool_choice',
  maxTokens: 'max_tokens',
  topP: 'top_p',
}

const unavailable: ReadonlySet<string> = new Set([
  'engine-not-ready',
  'engine-crashed',
  'engine-yielded',
  'engine-busy',
  'too-little-memory',
])

/** What the text of a request is called, by path. */
const texts: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'messages',
  '/v1/completions': 'prompt',
  '/v1/embeddings': 'input',
}

function errorResponse(thrown: unknown, path: string): BackendResponse {
  const error = asError(thrown)
  if (error instanceof BadRequest)
    return jsonResponse(error.status, errorBody(error.message, 'invalid_request_error', error.param, error.code))
  if (error instanceof Failure) {
    if (error.code === 'cancelled') throw error
    const field = String(error.words.values?.field ?? '')
    const param = params[field] ?? (field || null)
    const bad = (param: string | null, code: string) =>
      jsonResponse(400, errorBody(error.message, 'invalid_request_error', param, code))
    if (error.code === 'context-too-small') return bad(texts[path] ?? null, 'context_length_exceeded')
    if (error.code === 'not-capable') return bad(param, 'unsupported_parameter')
    if (error.code === 'bad-request') return bad(param, 'invalid_value')
    const status = unavailable.has(error.code) ? 503 : 500
    return jsonResponse(status, errorBody(error.message, 'server_error', null, error.code.replaceAll('-', '_')))
  }
  return jsonResponse(500, errorBody('The engine failed.', 'server_error', null, null))
}

function errorBody(message: string, type: string, param: string | null, code: string | null): object {
  return { error: { message, type, param, code } }
}

function wrongMethod(method: string): BadRequest {
  return new BadRequest(`Method ${method.slice(0, 20)} is not allowed here.`, null, 'method_not_allowed', 405)
}

function cancelled(): Failure<'cancelled'> {
  return new Failure('cancelled', 'The request was cancelled.')
}

const reasons: Record<number, string> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

function jsonResponse(status: number, value: object): BackendResponse {
  const body = bytes(JSON.stringify(value))
  const headers = [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
  ] as const
  const one = async function* (): AsyncGenerator<Uint8Array> {
    yield body
  }
  return { status, reason: reasons[status] ?? '', headers, body: one() }
}

function sse(value: object): Uint8Array {
  return bytes(`data: ${JSON.stringify(value)}\n\n`)
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
