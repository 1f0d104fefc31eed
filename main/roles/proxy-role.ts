import { fromNano } from '@ton/core'
import { WALLET_MINIMUM } from '../../contracts/cocoon-wallet.ts'
import { parseProxyState, proxyInit } from '../../contracts/proxy.ts'
import { keySigner, publicKeyOfSeed } from '../../contracts/signed.ts'
import type { HttpPlace } from '../base/http-listener.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { plainPort, securePort } from '../proxy/ports.ts'
import { CocoonProxy } from '../proxy/proxy.ts'
import type { PortOpener } from '../proxy/proxy-config.ts'
import { usualTerms } from '../proxy/settlement.ts'
import { openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { ownQuote, type PolicyName, policyNamedOf } from './attesting.ts'
import { Closers } from './closers.ts'
import { openProxyHttp } from './http/proxy-http.ts'
import { openKeyFile } from './key-file.ts'
import { type KeyManagerAccess, openKeySource } from './network-keys.ts'
import { drained, type Role } from './role.ts'
import { openRoleFolder } from './role-folder.ts'
import { firstRoot, ownerOf, type RoleOptions } from './role-options.ts'
import { openRoleWallet, type RoleWallet, waitForMoney } from './role-wallet.ts'
import { routerPort } from './router-port.ts'

export interface ProxyRoleOptions extends RoleOptions {
  /** Where both ports listen. */
  readonly host: string
  /** The very ports that the network contract lists; 0 = any, for tests. */
  readonly workersPort: number
  readonly clientsPort: number
  readonly policyWorkers: PolicyName
  readonly policyClients: PolicyName
  /** Frames directly on TCP, for test peers and a router in front: no proof of work, no TLS. */
  readonly plain: boolean
  /** Plain, and every peer is a router that says first who it speaks for. */
  readonly behindRouter?: boolean
  /** Leading zero bits of the proof of work that each peer owes, 0 to 24. */
  readonly difficulty: number
  /** How long finished requests are gathered into one database commit, ms; at most 1000. */
  readonly commitDelayMs: number
  /** Serve only models that the network contract lists, also where nothing is attested. */
  readonly listedModelsOnly: boolean
  /** Start although the chain knows of more than the database. */
  readonly acceptLostDatabase: boolean
  /** Protocol versions that peers may choose; those of `CocoonProxy` by default. */
  readonly versions?: VersionRange
  /** Where the private keys of encrypted requests come from. Where neither it nor the network contract names a key manager, there are none. */
  readonly keyManager?: KeyManagerAccess
  /** Status for the operator; none when left out. */
  readonly http?: HttpPlace
}

/** What a proxy sends before it earns anything: its contract and first messages. nanoton */
const startingNano = 3_000_000_000n

/**
 * A proxy (protocol 50).
 * @throws Failure of the folder, the key file, the database, the wallet and the ports; nothing is left open then
 */
export function startProxyRole(options: ProxyRoleOptions): Promise<Role> {
  const { network, dataDir, logger, signal } = options
  const closers = new Closers(logger)
  return closers.during(options.signal, async () => {
    closers.addWaitedFor(() => network.close())
    const folder = openRoleFolder(dataDir, network.name, 'proxy', options.keyFile)
    closers.add(() => folder.release())
    const { keys } = openKeyFile(folder.keyFile, 'proxy')
    const owner = ownerOf(options)
    const publicKey = publicKeyOfSeed(keys.machineKey)
    const wallet = openRoleWallet(keys.walletKey, owner, network.chain)
    closers.addWaitedFor(() => wallet.money?.wallet.close())
    const root = await firstRoot(options)
    const { address: contract } = proxyInit({ owner, publicKey, root: root.address, params: root.params })
    const stakeNano = wallet.money === undefined ? 0n : root.params.minProxyStake
    await waitForMoney(wallet, await neededNano(wallet, contract, root), { logger, signal })
    const sealingKeys = openKeySource('proxy', options.keyManager ?? { policy: options.policyWorkers }, options)
    closers.add(() => sealingKeys.stop())
    const proxy = new CocoonProxy(
      {
        owner,
        checkHashes: options.policyWorkers !== 'any',
        listedModelsOnly: options.listedModelsOnly,
        stakeNano,
        terms: usualTerms,
        dbCommitDelayMs: options.commitDelayMs,
        testnet: network.chain?.kind === 'testnet',
        databasePath: folder.database,
        acceptLostDatabase: options.acceptLostDatabase,
        ...(options.versions === undefined ? {} : { versions: options.versions }),
      },
      {
        root: network.root,
        side:
          wallet.money === undefined
            ? { kind: 'pseudo', wallet: wallet.address }
            : { kind: 'chain', chain: wallet.money.chain, sender: wallet.money.wallet },
        key: { publicKey, signer: keySigner(keys.machineKey) },
        openWorkerPort: port(options, options.workersPort, options.policyWorkers),
        openClientPort: port(options, options.clientsPort, options.policyClients),
        privateKeyOf: (key) => sealingKeys.privateKeyOf(key),
        openDatabase: (path, migrations) => openDatabase(path, migrations, { logger, chainId: network.chainId }),
        logger: logger.room('proxy'),
      },
    )
    closers.add(() => proxy.stop())
    sealingKeys.start()
    await proxy.start(signal)
    const address =
      options.http &&
      (await openProxyHttp({
        ...options.http,
        proxy,
        wallet,
        contract,
        accessHash: keys.accessHash,
        logger: logger.room('http'),
      }))
    closers.add(() => address?.close())
    // The status is told in the turn after the start.
    await Promise.resolve()
    const { workerPort, clientPort } = proxy.status.value
    return {
      facts: [
        `Workers: ${options.host}:${workerPort} (${portText(options, options.policyWorkers)})`,
        `Clients: ${options.host}:${clientPort} (${portText(options, options.policyClients)})`,
        `Proxy contract: ${contract.toString()}`,
        ...(wallet.money === undefined ? [] : [`Wallet: ${wallet.address.toString({ bounceable: false })}`]),
        ...(stakeNano > 0n ? [`Stake: ${fromNano(stakeNano)} TON`] : []),
        // Behind a router other ports are listed: the router's.
        ...(options.behindRouter || isListed(root, clientPort)
          ? []
          : ['The network contract lists no proxy at these ports: nobody will come before its owner adds one.']),
        ...(address === undefined ? [] : [`Status: http://${address.host}:${address.port}/stats`]),
        `Keys and book: ${folder.path}`,
      ],
      stop: async (limitMs) => {
        proxy.takeNoMore()
        const cut = await drained(() => proxy.status.value.runningQueries, limitMs)
        await closers.close()
        return cut
      },
    }
  })
}

function port(options: ProxyRoleOptions, number: number, policy: PolicyName): PortOpener {
  const { host, plain, behindRouter = false, difficulty, logger } = options
  if (behindRouter) return routerPort(host, number)
  if (plain) return plainPort(host, number)
  const quote = ownQuote(shownWith(policy, options), options.hardware)
  return securePort({
    host,
    port: number,
    fixed: true,
    difficulty,
    policy: policyNamedOf(policy, options),
    ...(quote && { quote }),
    logger: logger.room('ports'),
  })
}

/** A port that asks for nothing (`any`, as clients' ports do) shows what the other one shows: clients want to know whom they ask (protocol 10 §8). */
function shownWith(policy: PolicyName, { policyWorkers, policyClients }: ProxyRoleOptions): PolicyName {
  if (policy !== 'any') return policy
  return policyWorkers === 'any' ? policyClients : policyWorkers
}

function portText({ plain, behindRouter = false, difficulty }: ProxyRoleOptions, policy: PolicyName): string {
  if (behindRouter) return 'for a router in front, which checks the peers'
  return plain ? 'plain: no encryption, no proof of work' : `policy ${policy}, proof of work ${difficulty} bits`
}

function isListed(root: RootConfig, clientPort: number | null): boolean {
  return root.proxies.some(({ forClients }) => forClients.port === clientPort)
}

/** What the wallet must hold before the start: with a contract that has its stake only enough to send at all. nanoton */
async function neededNano(
  wallet: RoleWallet,
  contract: ReturnType<typeof proxyInit>['address'],
  root: RootConfig,
): Promise<bigint> {
  if (wallet.money === undefined) return 0n
  const { data } = await wallet.money.chain.account(contract)
  const stake = data === null ? 0n : parseProxyState(data).stake
  const missing = root.params.minProxyStake - stake
  return WALLET_MINIMUM + (missing > 0n ? missing + startingNano : 0n)
}
