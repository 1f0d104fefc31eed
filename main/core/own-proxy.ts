import { keySigner } from '../../contracts/signed.ts'
import type { Logger } from '../base/logger.ts'
import type { LocalNetwork } from '../localnet/genesis.ts'
import type { KeptWord } from '../proxy/kept-words.ts'
import { securePort } from '../proxy/ports.ts'
import { CocoonProxy } from '../proxy/proxy.ts'
import { openDatabase } from '../storage/database.ts'
import type { DiskRoom } from '../storage/disk-room.ts'
import type { Chain } from '../ton/chain.ts'
import type { RootWatcher } from '../ton/root-config.ts'
import type { Sender } from '../wallet/sender.ts'
import { type EarlyPort, openEarly } from './early-port.ts'
import type { LocalSecrets } from './local-keys.ts'

/** A served request is to be pending within 3 s, also on a busy machine; commit, signature and the worker's next look come on top. */
const chainCommitDelayMs = 900
/** Leading zero bits, as on the main network (protocol 10 §5). */
const powDifficulty = 20

/** A port of the app's own proxy, open before the proxy is. @param port wanted, and no other; any when left out */
export function ownPort(logger: Logger, port?: number): Promise<EarlyPort> {
  return openEarly(
    securePort({
      host: '127.0.0.1',
      port: port ?? 0,
      fixed: port !== undefined,
      difficulty: powDifficulty,
      policy: { kind: 'any' },
      logger: logger.room('proxy'),
    }),
  )
}

interface OwnProxyParts {
  readonly contracts: LocalNetwork
  readonly root: RootWatcher
  readonly chain: Chain
  readonly wallet: Sender
  readonly key: Pick<LocalSecrets['proxy'], 'publicKey' | 'secretKey'>
  readonly workerPort: EarlyPort
  readonly clientPort: EarlyPort
  readonly databasePath: string
  readonly keptWords: readonly KeptWord[]
  readonly chainId: number | undefined
  readonly room: DiskRoom | undefined
  readonly logger: Logger
}

/** The proxy that the app runs in its local network; not started yet. */
export function makeOwnProxy(parts: OwnProxyParts): CocoonProxy {
  const { contracts, root, chain, wallet, key, workerPort, clientPort, databasePath, keptWords, chainId, room, logger } = parts
  return new CocoonProxy(
    {
      owner: contracts.networkOwner,
      checkHashes: false,
      listedModelsOnly: false,
      stakeNano: contracts.config.params.minProxyStake,
      terms: {
        chargeNano: 1_000_000_000n,
        payoutNano: 1_000_000_000_000n,
        chainCommitDelayMs: () => chainCommitDelayMs,
        tickMs: 500,
        resendMs: 30_000,
      },
      dbCommitDelayMs: 100,
      testnet: false,
      databasePath,
      acceptLostDatabase: true,
      keptWords,
    },
    {
      root: root.config,
      side: { kind: 'chain', chain, sender: wallet },
      key: { publicKey: key.publicKey, signer: keySigner(key.secretKey) },
      openWorkerPort: workerPort.opener,
      openClientPort: clientPort.opener,
      openDatabase: (path, migrations) => openDatabase(path, migrations, { logger, room, chainId }),
      logger: logger.room('proxy'),
    },
  )
}
