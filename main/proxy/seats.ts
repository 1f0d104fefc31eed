import type { Address } from '@ton/core'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Account } from './account.ts'
import { DecayingWindow } from './average-time.ts'
import type { RunningQuery } from './running-query.ts'

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
  readonly imageHash: Uint8Array
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

  constructor(seat: {
    account: Account
    model: string
    baseModel: string
    limit: number
    version: number
    cancels: boolean
    imageHash: Uint8Array
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
    this.imageHash = seat.imageHash
    this.send = seat.send
    this.coefficient = seat.coefficient
    this.enabled = seat.enabled
    this.durations = new DecayingWindow(seat.nowMs)
    this.workerDurations = new DecayingWindow(seat.nowMs)
    this.successes = new DecayingWindow(seat.nowMs)
  }

  /** Faults are held against owner and model, so that a new connection does not wipe them out. */
  get faultKey(): string {
    return `${this.account.key} ${this.baseModel}`
  }
}

/** A client connection that is authorized. */
export interface ClientSeat {
  readonly account: Account
  readonly owner: Address
  readonly version: number
  /** Queues a message; messages of one key stay in order. Does nothing once the connection is over. */
  post(key: string, message: TlObject): void
  /** Queries by hex of the client's request id. */
  readonly running: Map<string, RunningQuery>
}
