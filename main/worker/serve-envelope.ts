import {
  decodeHttpRequest,
  decodeHttpResponse,
  type HttpRequest,
  headerOf,
  withoutHopHeaders,
} from '../protocol/http/http-message.ts'
import { JsonTextError, parseJson, writeJson } from '../protocol/requests/json-text.ts'
import { type AnswerChange, sealAnswer } from '../protocol/sealed/v1/answers.ts'
import { type KeyPairing, openObject, pairing, partiesOf } from '../protocol/sealed/v1/envelope.ts'
import { EnvelopeError } from '../protocol/sealed/v1/envelope-error.ts'
import { encode } from '../protocol/tl/codec.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { type FinalInfo, type Reply, unasked } from './query-reply.ts'
import { failedBy, type QueryOutcome, type QueryToServe, type ServeContext, serveQuery } from './serve-query.ts'

interface Opened {
  /** Boxed `http.request` with the body as the client wrote it. */
  readonly query: Uint8Array
  readonly keys: KeyPairing
}

/** @throws EnvelopeError, TlError */
function open(query: Uint8Array, privateKey: Uint8Array): Opened {
  const http = decodeHttpRequest(query)
  if (headerOf(http.headers, 'content-type')?.toLowerCase().startsWith('multipart/'))
    throw new EnvelopeError('encrypted forms are not opened here')
  const envelope = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(http.body))
  if (!(envelope instanceof Map)) throw new EnvelopeError('expected json object')
  const keys = pairing(privateKey, partiesOf(envelope).sender)
  return { query: withBody(http, writeJson(openObject(envelope, keys, 'c'))), keys }
}

function withBody(http: HttpRequest, body: string): Uint8Array {
  return encode({
    '@type': 'http.request',
    method: http.method,
    url: http.path,
    http_version: 'HTTP/1.1',
    // The length was that of the envelope.
    headers: withoutHopHeaders(http.headers).map(([name, value]) => ({ '@type': 'http.header', name, value })),
    payload: new TextEncoder().encode(body),
  })
}

const invalidRequest = 'invalid http request'

/** Encrypts each JSON value of an answer on its way out (protocol 95 §4.5). */
class EnvelopeReply implements Reply {
  readonly #inner: Reply
  readonly #keys: KeyPairing
  #change: AnswerChange | undefined

  constructor(inner: Reply, keys: KeyPairing) {
    this.#inner = inner
    this.#keys = keys
  }

  async answer(response: Uint8Array, final?: FinalInfo): Promise<void> {
    this.#change = sealAnswer(headerOf(decodeHttpResponse(response).headers, 'content-type'), this.#keys)
    await this.#inner.answer(response, final)
  }

  async part(bytes: Uint8Array, final?: FinalInfo): Promise<void> {
    const sealed = [this.#change?.push(bytes), final === undefined ? undefined : this.#change?.finish()]
    await this.#inner.part(Buffer.concat(sealed.filter((part) => part !== undefined)), final)
  }

  error(code: number, text: string, final: FinalInfo): Promise<void> {
    // Errors travel readable, and what is wrong with a request names parts of it.
    return this.#inner.error(code, text.startsWith(invalidRequest) ? invalidRequest : text, final)
  }
}

/**
 * Serves one query that came with a private key: opens the envelope of upstream's scheme v1 (protocol 95 §4), serves what it holds as any other, and
 * encrypts the answer for its sender. A body without an envelope is refused.
 */
export async function serveEnvelope(
  query: QueryToServe,
  privateKey: Uint8Array,
  reply: Reply,
  context: ServeContext,
): Promise<QueryOutcome> {
  const startedAtMs = context.now()
  let opened: Opened
  try {
    opened = open(query.query, privateKey)
  } catch (thrown) {
    const isRefusal =
      thrown instanceof EnvelopeError ||
      thrown instanceof TlError ||
      thrown instanceof JsonTextError ||
      thrown instanceof TypeError
    if (!isRefusal) throw thrown
    // What a parser says may hold pieces of the text.
    const why = thrown instanceof EnvelopeError ? thrown.message : 'expected json object'
    await reply.error(peerErrorCodes.protocolViolation, `${invalidRequest}: ${why}`, unasked(startedAtMs, context.now()))
    return failedBy('an envelope did not open')
  }
  return serveQuery({ ...query, query: opened.query }, new EnvelopeReply(reply, opened.keys), context)
}
