import type { ServerResponse } from 'node:http'
import { Failure } from '../../base/failure.ts'
import { writable } from '../../base/http-listener.ts'
import { type QueryHandle, stoppedFailure } from '../../client/running-query.ts'
import {
  type HeaderList,
  type HttpResponseHead,
  headerOf,
  timingHeader,
  withoutHopHeaders,
} from '../../protocol/http/http-message.ts'
import { debugTail, type QueryDebug, withDebug } from './query-debug.ts'

/** An answer in one document up to this size leaves in one piece with its length; longer ones leave as they come. */
const mostGathered = 256 * 1024
const names = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/**
 * What an engine, a stranger's, may say in the name of this address: what the body is, when to ask again, ids and limits as OpenAI's own clients read them, and the
 * times of the other hops. Whatever else browsers obey stays away: who may read the answer, what is kept, where to go.
 */
const passed =
  /^(content-type|content-encoding|content-language|retry-after|date|server|x-request-id|x-ratelimit-.+|openai-.+|x-cocoon-(worker|proxy)-.+)$/i
/** What may stand in a header: no line breaks and no other control characters. */
const values = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Writes the answer of a query as an HTTP response: status, reason and headers of the engine with the times of every hop (protocol 30 §7.5),
 * the body as it comes, and what the hops say where the program asked for it. Returns the bytes of the body, and what broke it off.
 * @throws Failure what ended the query before its answer began; after that the response is cut off, so that nobody takes it for whole
 */
export async function passAnswer(
  handle: QueryHandle,
  response: ServerResponse,
  startedAtMs: number,
  debug?: QueryDebug,
): Promise<{ readonly bytes: number; readonly broken?: unknown }> {
  const head = await handle.head
  debug?.answered(Date.now())
  if (head.status < 200 || head.status > 599)
    throw new Failure('answer-malformed', `The answer has the HTTP status ${head.status}.`)
  const headers = safeHeaders(head, startedAtMs)
  let gathered: Uint8Array[] | undefined = isOneDocument(head.headers) ? [] : undefined
  let bytes = 0
  const begin = (length?: number): void => {
    const body = length === undefined ? [] : ['Content-Length', String(length)]
    response.writeHead(head.status, safeReason(head.reason), [...headers, ...body])
  }
  if (gathered === undefined) {
    begin()
    response.flushHeaders()
  }
  try {
    for await (const chunk of handle.body) {
      bytes += chunk.length
      if (gathered !== undefined) {
        gathered.push(chunk)
        if (bytes <= mostGathered) continue
        begin()
        for (const part of gathered) response.write(part)
        gathered = undefined
      } else if (!response.write(chunk)) await writable(response)
    }
    const end = await handle.end
    if (end.stopped !== undefined) throw stoppedFailure()
  } catch (thrown) {
    if (gathered !== undefined) throw thrown
    response.destroy()
    return { bytes, broken: thrown }
  }
  const entry = debug?.entry(handle.debug, Date.now())
  const contentType = headerOf(head.headers, 'content-type')
  if (gathered !== undefined) {
    const plain = gathered.length === 1 && gathered[0] !== undefined ? gathered[0] : Buffer.concat(gathered)
    const body = entry === undefined ? plain : Buffer.from(withDebug(Buffer.from(plain).toString('utf8'), contentType, entry))
    begin(body.length)
    // As letters of one byte each it leaves with the head in one string; two buffers would take a longer way.
    response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1')
  } else response.end(entry === undefined ? undefined : debugTail(contentType, entry))
  return { bytes }
}

function isOneDocument(headers: HeaderList): boolean {
  return headerOf(headers, 'content-type')?.toLowerCase().startsWith('application/json') ?? false
}

/** As Node writes them: names and values in turn. What cannot stand in a header is left out; it came from a stranger. */
function safeHeaders(head: HttpResponseHead, startedAtMs: number): string[] {
  const all: HeaderList = [
    ...withoutHopHeaders(head.headers).filter(([name]) => passed.test(name)),
    // A page that shows an answer must take it for nothing else.
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Cocoon-Client-Start', timingHeader(startedAtMs)],
    ['X-Cocoon-Client-End', timingHeader(Date.now())],
  ]
  return all.filter(([name, value]) => names.test(name) && values.test(value)).flat()
}

function safeReason(reason: string): string {
  return values.test(reason) ? reason : ''
}
