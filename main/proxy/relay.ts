import type { Multipliers } from '../../contracts/params.ts'
import { asError } from '../base/failure.ts'
import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import { keyField } from '../protocol/handshake/versions.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { peerErrorCodes, WireError } from '../protocol/wire/wire-error.ts'
import { clientFunds, contractOf, coveredTokens } from './admission.ts'
import { answerMessage, proxyErrorMessage, workerErrorMessage } from './client-answer.ts'
import { withTimingHeaders } from './http-messages.ts'
import type { Ledger } from './ledger.ts'
import type { PaymentDesk } from './payment-desk.ts'
import type { Fault, Quarantine } from './quarantine.ts'
import type { Rates } from './rates.ts'
import { Refusal } from './refusal.ts'
import type { RunningQuery, WorkerSeat } from './seats.ts'
import { cappedUsage, checkUsage, type TokensUsed } from './usage-check.ts'
import type { WorkerAnswer, WorkerFinal } from './worker-answer.ts'

export interface RelayOptions {
  readonly ledger: Ledger
  readonly desk: PaymentDesk
  readonly quarantine: Quarantine
  readonly rates: Rates
  readonly logger: Logger
  /** Unix ms. */
  readonly now: () => number
  readonly multipliers: () => Multipliers
  /** nanoton per adjusted token */
  readonly pricePerToken: () => bigint
  /** How a client's owner is named to its workers. */
  readonly ownerText: (query: RunningQuery) => string
  readonly onChange: () => void
}

interface PeerError {
  readonly code: number
  readonly text: string
}

/** Of a worker's error only so much is passed on: it has to fit into one frame with what the proxy adds. */
const mostErrorLetters = 4_000
const mostDebugLetters = 1_000_000

/** How newer workers end an answer in which their engine says that the request was wrong (95 §5). */
const refusedByEngine = /backend HTTP status 4\d\d/
/** Errors of a worker that say nothing bad about it: the request was wrong, or somebody wanted it to end. */
const notTheWorkersFault: ReadonlySet<number> = new Set([
  peerErrorCodes.error,
  peerErrorCodes.protocolViolation,
  peerErrorCodes.cancelled,
])

/** Carries running queries from start to booking (50 §3 "Forward", §4, §5). */
export class Relay {
  readonly #o: RelayOptions

  constructor(options: RelayOptions) {
    this.#o = options
  }

  /** Reserves, arms the timer and sends the query to its worker. */
  start(query: RunningQuery, timeoutSeconds: number, bytes: Uint8Array): void {
    const { client, worker } = query
    client.running.set(query.clientKey, query)
    worker.running.set(query.workerKey, query)
    client.account.reserved += query.reserved
    client.account.running += 1
    worker.account.running += 1
    query.timer = setTimeout(() => {
      this.cancelWorker(query)
      this.fail(query, { code: peerErrorCodes.timeout, text: 'timeout in proxy' }, 'failure')
    }, timeoutSeconds * 1000)
    worker.send(this.#forwarded(query, timeoutSeconds * 0.95, bytes)).catch((thrown: unknown) => {
      this.#o.logger.warn('a query could not be sent to its worker', { error: asError(thrown).message })
      // Much was asked of it at once: the worker has done nothing wrong.
      if (thrown instanceof WireError && thrown.code === 'send-buffer-full')
        return this.fail(query, { code: peerErrorCodes.notReady, text: 'the worker is still taking in other requests' })
      this.fail(query, { code: peerErrorCodes.notReady, text: 'the worker was lost' }, 'failure')
    })
  }

  #forwarded(
    query: RunningQuery,
    timeout: number,
    bytes: Uint8Array,
  ): TlObject<'proxy.runQuery' | 'proxy.runQueryEx' | 'proxy.runSealedQuery'> {
    const shared = {
      query: bytes,
      signed_payment: this.#o.desk.signed(query.worker.account),
      coefficient: BigInt(query.worker.coefficient),
      timeout,
      request_id: query.workerRequestId,
    }
    if (query.sealedTo !== undefined) {
      const worker_key = query.sealedTo
      return { '@type': 'proxy.runSealedQuery', ...shared, flags: 1, enable_debug: query.style.enableDebug, worker_key }
    }
    if (query.worker.version === 0) return { '@type': 'proxy.runQuery', ...shared }
    const privateKey = keyField(query.worker.version, query.privateKey)
    return {
      '@type': 'proxy.runQueryEx',
      ...shared,
      enable_debug: query.style.enableDebug,
      ...(privateKey === undefined ? { flags: 1 } : { flags: 3, private_key: privateKey }),
    }
  }

  /** Tells the worker to stop, once, if it announced that it understands that (docs/protocol-extensions.md). */
  cancelWorker(query: RunningQuery): void {
    if (query.cancelled || !query.worker.cancels) return
    query.cancelled = true
    query.worker.send({ '@type': 'proxy.cancelQuery', request_id: query.workerRequestId }).catch((thrown: unknown) => {
      this.#o.logger.debug('a cancel was not sent', { error: asError(thrown).message })
    })
  }

  /** A worker's message. Those of unknown, finished or foreign requests are ignored (50 §4). */
  workerAnswer(seat: WorkerSeat, answer: WorkerAnswer): void {
    const query = seat.running.get(hexOf(answer.id))
    if (query === undefined) return
    if (answer.kind === 'error') return this.#workerError(query, answer, answer.final)
    try {
      this.#pass(query, answer.kind, answer.bytes, answer.final)
    } catch (thrown) {
      if (!(thrown instanceof Refusal) && !(thrown instanceof TlError)) throw thrown
      // 621 also for what is the worker's fault: the golden behaviour of the reference proxy (golden.vectors.test.ts).
      const code = thrown instanceof Refusal ? thrown.code : peerErrorCodes.protocolViolation
      const text = thrown instanceof Refusal ? thrown.message : 'proxy: received incorrect answer'
      this.#o.logger.warn('a worker broke the protocol', { worker: seat.account.owner.toString(), error: thrown.message })
      this.cancelWorker(query)
      this.fail(query, { code, text }, 'violation')
    }
  }

  #pass(query: RunningQuery, kind: 'answer' | 'part', bytes: Uint8Array, told: WorkerFinal | undefined): void {
    const nowMs = this.#o.now()
    let out = bytes
    if (kind === 'answer') {
      if (query.answered) throw new Refusal(peerErrorCodes.protocolViolation, 'second answer to one query')
      const stamped = withTimingHeaders(bytes, query.startedMs / 1000, nowMs / 1000)
      query.answerStartMs = nowMs
      out = stamped.bytes
      query.answerBytes += stamped.bodyBytes
    } else {
      if (!query.answered) throw new Refusal(peerErrorCodes.protocolViolation, 'out of order answer parts')
      query.answerBytes += bytes.length
    }
    if (told !== undefined) this.#check(query, told.usage)
    const final = told && { ...told, usage: this.#covered(query, told.usage) }
    this.#o.rates.bytes_sent.add(out.length, nowMs)
    if (!query.unread) {
      const ending = final && { usage: final.usage, worker: final, times: this.#times(query) }
      // What came in one frame may be too large for one with the proxy's own headers and times.
      if (!query.client.post(query.clientKey, answerMessage(query.style, kind, out, ending)))
        throw new Refusal(peerErrorCodes.protocolViolation, 'a part of the answer is too large')
    }
    query.answered = true
    if (final !== undefined) this.#succeed(query, final)
  }

  #check(query: RunningQuery, usage: TokensUsed): void {
    const { bodyLimit, choices } = query.facts
    const bounds = {
      queryBytes: query.queryBytes,
      maxTokens: query.maxTokens * choices,
      bodyLimited: bodyLimit !== undefined,
      answerBytes: query.answerBytes,
      coefficient: Math.min(Math.max(query.coefficient, query.worker.coefficient), query.maxCoefficient),
    }
    checkUsage(usage, bounds, this.#o.multipliers())
  }

  /** No more than the client's contract covers: beyond that it would pay nothing, and the proxy would owe the worker. */
  #covered(query: RunningQuery, usage: TokensUsed): TokensUsed {
    const { account } = query.client
    const most = coveredTokens(clientFunds(contractOf(account), this.#o.pricePerToken(), account), query.reserved)
    if (usage.total_tokens_used > most)
      this.#o.logger.warn('an answer used more than its client covers', { used: usage.total_tokens_used, covered: most })
    return cappedUsage(usage, most)
  }

  #times(query: RunningQuery) {
    return {
      startSeconds: query.startedMs / 1000,
      answerStartSeconds: query.answerStartMs / 1000,
      endSeconds: this.#o.now() / 1000,
    }
  }

  #succeed(query: RunningQuery, final: WorkerFinal): void {
    const { ledger, quarantine, rates, now } = this.#o
    const nowMs = now()
    const { usage } = final
    ledger.book(query.client.account, query.worker.account, usage.total_tokens_used)
    rates.success.add(1, nowMs)
    rates.total_adjusted_tokens_used.add(Number(usage.total_tokens_used), nowMs)
    rates.prompt_adjusted_tokens_used.add(Number(usage.prompt_tokens_used), nowMs)
    rates.cached_adjusted_tokens_used.add(Number(usage.cached_tokens_used), nowMs)
    rates.completion_adjusted_tokens_used.add(Number(usage.completion_tokens_used), nowMs)
    rates.reasoning_adjusted_tokens_used.add(Number(usage.reasoning_tokens_used), nowMs)
    const { worker } = query
    worker.durations.add(nowMs - query.startedMs, nowMs)
    worker.successes.add(1, nowMs)
    const workerMs = (final.endSeconds - final.startSeconds) * 1000
    if (workerMs >= 0 && workerMs < 86_400_000) worker.workerDurations.add(workerMs, nowMs)
    quarantine.succeed(worker.faultKey)
    this.#close(query, usage.total_tokens_used)
  }

  #workerError(query: RunningQuery, error: PeerError, final: WorkerFinal): void {
    const times = this.#times(query)
    const told = { code: error.code, text: error.text.slice(0, mostErrorLetters) }
    const worker = { ...final, debug: final.debug.slice(0, mostDebugLetters) }
    const message = workerErrorMessage(query.style, told, query.answered, { usage: final.usage, worker, times })
    const isBlameless = notTheWorkersFault.has(error.code) || (query.answered && refusedByEngine.test(error.text))
    this.#end(query, message, isBlameless ? undefined : 'failure')
  }

  /** Ends a query with an error of the proxy's own. Nobody is charged. */
  fail(query: RunningQuery, error: PeerError, fault?: Fault): void {
    if (!query.worker.running.has(query.workerKey)) return
    this.#end(query, proxyErrorMessage(query.style, error, query.answered, this.#times(query)), fault)
  }

  #end(query: RunningQuery, message: TlObject, fault: Fault | undefined): void {
    const nowMs = this.#o.now()
    this.#o.rates.failed.add(1, nowMs)
    query.worker.durations.add(nowMs - query.startedMs, nowMs)
    if (fault !== undefined) this.#o.quarantine.report(query.worker.faultKey, fault, nowMs)
    if (!query.unread) query.client.post(query.clientKey, message)
    this.#close(query, 0n)
  }

  /** Releases what the query held and sends both payments, once the count behind them is on disk (50 §5). */
  #close(query: RunningQuery, tokens: bigint): void {
    const { client, worker } = query
    clearTimeout(query.timer)
    client.running.delete(query.clientKey)
    worker.running.delete(query.workerKey)
    client.account.reserved -= query.reserved
    client.account.running -= 1
    worker.account.running -= 1
    this.#o.rates.time.add((this.#o.now() - query.startedMs) / 1000, this.#o.now())
    // Requests that share a commit are accounted for one by one: the total that goes with each is the one right after it.
    const totals = { client: client.account.max, worker: worker.account.max }
    this.#o.desk.afterCommit(() => this.#pay(query, tokens, totals))
    this.#o.onChange()
  }

  #pay(query: RunningQuery, tokens: bigint, totals: { readonly client: bigint; readonly worker: bigint }): void {
    const { desk, logger } = this.#o
    const { client, worker } = query
    worker
      .send({
        '@type': 'proxy.workerRequestPayment',
        request_id: query.workerRequestId,
        signed_payment: desk.signed(worker.account),
        db_tokens: worker.account.db,
        max_tokens: totals.worker,
        request_tokens: tokens,
        request_client_owner: this.#o.ownerText(query),
      })
      .catch((thrown: unknown) => logger.debug('a payment was not sent', { error: asError(thrown).message }))
    client.post('', {
      '@type': 'proxy.clientRequestPayment',
      request_id: query.style.requestId,
      signed_payment: desk.signed(client.account),
      db_tokens: client.account.db,
      max_tokens: totals.client,
      request_tokens: tokens,
    })
  }
}
