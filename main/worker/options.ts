import type { Address } from '@ton/core'
import type { NetAddress } from '../../contracts/net-address.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import type { SealingIdentity } from '../protocol/sealed/direct/worker-key.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Database } from '../storage/database.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Sender } from '../wallet/sender.ts'

export interface WorkerOptions {
  /** Newest state of the root contract; null until it was read. */
  readonly root: Watchable<RootConfig | null>
  /** Receives the payouts. */
  readonly owner: Address
  /** Chain and node wallet; absent in the mode without a blockchain (protocol 60 §10), where nothing is deployed or paid out. */
  readonly money: { readonly chain: Chain; readonly nodeWallet: Sender } | undefined
  readonly backend: OpenAiBackend
  /** Full model name `NAME@COMMIT:HASH`; its part before `@` is the backend's model. */
  readonly modelName: string
  /** Opened with `workerMigrations`. */
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
   * Protocol versions offered to proxies; 1 to 4 by default. From 3 on proxies may send encrypted requests with the key that opens them (protocol
   * 95 §2).
   */
  readonly versions?: VersionRange
  /**
   * The wallet that receives the payouts, as one that signs: with it clients can seal questions to this worker, past the proxy
   * (docs/protocol-extensions.md). Without it the worker takes no part in that.
   */
  readonly sealing?: SealingIdentity
  /** JSON text about this computer, told to proxies where no version below 4 is offered (protocol 95 §2); never by itself. */
  readonly machineDescription?: string
  /**
   * What a proxy's wish for another model runs (protocol 95 §1); without it such a wish is refused. Resolves when the change is under way. A Failure's
   * message is told to the proxy.
   */
  readonly changeModel?: (newModel: string) => Promise<void>
  /**
   * Whether a private key that a proxy passed on is one of the network (protocol 95 §4): no request is opened under any other. Every key
   * passes without it.
   */
  readonly knowsPrivateKey?: (privateKey: Uint8Array) => Promise<boolean>
  /** Price factor in thousandths; 1000 by default. */
  readonly coefficient?: number
  /** `host:port` of the proxy that this role is meant for: while the network lists it, it goes to no other. */
  readonly onlyProxy?: string | undefined
  /** Proxies to serve at once; 1 by default. */
  readonly proxyConnections?: number
  /** Requests at once over all proxies; 8 by default. */
  readonly maxActiveRequests?: number
  /** Pay out by itself when that much (nanoton) is signed and unpaid at one contract; never when absent. */
  readonly automaticPayoutAbove?: bigint
  readonly reconnectMs?: number
  readonly handshakeTimeoutMs?: number
  /** Payment status is asked after a random time in this range. */
  readonly paymentStatusMs?: readonly [least: number, most: number]
  readonly healthCheckMs?: number
  readonly payoutTimeoutMs?: number
}
