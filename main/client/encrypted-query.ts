import { randomBytes } from 'node:crypto'
import { Failure } from '../base/failure.ts'
import { type HttpResponseHead, headerOf } from '../protocol/http/http-message.ts'
import type { JsonObject } from '../protocol/requests/json-text.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'
import type { AnswerSeal, KeyManagerOutcome } from '../protocol/sealed/outcome.ts'
import { openAnswer } from '../protocol/sealed/v1/answers.ts'
import { type KeyPairing, pairing, sealObject } from '../protocol/sealed/v1/envelope.ts'
import { EnvelopeError } from '../protocol/sealed/v1/envelope-error.ts'
import type { SealingKey } from '../ton/sealing-keys.ts'
import { FailoverQuery } from './failover-query.ts'
import { localFailure } from './query-failure.ts'
import type { HopDebug, QueryEnd, QueryHandle } from './running-query.ts'

/** A question that is to be encrypted here; its fields are those of `ChatRequest`. */
export interface EncryptedRequest {
  readonly model: string
  /** OpenAI request object as JSON text, or parsed (it is changed then); its `model` must be the same. */
  readonly body: string | JsonObject
  readonly path?: string
  readonly maxTokens?: number
  readonly maxCoefficient?: number
  readonly timeoutMs?: number
  readonly debug?: boolean
}

/** Proxies that know none of so many keys have trouble with their key manager. */
const mostKeys = 3
const envelopeField = 'is_encrypted'

/**
 * Asks with the texts encrypted for a key of the network ("v1", protocol 95 §4), and opens the answer: proxy and worker can read it, as the key
 * manager gives both the private key, and nobody between them. A key that the proxies do not know is followed by another one.
 * @param keys of the network contract, the best first
 * @param run sends what is encrypted already, as `Client.runChat`
 * @throws Failure `invalid-request` in the words of the network's workers; `no-sealing-key`; what `run` throws
 */
export function runEncrypted(
  { body, ...request }: EncryptedRequest,
  keys: readonly SealingKey[],
  run: (request: EncryptedRequest & { readonly publicKey: Uint8Array }, signal: AbortSignal) => QueryHandle,
  signal: AbortSignal,
): QueryHandle {
  const { value } = validateRequest(request.path ?? '/v1/chat/completions', body)
  if (value.has(envelopeField)) throw new Failure('invalid-request', 'The request is encrypted already.')
  const startedAt = performance.now()
  const left = keys.slice(0, mostKeys)
  const ask = (pair: KeyPairing): QueryHandle => {
    const leave = new AbortController()
    const { timeoutMs } = request
    const rest = timeoutMs === undefined ? {} : { timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAt)) }
    const sealed = { ...request, ...rest, body: sealObject(value, pair, 'c'), publicKey: pair.peer }
    return new OpenedQuery(run(sealed, AbortSignal.any([signal, leave.signal])), pair, () => leave.abort())
  }
  const attempt = (): QueryHandle | undefined => {
    for (let key = left.shift(); key !== undefined; key = left.shift()) {
      const pair = pairFor(key)
      if (pair !== undefined) return ask(pair)
    }
    return undefined
  }
  const first = attempt()
  if (first === undefined)
    throw new Failure('no-sealing-key', 'The network lists no key that a question could be encrypted for.', {
      advice: 'Wait until its key manager has listed a new one.',
      retryable: true,
    })
  return new FailoverQuery(first, (failure) => (failure.code === 'unknown-key' ? attempt() : undefined))
}

/** With a key of this side's own, for this question alone; undefined for what is listed and is no key. */
function pairFor({ publicKey }: SealingKey): KeyPairing | undefined {
  try {
    return pairing(new Uint8Array(randomBytes(32)), publicKey)
  } catch (thrown) {
    if (thrown instanceof EnvelopeError) return undefined
    throw thrown
  }
}

/** The answer to an encrypted question, opened as it comes. */
class OpenedQuery implements QueryHandle {
  readonly body: AsyncIterable<Uint8Array>
  readonly end: Promise<QueryEnd>
  readonly #inner: QueryHandle
  readonly #keys: KeyPairing
  readonly #leave: () => void
  #answer: AnswerSeal = { state: 'pending' }
  #broken: Failure | undefined

  constructor(inner: QueryHandle, keys: KeyPairing, leave: () => void) {
    this.#inner = inner
    this.#keys = keys
    this.#leave = leave
    this.body = this.#opened()
    this.end = inner.end.then(
      (end) => {
        if (this.#broken !== undefined) throw this.#broken
        return end
      },
      (thrown: unknown) => {
        if (this.#answer.state === 'pending') this.#answer = { state: 'refused' }
        throw this.#broken ?? thrown
      },
    )
    // A reader may look at one part only.
    this.end.catch(() => undefined)
  }

  get requestId(): string {
    return this.#inner.requestId
  }

  get head(): Promise<HttpResponseHead> {
    return this.#inner.head
  }

  get debug(): HopDebug | undefined {
    return this.#inner.debug
  }

  get seal(): KeyManagerOutcome {
    const receiverKey = Buffer.from(this.#keys.peer).toString('hex')
    return { scheme: 'v1', receiverKey, answer: this.#answer, usage: null }
  }

  async *#opened(): AsyncGenerator<Uint8Array> {
    const { headers } = await this.#inner.head
    const opener = openAnswer(headerOf(headers, 'content-type'), this.#keys)
    try {
      for await (const chunk of this.#inner.body) {
        const opened = opener.push(chunk)
        if (opened.length > 0) yield opened
      }
      const { stopped } = await this.#inner.end
      // A stopped answer may end anywhere.
      const rest = stopped === undefined ? opener.finish() : new Uint8Array(0)
      if (rest.length > 0) yield rest
      this.#answer = { state: stopped === undefined ? 'whole' : 'unread' }
    } catch (thrown) {
      if (!(thrown instanceof EnvelopeError)) throw thrown
      this.#answer = { state: 'broken', reason: 'altered' }
      this.#broken = localFailure(
        'seal-broken',
        'The answer is not what the worker encrypted: somebody on the way has touched it.',
        thrown,
      )
      this.#leave()
      throw this.#broken
    } finally {
      if (this.#answer.state === 'pending') this.#answer = { state: 'unread' }
    }
  }
}
