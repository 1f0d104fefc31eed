import { randomBytes } from 'node:crypto'
import { asError, Failure } from '../base/failure.ts'
import type { AdjustedTokens, Multipliers } from '../protocol/accounting/adjusted-tokens.ts'
import { type HttpResponseHead, headerOf } from '../protocol/http/http-message.ts'
import { type JsonObject, writeJson } from '../protocol/requests/json-text.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'
import type { AnswerSeal, KeyManagerOutcome, UsageEvidence } from '../protocol/sealed/outcome.ts'
import { type Asked, judgeStatedUsage, TextCount } from '../protocol/sealed/recount.ts'
import { openAnswer } from '../protocol/sealed/v1/answers.ts'
import { type KeyPairing, pairing, sealObject } from '../protocol/sealed/v1/envelope.ts'
import { EnvelopeError } from '../protocol/sealed/v1/envelope-error.ts'
import type { SealingKey } from '../ton/sealing-keys.ts'
import { BodyQueue } from './body-queue.ts'
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

/** How bills are judged, and who is told of one that does not fit to its answer. */
export interface Terms {
  /** Of the network; undefined while it was not read. */
  readonly multipliers: Multipliers | undefined
  readonly deviates: (requestId: string, usage: UsageEvidence) => void
}

interface Bill extends Pick<Terms, 'deviates'> {
  readonly asked: Asked | undefined
}

/** Of one answer so much may wait for its reader. */
const mostWaitingBytes = 8 << 20
/** Proxies that know none of so many keys have trouble with their key manager. */
const mostKeys = 3
const envelopeField = 'is_encrypted'

/**
 * Asks with the texts encrypted for a key of the network ("v1", protocol 95 §4), and opens the answer: proxy and worker can read it, as the key
 * manager gives both the private key, and nobody between them. A key that the proxies do not know is followed by another one.
 * @param keys of the network contract, the best first
 * @param run sends what is encrypted already, as `Client.runChat`; its highest price factor is 1000 unless the request says another
 * @throws Failure `invalid-request` in the words of the network's workers; `no-sealing-key`; what `run` throws
 */
export function runEncrypted(
  { body, ...request }: EncryptedRequest,
  keys: readonly SealingKey[],
  run: (request: EncryptedRequest & { readonly publicKey: Uint8Array }, signal: AbortSignal) => QueryHandle,
  { multipliers, deviates }: Terms,
  signal: AbortSignal,
): QueryHandle {
  const { value } = validateRequest(request.path ?? '/v1/chat/completions', body)
  if (value.has(envelopeField)) throw new Failure('invalid-request', 'The request is encrypted already.')
  const queryBytes = Buffer.byteLength(writeJson(value))
  const { maxCoefficient = 1000 } = request
  const bill: Bill = { asked: multipliers && { queryBytes, maxCoefficient, multipliers }, deviates }
  const startedAt = performance.now()
  const left = keys.slice(0, mostKeys)
  const ask = (pair: KeyPairing): QueryHandle => {
    const leave = new AbortController()
    const { timeoutMs } = request
    const rest = timeoutMs === undefined ? {} : { timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAt)) }
    const sealed = { ...request, ...rest, body: sealObject(value, pair, 'c'), publicKey: pair.peer }
    return new OpenedQuery(run(sealed, AbortSignal.any([signal, leave.signal])), pair, bill, () => leave.abort())
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

/** The answer to an encrypted question, opened as it comes, whoever reads it: its end waits for the check of the last byte. */
class OpenedQuery implements QueryHandle {
  readonly end: Promise<QueryEnd>
  readonly #inner: QueryHandle
  readonly #keys: KeyPairing
  readonly #bill: Bill
  readonly #body = new BodyQueue(mostWaitingBytes)
  readonly #text = new TextCount()
  #answer: AnswerSeal = { state: 'pending' }
  #usage: UsageEvidence | null = null

  /** @param leave ends the query on its way */
  constructor(inner: QueryHandle, keys: KeyPairing, bill: Bill, leave: () => void) {
    this.#inner = inner
    this.#keys = keys
    this.#bill = bill
    this.end = this.#opened().catch((thrown: unknown) => {
      const failure = this.#failureOf(thrown)
      leave()
      this.#body.end(failure)
      throw failure
    })
    // A reader may look at one part only.
    this.end.catch(() => undefined)
  }

  get requestId(): string {
    return this.#inner.requestId
  }

  get head(): Promise<HttpResponseHead> {
    return this.#inner.head
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#body
  }

  get debug(): HopDebug | undefined {
    return this.#inner.debug
  }

  get seal(): KeyManagerOutcome {
    const receiverKey = Buffer.from(this.#keys.peer).toString('hex')
    return { scheme: 'v1', receiverKey, answer: this.#answer, usage: this.#usage }
  }

  async #opened(): Promise<QueryEnd> {
    const head = await headOrEnd(this.#inner)
    if ('end' in head) {
      this.#answer = { state: 'unread' }
      this.#body.end()
      return head.end
    }
    const opener = openAnswer(headerOf(head.headers, 'content-type'), this.#keys)
    for await (const chunk of this.#inner.body) this.#pass(opener.push(chunk))
    const end = await this.#inner.end
    // A stopped answer may end anywhere.
    if (end.stopped === undefined) this.#pass(opener.finish())
    this.#answer = { state: end.stopped === undefined ? 'whole' : 'unread' }
    if (end.tokens !== undefined && end.stopped === undefined) this.#judge(end.tokens)
    this.#body.end()
    return end
  }

  #pass(opened: Uint8Array): void {
    this.#text.push(opened)
    if (!this.#body.push(opened)) throw localFailure('answer-too-large', 'The answer came faster than it was read.')
  }

  #judge(stated: AdjustedTokens): void {
    const { asked, deviates } = this.#bill
    if (asked === undefined) return
    this.#usage = judgeStatedUsage(stated, this.#text, asked)
    if (this.#usage.deviations.length > 0) deviates(this.requestId, this.#usage)
  }

  #failureOf(thrown: unknown): Error {
    if (thrown instanceof EnvelopeError) {
      this.#answer = { state: 'broken', reason: 'altered' }
      return localFailure(
        'seal-broken',
        'The answer is not what the worker encrypted: somebody on the way has touched it.',
        thrown,
      )
    }
    const isCutOff = thrown instanceof Failure && cutOff.has(thrown.code)
    this.#answer = { state: isCutOff ? 'unread' : 'refused' }
    return asError(thrown)
  }
}

/** Failures that are no word of proxy or worker. */
const cutOff: ReadonlySet<string> = new Set(['connection-lost', 'timeout', 'answer-too-large'])

/** The head, or the end of what was stopped before it had one. Throws what the query failed with. */
async function headOrEnd({ head, end }: QueryHandle): Promise<HttpResponseHead | { readonly end: QueryEnd }> {
  try {
    return await head
  } catch {
    return { end: await end }
  }
}
