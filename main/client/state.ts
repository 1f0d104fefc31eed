import type { Address } from '@ton/core'
import type { Words } from '../base/failure.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { ReturningAccount } from './old-accounts.ts'

export type ClientPhase = 'connecting' | 'needs-account' | 'authorizing' | 'ready' | 'waiting'

/** One wanted proxy connection and the account behind it. Tokens are adjusted tokens, money is nanoton. */
export interface ClientConnectionState {
  /** `host:port` */
  readonly endpoint: string
  readonly phase: ClientPhase
  /** What is going on, one plain sentence. */
  readonly sentence: string
  /** Why the last attempt or connection ended; gone when the connection is ready. */
  readonly failure?: string
  /** The same for other languages; undefined for a defect. */
  readonly failureWords?: Words | undefined
  /** What carries it, or carried it last: see `ChatRequest.mayGo`. */
  readonly wire?: PacketConnection
  readonly proxyContract?: Address
  readonly clientContract?: Address
  /** Round trip of the last question to the proxy. */
  readonly latencyMs?: number
  /** Undefined = without limit, or not known yet. */
  readonly spendableTokens?: bigint
  readonly balance?: bigint
  readonly stake?: bigint
  /** Cost of what was used by the proxy's last word. */
  readonly used?: bigint
  /** Used and not charged on chain yet. */
  readonly pendingCharge?: bigint
  /** Whether Stop can end the generation itself. */
  readonly canCancel?: boolean
  /** Whether questions can be sealed to workers past this proxy. */
  readonly canSeal?: boolean
}

export interface ClientState {
  readonly connections: readonly ClientConnectionState[]
  /** Requests under way. */
  readonly running: number
  /** Contracts of former terms whose money is on its way back. */
  readonly returning: readonly ReturningAccount[]
}

export const sentences: Readonly<Record<ClientPhase, string>> = {
  connecting: 'Connecting to the proxy: proof of work and encryption.',
  'needs-account': 'The proxy is reached. An account with it has to be opened first.',
  authorizing: 'Proving to the proxy that the account is yours.',
  ready: 'Ready.',
  waiting: 'Not connected. The next attempt follows soon.',
}
