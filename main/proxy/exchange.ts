import type { RootState } from '../../contracts/root.ts'
import { hexOf } from '../base/hex.ts'
import type { Logger } from '../base/logger.ts'
import { carriedKey, keysSince } from '../protocol/handshake/versions.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { mostDataBytes } from '../protocol/wire/tcp-packets.ts'
import { peerErrorCodes, QueryRefused } from '../protocol/wire/wire-error.ts'
import { admit, clientFunds, contractOf } from './admission.ts'
import { type ProxyTimes, proxyErrorMessage } from './client-answer.ts'
import { readQueryFacts } from './http-messages.ts'
import type { Quarantine } from './quarantine.ts'
import type { Rates } from './rates.ts'
import { Refusal } from './refusal.ts'
import type { Relay } from './relay.ts'
import { pinnedSeats, sealedFacts } from './sealed-desk.ts'
import { type ClientSeat, RunningQuery, type WorkerSeat } from './seats.ts'
import { chooseWorker } from './worker-choice.ts'

export type ClientQuery = TlObject<'client.runQuery' | 'client.runQueryEx' | 'client.runSealedQuery'>

export interface ExchangeOptions {
  readonly relay: Relay
  readonly quarantine: Quarantine
  readonly rates: Rates
  readonly logger: Logger
  /** Unix ms. */
  readonly now: () => number
  readonly root: () => RootState
  /** False while the proxy takes no queries: disabled by its operator, or its disk refuses to write. */
  readonly enabled: () => boolean
  /** The private key, 32 bytes, of a public one; undefined for a key that the key manager did not give. Without it none is known. */
  readonly privateKeyOf?: ((publicKey: Uint8Array) => Uint8Array | undefined) | undefined
  /** Called after anything that a status screen shows has changed. */
  readonly onChange: () => void
}

/** Requests of one client connection at once. */
const mostQueriesPerClient = 1024
/** Names of models remembered, so that workers cannot fill the memory with invented ones. */
const mostModels = 5000
/** A query travels on in one frame with the worker's signed payment beside it (10 §1); this leaves room for all but the query. */
const mostQueryBytes = mostDataBytes - 4096
/** No request may hold its reservation longer than this. */
const longestQuerySeconds = 3600

const nobody: ReadonlySet<WorkerSeat> = new Set()

/** Who is here, and which query goes to which worker: admission and choice (50 §3). Knows seats and messages, no sockets. */
export class Exchange {
  readonly #o: ExchangeOptions
  readonly #workers = new Set<WorkerSeat>()
  /** The same by base name; a name without workers is not in it. */
  readonly #byModel = new Map<string, Set<WorkerSeat>>()
  readonly #models = new Set<string>()
  #picks = 0

  constructor(options: ExchangeOptions) {
    this.#o = options
  }

  get workers(): ReadonlySet<WorkerSeat> {
    return this.#workers
  }

  /** Those that offer a model, by its base name. */
  workersOf(model: string): ReadonlySet<WorkerSeat> {
    return this.#byModel.get(model) ?? nobody
  }

  /** Base names of all models that a worker has offered since the start. */
  get models(): ReadonlySet<string> {
    return this.#models
  }

  /** Something that is shown has changed at a seat. */
  changed(): void {
    this.#o.onChange()
  }

  addWorker(seat: WorkerSeat): void {
    this.#workers.add(seat)
    const peers = this.#byModel.get(seat.baseModel) ?? new Set()
    this.#byModel.set(seat.baseModel, peers.add(seat))
    if (this.#models.size >= mostModels) this.#forgetAbsentModels()
    this.#models.add(seat.baseModel)
    this.#o.onChange()
  }

  #forgetAbsentModels(): void {
    this.#models.clear()
    for (const model of this.#byModel.keys()) this.#models.add(model)
  }

  /** The worker's connection is over: its requests fail at once, and nobody is charged. */
  removeWorker(seat: WorkerSeat): void {
    if (!this.#workers.delete(seat)) return
    const peers = this.#byModel.get(seat.baseModel)
    if (peers?.delete(seat) && peers.size === 0) this.#byModel.delete(seat.baseModel)
    for (const query of [...seat.running.values()]) {
      this.#o.relay.fail(query, { code: peerErrorCodes.notReady, text: 'the worker was lost' }, 'failure')
    }
    this.#o.onChange()
  }

  /** The client's connection is over: workers that can be told stop; what they have generated is still paid for. */
  removeClient(seat: ClientSeat): void {
    for (const query of [...seat.running.values()]) {
      query.unread = true
      this.#o.relay.cancelWorker(query)
    }
  }

  /** The client does not read this answer: it is told so, the worker stops if it can, and the usage until then is charged. */
  overflow(seat: ClientSeat, clientKey: string): void {
    const query = seat.running.get(clientKey)
    if (query === undefined || query.unread) return
    query.unread = true
    const error = { code: peerErrorCodes.cancelled, text: 'the client reads the answer too slowly' }
    seat.post(
      clientKey,
      proxyErrorMessage(query.style, error, query.answered, this.#timesFrom(query.startedMs, query.answerStartMs)),
    )
    this.#o.relay.cancelWorker(query)
  }

  /** `client.cancelQuery`: passed on to a worker that knows it; otherwise the query goes on (docs/protocol-extensions.md). */
  cancel(seat: ClientSeat, requestId: Uint8Array): void {
    const query = seat.running.get(hexOf(requestId))
    if (query !== undefined) this.#o.relay.cancelWorker(query)
  }

  /** Admits a query and forwards it, or answers with an error (50 §3). */
  submit(client: ClientSeat, message: ClientQuery): void {
    const { rates, now } = this.#o
    const clientKey = hexOf(message.request_id)
    // An error under this id would end the query that runs under it.
    if (client.running.has(clientKey)) return this.#o.logger.warn('a client used a request id twice', { id: clientKey })
    const startedMs = now()
    rates.queries.add(1, startedMs)
    rates.bytes_received.add(message.query.length, now())
    const style = {
      version: client.version,
      requestId: message.request_id,
      enableDebug: message['@type'] !== 'client.runQuery' && message.enable_debug === true,
      extendedErrors: client.extendedErrors,
    }
    try {
      this.#admit(client, message, style)
    } catch (thrown) {
      if (!(thrown instanceof QueryRefused)) throw thrown
      rates.rejected.add(1, now())
      const times = this.#timesFrom(startedMs)
      client.post(clientKey, proxyErrorMessage(style, { code: thrown.code, text: thrown.message }, false, times))
    }
    this.#o.onChange()
  }

  #admit(client: ClientSeat, message: ClientQuery, style: RunningQuery['style']): void {
    if (client.running.size >= mostQueriesPerClient) throw new Refusal(peerErrorCodes.error, 'too many active queries')
    // HTTP's words, which the client's app shows as they are. No worker has seen the query, so none is to blame.
    if (message.query.length > mostQueryBytes)
      throw new Refusal(
        peerErrorCodes.protocolViolation,
        `413 Content Too Large: the request has ${message.query.length} bytes, at most ${mostQueryBytes} can be passed on`,
      )
    const { account } = client
    const root = this.#o.root()
    const contract = contractOf(account)
    const reserved = admit(
      {
        maxTokens: message.max_tokens,
        queryBytes: message.query.length,
        maxCoefficient: message.max_coefficient,
        timeoutSeconds: message.timeout,
        minConfigVersion: message.min_config_version,
      },
      {
        funds: clientFunds(contract, root.params.pricePerToken, account),
        rootVersion: root.version,
        clientClosing: contract.state !== 'normal',
        proxyEnabled: this.#o.enabled(),
      },
    )
    const publicKey = message['@type'] === 'client.runQueryEx' ? carriedKey(message.public_key) : undefined
    const privateKey = publicKey && this.#privateKeyOf(publicKey)
    const sealed = message['@type'] === 'client.runSealedQuery' ? message : undefined
    const worker = this.#choose(message, privateKey !== undefined, sealed?.worker_key)
    const facts = sealed === undefined ? readFacts(message.query) : sealedFacts(sealed)
    if (facts.bodyLimit !== undefined && facts.bodyLimit > message.max_tokens) {
      throw new Refusal(peerErrorCodes.error, 'the request allows more tokens than max_tokens of the query')
    }
    const query = new RunningQuery({
      client,
      worker,
      style,
      reserved,
      maxTokens: message.max_tokens,
      maxCoefficient: message.max_coefficient,
      queryBytes: message.query.length,
      facts,
      privateKey,
      sealedTo: sealed?.worker_key,
      startedMs: this.#o.now(),
    })
    this.#o.relay.start(query, Math.min(message.timeout, longestQuerySeconds), message.query)
  }

  /** What opens requests that were encrypted for that key (95 §4.1). */
  #privateKeyOf(publicKey: Uint8Array): Uint8Array {
    const key = this.#o.privateKeyOf?.(publicKey)
    if (key === undefined) throw new Refusal(peerErrorCodes.error, `unknown public key ${hexOf(publicKey)}`)
    return key
  }

  #timesFrom(startedMs: number, answerStartMs = 0): ProxyTimes {
    return { startSeconds: startedMs / 1000, answerStartSeconds: answerStartMs / 1000, endSeconds: this.#o.now() / 1000 }
  }

  /** @param carriesKey for workers with a place for a private key only @param sealedTo the one worker that has this key */
  #choose({ model_name: model, max_coefficient }: ClientQuery, carriesKey: boolean, sealedTo?: Uint8Array): WorkerSeat {
    if (!this.#models.has(model)) throw new Refusal(peerErrorCodes.protocolViolation, `unknown model ${model}`)
    // Only they have a place for the key (95 §2).
    const able = [...this.workersOf(model)].filter(({ version }) => !carriesKey || version >= keysSince)
    if (able.length === 0) throw new Refusal(peerErrorCodes.notReady, `no workers for model ${model}`)
    const seats = sealedTo === undefined ? able : pinnedSeats(able, sealedTo)
    const nowMs = this.#o.now()
    const candidates = seats.map((seat) => ({
      seat,
      enabled: seat.enabled,
      running: seat.running.size,
      limit: seat.limit,
      coefficient: seat.coefficient,
      meanMs: seat.durations.mean(nowMs),
      lastPick: seat.lastPick,
      quarantined: this.#o.quarantine.state(seat.faultKey, nowMs),
    }))
    const { seat } = chooseWorker(candidates, model, max_coefficient)
    this.#picks += 1
    seat.lastPick = this.#picks
    return seat
  }
}

function readFacts(query: Uint8Array) {
  try {
    return readQueryFacts(query)
  } catch (thrown) {
    if (!(thrown instanceof TlError)) throw thrown
    throw new Refusal(peerErrorCodes.none, `proxy: received incorrect query: ${thrown.message}`)
  }
}
