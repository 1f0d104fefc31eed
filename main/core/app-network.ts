import type { Address } from '@ton/core'
import { type Failure, type Told, type Words, wordsOf } from '../base/failure.ts'
import type { Feed } from '../base/feed.ts'
import type { Watchable } from '../base/signal.ts'
import type { Client } from '../client/client.ts'
import type { TopUpKeeper } from '../client/top-up-keeper.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import type { LocalAddresses } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import type { CocoonProxy } from '../proxy/proxy.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootWatcher } from '../ton/root-config.ts'
import type { Sender } from '../wallet/sender.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import type { PeerWatch } from './checks/seen-peer.ts'

/** What the faces read while the roles of a network live. */
export interface LiveNetwork {
  readonly chain: LocalChain
  readonly contracts: LocalAddresses
  readonly root: RootWatcher
  /** With its contract, and `host:port` of its ports as the network contract lists them. Null where the network's proxies are not part of this app. */
  readonly own: {
    readonly proxy: CocoonProxy
    readonly contract: Address
    readonly endpoints: { readonly forWorkers: string; readonly forClients: string }
  } | null
  readonly client: Client
  /** Who answered when the client dialled. */
  readonly peers: PeerWatch
  readonly topUps: TopUpKeeper
  readonly user: Address
  /** Pays the worker's gas; owned by the user. One object, because a wallet sends one message after the other. */
  readonly nodeWallet: Sender
}

/** The network contract as it is read, and through which endpoint. */
export interface SeenRoot {
  readonly endpoint: string
  readonly root: RootWatcher
}

/** What a worker serves with. */
export interface Offering {
  readonly backend: OpenAiBackend
  /** Full name `NAME@COMMIT:HASH`; of an engine of another program the name alone: from which file it answers is not known. */
  readonly modelName: string
  /** This app's own engine, or that of another program: nothing is attested of the latter. */
  readonly engine: 'builtin' | 'external'
  /** Most requests at once; the worker's usual number when left out. */
  readonly atOnce?: number
}

/** The one network that the app has open. */
export interface AppNetwork {
  readonly kind: 'local' | 'open' | 'attested'
  readonly chainKind: Chain['kind']
  /** Null for the computer's own local network. */
  readonly name: string | null
  /** True: the network contract is read, and nothing else happens there. */
  readonly readOnly: boolean
  /** Null until the contract is being read. */
  readonly seen: Watchable<SeenRoot | null>
  /** Null until proxy and client are up. */
  readonly live: Watchable<LiveNetwork | null>
  readonly worker: Watchable<Worker | null>
  /** Why the network could not start; null when it did not fail. */
  readonly failure: Watchable<Failure | Error | null>
  /** Events of every worker that served, in order. */
  readonly workerEvents: Feed<WorkerEvent>
  /** Why nothing works, in a sentence; null when something does. */
  readonly trouble: string | null
  /** Why this computer can be no worker there, as far as that is known; null when it can. */
  readonly noWorker: Watchable<Told | null>
  start(): Promise<void>
  serve(offering: Offering): Promise<Worker | null>
  setPaused(paused: boolean): void
  stopServing(): Promise<void>
  stop(): Promise<void>
}

/** The words of `trouble`; undefined when it has none. */
export function troubleWords(network: AppNetwork): Words | undefined {
  return wordsOf(network.failure.value) ?? wordsOf(network.live.value?.chain.state.value.error)
}
