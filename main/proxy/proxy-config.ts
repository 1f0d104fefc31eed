import type { Address } from '@ton/core'
import type { HashSigner } from '../../contracts/signed.ts'
import type { Logger } from '../base/logger.ts'
import type { Watchable } from '../base/signal.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { Database } from '../storage/database.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { Sender } from '../wallet/sender.ts'
import type { KeptWord } from './kept-words.ts'
import type { SettlementTerms } from './settlement.ts'

/** A peer that came through proof of work and TLS, or over a plain socket. */
export interface InboundPeer {
  /** Not started yet. */
  readonly connection: PacketConnection
  /** Image hash from the peer's quote; 32 zero bytes when there is none (10 §9.2). */
  readonly imageHash: Uint8Array
}

/** An open port. `close` stops listening; connections are ended by the proxy. */
export interface OpenPort {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

/** Opens a port and hands over each connection that passes its policy. Throws when the port cannot be had. */
export type PortOpener = (onPeer: (peer: InboundPeer) => void) => Promise<OpenPort>

export interface ProxyConfig {
  /** Receives the commission; part of the proxy contract's address. */
  readonly owner: Address
  /** Compare workers' image hashes with the root contract. Forced when the root's `is_test` is false. */
  readonly checkHashes: boolean
  /** Serve only models whose hash the root contract lists, also where image hashes are not checked. */
  readonly listedModelsOnly: boolean
  /** nanoton deposited as stake when the proxy contract is deployed; 0 for none. */
  readonly stakeNano: bigint
  readonly terms: SettlementTerms
  /** How long finished requests are gathered into one database commit, ms; at most 1000. */
  readonly dbCommitDelayMs: number
  /**
   * Protocol versions that peers may choose, 0 to 4 by default. A proxy without versions above 2 behaves in all as those that were recorded
   * (versions.ts).
   */
  readonly versions?: VersionRange
  /** Whether sealed queries are passed on to workers that take part; true by default (docs/protocol-extensions.md). */
  readonly sealedQueries?: boolean
  /** Addresses on the wire carry the test-only flag. */
  readonly testnet: boolean
  readonly databasePath: string
  /** Start although the chain knows of counts that the database has lost. */
  readonly acceptLostDatabase: boolean
  /** What the books of clients and workers on the proxy's own computer hold of its word: with it a lost database loses nothing of theirs. */
  readonly keptWords?: readonly KeptWord[]
}

/** How the proxy reaches its chain, or that there is none (60 §10). */
export type ChainSide =
  | { readonly kind: 'chain'; readonly chain: Chain; readonly sender: Sender }
  | { readonly kind: 'pseudo'; readonly wallet: Address }

export interface ProxyDeps {
  readonly root: Watchable<RootConfig | null>
  readonly side: ChainSide
  /** Ed25519 public key of the proxy, 32 bytes, and the signer over its secret. */
  readonly key: { readonly publicKey: Uint8Array; readonly signer: HashSigner }
  readonly openWorkerPort: PortOpener
  readonly openClientPort: PortOpener
  /**
   * The private key, 32 bytes, of a public one that clients encrypt for, as the key manager gave it (95 §4). Undefined for an unknown one, which
   * clients are told (602); left out, none is known.
   */
  readonly privateKeyOf?: (publicKey: Uint8Array) => Uint8Array | undefined
  /** Opens the database of `databasePath`; `openDatabase` of storage by default. */
  readonly openDatabase?: (path: string, migrations: readonly string[]) => Database
  readonly logger: Logger
  /** Unix ms. */
  readonly now?: () => number
}
