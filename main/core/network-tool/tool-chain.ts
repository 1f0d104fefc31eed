import { existsSync } from 'node:fs'
import { Address } from '@ton/core'
import { Failure } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import { pause } from '../../base/pause.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { localGenesis } from '../../localnet/genesis.ts'
import { LocalChain } from '../../localnet/local-chain.ts'
import { dataPaths, makeDataDir } from '../../storage/files.ts'
import { type InstanceLock, lockInstance } from '../../storage/instance-lock.ts'
import { apiKeyFor, publicEndpoints } from '../../ton/api-key.ts'
import type { Chain } from '../../ton/chain.ts'
import { httpChain } from '../../ton/http-chain.ts'
import { besides, otherChains } from '../../ton/root-agreement.ts'
import { openSecretStore } from '../../wallet/secret-store.ts'
import { openVault } from '../../wallet/vault.ts'
import type { WalletKeyPair } from '../../wallet/w5-wallet.ts'
import { localEndpoint } from '../local-endpoint.ts'
import { localSecrets } from '../local-keys.ts'

/** The chain that a command works on. */
export interface ToolChain {
  readonly chain: Chain
  /** Asked for the network contract beside it. */
  readonly others: readonly Chain[]
  /** Who runs it, in words. */
  readonly source: string
  /** Owner of the local chain's test coins; null where coins are real or not ours to give. */
  readonly faucet: WalletKeyPair | null
  close(): Promise<void>
}

export interface ToolChainOptions {
  readonly on: Chain['kind']
  /**
   * For testnet and mainnet; the usual public one when left out. Everything goes through the first that answers; the rest, and all of them beside the
   * local chain, are asked for the network contract.
   */
  readonly endpoints?: readonly string[]
  /** Endpoints that the operator has named in the command: they get the API key. */
  readonly named?: readonly string[]
  /** For the local chain. */
  readonly dataDir: string
  /** Asked when the vault of the data folder has a password. */
  readonly vaultPassword?: (() => Promise<string>) | undefined
  readonly entries: ChildEntries
  readonly logger: Logger
}

/** A start of the app takes some seconds until its chain is up. */
const appStartMs = 30_000

/**
 * Opens the chain: the public endpoint, the chain of the app that runs with this data folder, or the embedded chain itself, which then
 * runs for this command alone and keeps the app from starting meanwhile.
 * @throws Failure `chain-unreachable`, `app-not-ready`, of the vault, of the embedded chain
 */
export async function openToolChain(options: ToolChainOptions): Promise<ToolChain> {
  const { on } = options
  if (on !== 'local') return openRemote(on, options)
  const paths = dataPaths(options.dataDir)
  makeDataDir(options.dataDir)
  let lock: InstanceLock
  try {
    lock = lockInstance(paths.lock)
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'already-running') return openRunning(options)
    throw thrown
  }
  try {
    const secrets = await readSecrets(options)
    const local = await LocalChain.start({
      entry: options.entries.chain,
      dataDir: paths.chain,
      genesis: localGenesis(secrets),
      logger: options.logger.room('chain'),
    })
    return {
      ...asked(local.chain, options),
      source: `the embedded chain in ${options.dataDir}, running for this command`,
      faucet: secrets.networkOwner,
      close: async () => {
        await local.close()
        lock.release()
      },
    }
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

async function readSecrets({ dataDir, vaultPassword }: ToolChainOptions): ReturnType<typeof localSecrets> {
  const paths = dataPaths(dataDir)
  const vault = await openVault(paths, { password: vaultPassword })
  const store = openSecretStore(paths.secrets, vault.derive('secrets'))
  try {
    return await localSecrets(store, paths)
  } finally {
    store.close()
    vault.close()
  }
}

/** The app holds the data folder: its chain is joined, and of its files only the keys are read. */
async function openRunning(options: ToolChainOptions): Promise<ToolChain> {
  const { dataDir, logger } = options
  const paths = dataPaths(dataDir)
  const endMs = performance.now() + appStartMs
  for (;;) {
    try {
      const { endpoint } = localEndpoint(paths.localEndpoint)
      // The app tells its endpoint after its keys are on disk: nothing is made here.
      const { networkOwner } = existsSync(paths.vault) ? await readSecrets(options) : { networkOwner: null }
      return {
        ...asked(httpChain({ kind: 'local', endpoint, logger: logger.room('chain') }), options),
        source: `the embedded chain of the app that runs with ${dataDir}`,
        faucet: networkOwner,
        close: async () => undefined,
      }
    } catch (thrown) {
      const starting = thrown instanceof Failure && thrown.code === 'app-not-running'
      if (!starting) throw thrown
      if (performance.now() > endMs) {
        throw new Failure('app-not-ready', 'Another program uses this data folder, but its local chain is not up.', {
          advice: 'Wait until the app is ready, or stop it and run the command again.',
          retryable: true,
          cause: thrown,
        })
      }
      await pause(250)
    }
  }
}

async function openRemote(on: 'testnet' | 'mainnet', options: ToolChainOptions): Promise<ToolChain> {
  let last: unknown
  const endpoints = options.endpoints ?? publicEndpoints[on]
  for (const endpoint of endpoints) {
    const chain = httpChain({
      kind: on,
      endpoint,
      logger: options.logger.room('chain'),
      ...apiKeyFor(endpoint, options.named),
    })
    try {
      await chain.account(new Address(0, Buffer.alloc(32)))
      return {
        ...asked(chain, { ...options, endpoints }),
        source: on === 'mainnet' ? 'the TON main network' : 'the TON test network',
        faucet: null,
        close: async () => undefined,
      }
    } catch (thrown) {
      last = thrown
    }
  }
  if (last instanceof Failure)
    throw new Failure(last.code, `No endpoint of the ${on} answered. ${last.message}`, {
      advice: 'Check the connection, or name another endpoint with --endpoint.',
      money: 'Nothing was sent.',
      retryable: true,
      cause: last,
    })
  throw last
}

/** The chain that everything goes through, and who is asked beside it. */
const asked = (
  chain: Chain,
  { endpoints = [], named = [], logger }: Pick<ToolChainOptions, 'endpoints' | 'named' | 'logger'>,
): Pick<ToolChain, 'chain' | 'others'> => ({
  chain,
  others: besides(chain, otherChains(chain.kind, endpoints, logger.room('chain'), { named })),
})
