import type { Address } from '@ton/core'
import { hexOf } from '../base/hex.ts'
import { randomId } from '../base/random-id.ts'
import type { ReadKey } from '../protocol/sealed/direct/worker-key.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Account } from './account.ts'
import { DecayingWindow } from './average-time.ts'
import type { AnswerStyle } from './client-answer.ts'
import type { QueryFacts } from './http-messages.ts'

/** A sealing key of a worker connection. */
export interface HeldKey {
  readonly key: ReadKey
  /** When this connection announced it, on the process's own clock in ms. */
  readonly announcedAt: number
}

/** A worker connection that finished its handshake. */
export class WorkerSeat {
  readonly account: Account
  /** Full name `NAME@COMMIT:HASH`. */
  readonly model: string
  readonly baseModel: string
  readonly limit: number
  readonly version: number
  /** Understands `proxy.cancelQuery`. */
  readonly cancels: boolean
  /** Takes part in sealed queries. */
  readonly seals: boolean
  /** Keys that questions can be sealed to, the newest last. */
  sealingKeys: readonly HeldKey[] = []
  readonly imageHash: Uint8Array
  /** JSON text by which the worker describes its machine, unchecked. */
  readonly machine: string | undefined
  /** Queues a message for the worker; rejects when the connection is over or full. */
  readonly send: (message: TlObject) => Promise<void>
  coefficient: number
  enabled: boolean
  lastPick = 0
  readonly running = new Map<string, RunningQuery>()
  /** Durations of recent queries in ms, as the proxy and as the worker measured them. */
  readonly durations: DecayingWindow
  readonly workerDurations: DecayingWindow
  readonly successes: DecayingWindow
  /** Faults are held against owner and model, so that a new connection does not wipe them out. */
  readonly faultKey: string

  constructor(seat: {
    account: Account
    model: string
    baseModel: string
    limit: number
    version: number
    cancels: boolean
    seals: boolean
    imageHash: Uint8Array
    machine: string | undefined
    send: (message: TlObject) => Promise<void>
    coefficient: number
    enabled: boolean
    nowMs: number
  }) {
    this.account = seat.account
    this.model = seat.model
    this.baseModel = seat.baseModel
    this.limit = seat.limit
    this.version = seat.version
    this.cancels = seat.cancels
    this.seals = seat.seals
    this.imageHash = seat.imageHash
    this.machine = seat.machine
    this.send = seat.send
    this.coefficient = seat.coefficient
    this.enabled = seat.enabled
    this.durations = new DecayingWindow(seat.nowMs)
    this.workerDurations = new DecayingWindow(seat.nowMs)
    this.successes = new DecayingWindow(seat.nowMs)
    this.faultKey = `${seat.account.key} ${seat.baseModel}`
  }
}

/** A client connection that is authorized. */
export interface ClientSeat {
  readonly account: Account
  readonly owner: Address
  readonly version: number
  /** Takes part in sealed queries. */
  readonly seals: boolean
  /** Whether the proxy's own errors come with final info (versions.ts). */
  readonly extendedErrors: boolean
  /**
   * Queues a message; messages of one key stay in order. Does nothing once the connection is over. False when the message is too large
   * for one frame and cannot be sent.
   */
  post(key: string, message: TlObject): boolean
  /** Queries by hex of the client's request id. */
  readonly running: Map<string, RunningQuery>
}

/** One query between admission and its last message. */
export class RunningQuery {
  readonly client: ClientSeat
  readonly worker: WorkerSeat
  readonly style: AnswerStyle
  readonly clientKey: string
  /** Random id on the worker's side: request ids of clients never reach a worker. */
  readonly workerRequestId: Uint8Array
  readonly workerKey: string
  readonly reserved: bigint
  readonly maxTokens: number
  readonly maxCoefficient: number
  readonly queryBytes: number
  readonly facts: QueryFacts
  /** For the worker: what opens the request; undefined where it is not encrypted (95 §2). Kept in memory only, never logged. */
  readonly privateKey: Uint8Array | undefined
  /** The worker's key that the request is sealed to, by its id; undefined where it is not sealed. */
  readonly sealedTo: Uint8Array | undefined
  readonly startedMs: number
  answerStartMs = 0
  /** The first answer was passed on, or would have been if anybody read it. */
  answered = false
  answerBytes = 0
  cancelled = false
  /** The client is gone, or too slow: the answer is counted, but nobody reads it. */
  unread = false
  /** Highest coefficient that the worker has announced since the start. */
  coefficient: number
  timer: NodeJS.Timeout | undefined

  constructor(query: {
    client: ClientSeat
    worker: WorkerSeat
    style: AnswerStyle
    reserved: bigint
    maxTokens: number
    maxCoefficient: number
    queryBytes: number
    facts: QueryFacts
    privateKey: Uint8Array | undefined
    sealedTo: Uint8Array | undefined
    startedMs: number
  }) {
    this.client = query.client
    this.worker = query.worker
    this.style = query.style
    this.clientKey = hexOf(query.style.requestId)
    this.workerRequestId = randomId()
    this.workerKey = hexOf(this.workerRequestId)
    this.reserved = query.reserved
    this.maxTokens = query.maxTokens
    this.maxCoefficient = query.maxCoefficient
    this.queryBytes = query.queryBytes
    this.facts = query.facts
    this.privateKey = query.privateKey
    this.sealedTo = query.sealedTo
    this.startedMs = query.startedMs
    this.coefficient = query.worker.coefficient
  }
}
