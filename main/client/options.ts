import type { Address } from '@ton/core'
import type { NetAddress } from '../../contracts/net-address.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import type { UsageDeviation } from '../protocol/sealed/outcome.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Database } from '../storage/database.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Sender } from '../wallet/sender.ts'
import type { Deviation } from './account.ts'

export interface ClientOptions {
  /** Newest state of the root contract; null until it was read. */
  readonly root: Watchable<RootConfig | null>
  /** Owner of the client contracts. */
  readonly owner: Address
  /** Chain and the owner's wallet; absent in the mode without a blockchain (protocol 60 §10), where secrets are empty and nothing is sent. */
  readonly money: { readonly chain: Chain; readonly wallet: Sender } | undefined
  /** 32 random bytes from the vault; every contract's secret is derived from them. */
  readonly masterSecret: Uint8Array
  /** Opened with `clientMigrations`. */
  readonly database: Database
  /** Connects to a proxy (proof of work, TLS, its attestation checked); the connection is not started yet. */
  readonly dial: (address: NetAddress, signal: AbortSignal) => Promise<PacketConnection>
  /**
   * That `dial` takes only proxies whose attested image hash the root contract lists. Without it networks that demand attestation
   * (`is_test` false) are refused, never used unchecked (protocol 10 §8).
   */
  readonly dialChecksImageHashes?: boolean
  readonly logger: Logger
  /**
   * Protocol versions offered to proxies, 1 to 4 by default: a proxy that knows none above 2 chooses 2. From 3 on a question can be encrypted
   * (protocol 95 §2).
   */
  readonly versions?: VersionRange
  /**
   * Whether this client takes part in sealed queries (docs/protocol-extensions.md): it does, unless that is switched off. What each question asks
   * for is `ChatRequest.seal`.
   */
  readonly sealedQueries?: boolean
  /**
   * How quotes in workers' keys are judged, asked for each list of keys; without one they are shown as not checked. A quote that does not hold makes its
   * key void.
   */
  readonly workerPolicy?: () => Policy | undefined
  /**
   * nanoton put on each account that has to be opened, also under new terms: an agreement in advance. Without it nothing that costs money is
   * sent before `Client.openAccount`.
   */
  readonly accountTopUp?: bigint
  /** `host:port` of the proxy that this role is meant for: while the network lists it, it goes to no other. */
  readonly onlyProxy?: string | undefined
  /** Proxies at once; 1 by default. */
  readonly proxyConnections?: number
  readonly reconnectMs?: number
  readonly handshakeTimeoutMs?: number
  readonly authorizationTimeoutMs?: number
  /** Payment status is asked, and the chain is read, after a random time in this range. */
  readonly paymentStatusMs?: readonly [least: number, most: number]
  /** How often contracts of former terms are looked at; 10 s by default. */
  readonly oldAccountsMs?: number
  /** How long after a closed contract was asked for what it owes it is asked again at the earliest, longer each time; 10 min by default. */
  readonly owedPauseMs?: number
  /** How long a stopped query may take to end before it counts as hidden. */
  readonly cancelWaitMs?: number
}

export type ClientEvent =
  /** What the proxy told does not add up; show it, and do not trust this proxy with more. */
  | { readonly type: 'deviation'; readonly clientContract: string; readonly deviation: Deviation | RequestDeviation }
  /** The proxy accounted for a request: adjusted tokens and their cost in nanoton. */
  | {
      readonly type: 'charged'
      readonly clientContract: string
      readonly requestId: string
      readonly tokens: bigint
      readonly cost: bigint
    }

export type RequestDeviation =
  /** The usage of an answer cannot be true: below zero, or not the sum of its parts. It is not shown as a cost. */
  | { readonly kind: 'usage-impossible'; readonly requestId: string; readonly stated: bigint }
  /** More tokens than the request and its answer can have. */
  | { readonly kind: 'usage-too-much'; readonly requestId: string; readonly stated: bigint }
  /** The account names other tokens than the answer's final info (0 for a failed answer). */
  | { readonly kind: 'request-differs'; readonly requestId: string; readonly stated: bigint; readonly counted: bigint }
  /** The bill of a sealed answer does not fit to what came; the evidence is in the query's outcome. */
  | { readonly kind: 'sealed-usage'; readonly requestId: string; readonly deviations: readonly UsageDeviation[] }
  /** The account names a request that was not asked here. */
  | { readonly kind: 'foreign-request'; readonly requestId: string; readonly counted: bigint }
