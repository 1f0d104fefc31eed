import type { ServerResponse } from 'node:http'
import { Failure } from '../base/failure.ts'
import { writable } from '../base/http-listener.ts'
import { isObject } from '../base/is-object.ts'
import { engineErrorIn } from '../inference/engine-error.ts'
import { SseSplitter, SseTooLongError, sseData } from '../protocol/http/sse-splitter.ts'
import { cutShort, malformed, type Shaped, type ShapeOptions, shaped } from './answer-shape.ts'
import type { AnswerEnd, RunningAnswer } from './backend.ts'
import { type ApiErrorType, ApiRefusal, aborted, asRefusal, errorBody } from './refusal.ts'

export interface PassOptions extends ShapeOptions {
  readonly signal: AbortSignal
  /** Whether it comes from elsewhere than this computer's own engine. */
  readonly isForeign: boolean
  /** What was put aside for it, in nanoton; a cost above that is marked as such. */
  readonly worstCaseNano: bigint
}

export interface Passed extends Shaped {
  end: AnswerEnd | undefined
  /** Set when the first word left. */
  firstWordAtMs: number | undefined
}

/** A document that comes over a network has at most so many bytes. This computer's own may be as long as they are: many embeddings are. */
const mostForeignBytes = 32 << 20
const mostErrorBytes = 64 << 10
/** A reader that takes nothing for so long has left. */
const mostStallMs = 60_000
const costHeader = 'X-Cocoon-Cost-Nano'
/** Only where more was charged than was put aside. */
const asideHeader = 'X-Cocoon-Put-Aside-Nano'
const decoder = new TextDecoder()

/**
 * Writes an answer to the caller. Its cost in nanoton goes along, where it is known: as a header of a document, as a comment before the end of a stream.
 * @throws what ended the answer before its first byte left. After that the caller is told by an event `error` in the stream
 */
export async function passAnswer(
  answer: RunningAnswer,
  response: ServerResponse,
  options: PassOptions,
  notes: Passed,
): Promise<void> {
  const { status, contentType } = await answer.head
  if (status !== 200) throw await refusalOf(status, answer)
  const isStream = contentType.toLowerCase().startsWith('text/event-stream')
  if (isStream !== options.stream) throw malformed()
  if (isStream) await passStream(answer, response, options, notes)
  else await passDocument(answer, response, options, notes)
}

async function passDocument(answer: RunningAnswer, response: ServerResponse, options: PassOptions, notes: Passed): Promise<void> {
  const text = await gathered(answer.body, options.isForeign ? mostForeignBytes : Number.POSITIVE_INFINITY)
  const value = shaped(parsed(text), { ...options, includeUsage: true }, notes)
  const body = Buffer.from(JSON.stringify(value))
  notes.end = await answer.end
  notes.firstWordAtMs = performance.now()
  const { costNano } = notes.end
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    ...(costNano !== undefined && { [costHeader]: costNano.toString() }),
    ...(costNano !== undefined && costNano > options.worstCaseNano && { [asideHeader]: options.worstCaseNano.toString() }),
  })
  response.end(body)
}

async function passStream(answer: RunningAnswer, response: ServerResponse, options: PassOptions, notes: Passed): Promise<void> {
  const splitter = new SseSplitter()
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
  })
  response.flushHeaders()
  try {
    for await (const chunk of answer.body) {
      const { text, broken } = textOf(splitter.push(chunk), options, notes)
      // After the caller left, what still comes is read for its usage alone.
      if (text !== '' && !response.destroyed && !response.write(text)) await patiently(response)
      if (broken !== undefined) throw broken
    }
    const { text: rest, broken } = textOf([splitter.rest()], options, notes)
    if (broken !== undefined) throw broken
    notes.end = await answer.end
    // An answer that was ended from outside must not look whole.
    if (options.signal.aborted) throw aborted(options.signal)
    if (!notes.isWhole) throw cutShort()
    response.end(`${rest}${costComments(notes.end, options.worstCaseNano)}data: [DONE]\n\n`)
  } catch (thrown) {
    const told = thrown instanceof SseTooLongError ? malformed(thrown) : thrown
    response.end(`data: ${JSON.stringify(errorBody(asRefusal(told)))}\n\n`)
    throw told
  }
}

function costComments({ costNano }: AnswerEnd, worstCaseNano: bigint): string {
  if (costNano === undefined || costNano === 0n) return ''
  const aside = costNano > worstCaseNano ? `: cocoon-put-aside-nano ${worstCaseNano}\n\n` : ''
  return `: cocoon-cost-nano ${costNano}\n\n${aside}`
}

/** Events for the caller, up to one that is none: the words before it are the caller's. */
function textOf(events: readonly Uint8Array[], options: ShapeOptions, notes: Passed): { text: string; broken?: unknown } {
  let text = ''
  try {
    for (const event of events) {
      const data = sseData(event)?.trim()
      if (data === '[DONE]') notes.isWhole = true
      if (data === undefined || data === '' || data === '[DONE]') continue
      const value = shaped(parsed(data), options, notes)
      if (value === undefined) continue
      if (notes.firstWordAtMs === undefined && hasContent(value)) notes.firstWordAtMs = performance.now()
      text += `data: ${JSON.stringify(value)}\n\n`
    }
    return { text }
  } catch (broken) {
    return { text, broken }
  }
}

/** The chunk that opens an answer only names its role. */
function hasContent({ choices }: Record<string, unknown>): boolean {
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined
  if (!isObject(first)) return false
  const { delta, text } = first
  return isWord(text) || (isObject(delta) && Object.entries(delta).some(([name, value]) => name !== 'role' && isWord(value)))
}

/** Engines write the empty beginning as an empty text or as null. */
const isWord = (value: unknown): boolean => value !== undefined && value !== null && value !== ''

async function patiently(response: ServerResponse): Promise<void> {
  await writable(response, mostStallMs)
  if (response.writableNeedDrain) response.destroy()
}

/** An error that the engine answered with. Its own words pass where they have OpenAI's form. */
async function refusalOf(status: number, { body }: RunningAnswer): Promise<ApiRefusal> {
  const text = await gathered(body, mostErrorBytes).catch(() => '')
  const said = errorIn(text)
  const known = status >= 400 && status < 600 ? status : 502
  return new ApiRefusal(said?.message ?? `The engine answered with the status ${status}.`, {
    status: known,
    type: said?.type ?? (known >= 500 ? 'server_error' : 'invalid_request_error'),
    ...(said?.param !== undefined && { param: said.param }),
    ...(said?.code !== undefined && { code: said.code }),
    // Too many at once, unless it is money that is missing there.
    retry: known === 503 || (known === 429 && said?.code !== 'insufficient_quota'),
  })
}

const types: readonly string[] = ['invalid_request_error', 'rate_limit_error', 'server_error']

function errorIn(text: string): { message?: string; type?: ApiErrorType; param?: string; code?: string } | undefined {
  const error = engineErrorIn(text)
  if (error === undefined) return undefined
  const { message, type, param, code } = error
  return {
    ...(typeof message === 'string' && { message: message.slice(0, 1000) }),
    ...(typeof type === 'string' && types.includes(type) && { type: type as ApiErrorType }),
    ...(typeof param === 'string' && { param: param.slice(0, 200) }),
    ...(typeof code === 'string' && { code: code.slice(0, 100) }),
    // What llama.cpp calls it.
    ...(type === 'exceed_context_size_error' && { code: 'context_length_exceeded' }),
  }
}

async function gathered(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > mostBytes)
      throw new Failure('answer-too-large', 'The answer is larger than any honest one.', { retryable: true })
    parts.push(part)
  }
  return decoder.decode(Buffer.concat(parts))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed(cause)
  }
}
