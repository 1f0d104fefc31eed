import { randomBytes } from 'node:crypto'
import type { AnswerStyle } from './client-answer.ts'
import type { QueryFacts } from './http-messages.ts'
import type { ClientSeat, WorkerSeat } from './seats.ts'

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
  readonly startedMs: number
  answerStartMs = 0
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
    startedMs: number
  }) {
    this.client = query.client
    this.worker = query.worker
    this.style = query.style
    this.clientKey = hexKey(query.style.requestId)
    this.workerRequestId = new Uint8Array(randomBytes(32))
    this.workerKey = hexKey(this.workerRequestId)
    this.reserved = query.reserved
    this.maxTokens = query.maxTokens
    this.maxCoefficient = query.maxCoefficient
    this.queryBytes = query.queryBytes
    this.facts = query.facts
    this.startedMs = query.startedMs
    this.coefficient = query.worker.coefficient
  }

  get answered(): boolean {
    return this.answerStartMs !== 0
  }
}

export function hexKey(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex')
}
