import type { Address } from '@ton/core'
import type { Words } from '../base/failure.ts'

export type ConnectionPhase = 'connecting' | 'handshake' | 'ready' | 'waiting'

/** One wanted proxy connection. */
export interface WorkerConnectionState {
  /** `host:port` */
  readonly endpoint: string
  readonly phase: ConnectionPhase
  readonly proxyContract?: Address
  readonly workerContract?: Address
  /** Why the last attempt or connection ended, one sentence; gone when the connection is ready. */
  readonly failure?: string
  /** The same for other languages; undefined for a defect. */
  readonly failureWords?: Words | undefined
}

export interface WorkerState {
  readonly connections: readonly WorkerConnectionState[]
  /** Requests being answered. */
  readonly running: number
  /** By the operator. */
  readonly paused: boolean
  readonly engineHealthy: boolean
  /** Id of the key that new questions are to be sealed to, hex; undefined before there is one. */
  readonly sealingKey?: string
  /** Adjusted tokens signed and not paid out yet, and what they are worth in nanoton; without contracts that were not read yet. */
  readonly unpaidTokens: bigint
  readonly unpaid: bigint
  /** Contracts that they lie on: so many payouts would bring all of it. */
  readonly unpaidContracts: number
}
