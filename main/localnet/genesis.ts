import { type Address, beginCell, toNano } from '@ton/core'
import { cocoonWalletInit } from '../../contracts/cocoon-wallet.ts'
import { contractCode } from '../../contracts/code.ts'
import { randomQueryId } from '../../contracts/common.ts'
import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import type { Params } from '../../contracts/params.ts'
import { parseProxyState, proxyIncreaseStake, proxyInit } from '../../contracts/proxy.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { type RootConfig, readRoot } from '../ton/root-config.ts'
import { deployRoot, orderToRoot, rootOrderValue } from '../ton/root-orders.ts'
import { carryOut, type Order } from '../wallet/orders.ts'
import type { Sender } from '../wallet/sender.ts'
import { type WalletKeyPair, w5Address } from '../wallet/w5-wallet.ts'
import { deployedRoot } from './known-root.ts'

/** Key pairs of everybody on the local network. */
export interface LocalKeys {
  /** Owns the network contract and the proxy contract, and all coins at the beginning. A W5 wallet. */
  readonly networkOwner: WalletKeyPair
  /** The person at this computer. A W5 wallet. */
  readonly user: WalletKeyPair
  /** Signs the proxy's payments; only its public half is needed here. */
  readonly proxy: Pick<WalletKeyPair, 'publicKey'>
  /** Node wallet of the proxy, owned by the network owner. May be the same pair as `proxy`. */
  readonly proxyWallet: Pick<WalletKeyPair, 'publicKey'>
  /** Node wallet of the worker, owned by the user. */
  readonly workerWallet: Pick<WalletKeyPair, 'publicKey'>
}

export interface LocalAddresses {
  readonly networkOwner: Address
  readonly user: Address
  readonly proxyWallet: Address
  readonly workerWallet: Address
  readonly root: Address
}

export interface LocalNetwork extends LocalAddresses {
  readonly proxyContract: Address
  /** As read from chain when everything was in place. */
  readonly config: RootConfig
}

/** Coins that the local chain begins with; all of them belong to the network owner. */
export const localSupply = toNano('1000000')
/** "LOCA": tells derived contracts of this network from those of any other. */
const uniqueId = 0x4c4f4341
/** What real messages hand out at the beginning (architecture, Networks). */
export const localFunding = { user: toNano('100'), proxyWallet: toNano('20'), workerWallet: toNano('10') } as const
/** Terms of the local network (architecture, Networks). */
export const localParams: Params = {
  structVersion: 3,
  paramsVersion: 1,
  uniqueId,
  isTest: true,
  pricePerToken: 200_000n,
  workerFeePerToken: 150_000n,
  multipliers: { prompt: 10_000, cached: 1000, completion: 80_000, reasoning: 80_000 },
  proxyDelaySec: 60,
  clientDelaySec: 30,
  minProxyStake: toNano('1'),
  minClientStake: toNano('5'),
  codes: { proxy: contractCode.proxy, worker: contractCode.worker, client: contractCode.client },
}

/** For `LocalChainOptions.genesis`. */
export function localGenesis(keys: Pick<LocalKeys, 'networkOwner'>): ReadonlyArray<{ address: Address; balance: bigint }> {
  return [{ address: w5Address(keys.networkOwner.publicKey, 'local'), balance: localSupply }]
}

/** Addresses that the keys decide, and the network contract that this version would deploy: an older one may be on chain. */
export function localAddresses(keys: LocalKeys): LocalAddresses {
  const networkOwner = w5Address(keys.networkOwner.publicKey, 'local')
  const user = w5Address(keys.user.publicKey, 'local')
  return {
    networkOwner,
    user,
    proxyWallet: cocoonWalletInit(keys.proxyWallet.publicKey, networkOwner).address,
    workerWallet: cocoonWalletInit(keys.workerWallet.publicKey, user).address,
    root: deployRoot({ owner: networkOwner, params: localParams }).address,
  }
}

/** Where the local proxy listens, as the network contract lists it. */
export function localEndpoints(ports: { workerPort: number; clientPort: number }): ProxyEndpoints {
  return {
    forWorkers: { host: '127.0.0.1', port: ports.workerPort },
    forClients: { host: '127.0.0.1', port: ports.clientPort },
  }
}

export interface GenesisOptions {
  readonly chain: Chain
  readonly keys: LocalKeys
  /** Wallet of the network owner on `chain`. */
  readonly owner: Sender
  readonly endpoints: ProxyEndpoints
  /** What is being done, in words for the start screen. */
  readonly onProgress?: (sentence: string) => void
}

/**
 * Brings the local network into being by ordinary messages of its owner. What is there already is left alone, so it may run at
 * every start and goes on where an earlier run ended.
 * @throws Failure of the wallet or the chain, or `genesis-incomplete` when the chain does not show what was ordered.
 */
export async function buildLocalNetwork(options: GenesisOptions): Promise<LocalNetwork> {
  const { chain, keys, owner } = options
  const say = options.onProgress ?? (() => undefined)

  say('Looking at the local chain')
  const addresses = { ...localAddresses(keys), root: await localRoot(chain, keys) }
  const beginnings = await missingBeginnings(chain, keys, addresses)
  if (beginnings.length > 0) {
    say('Deploying the network contract and handing out test coins')
    await carryOut(chain, owner, beginnings)
  }
  return complete(options, addresses, (root) => entryOrder(root, options.endpoints))
}

/**
 * Gives this computer a place in a network that somebody deployed on the local chain: test coins and a proxy contract with its stake.
 * The network contract is its owner's and stays as it is; the proxy has to listen where it is listed.
 * @throws Failure as `buildLocalNetwork`, or `root-absent` when the chain has no such network contract.
 */
export async function joinLocalNetwork(options: JoinOptions): Promise<LocalNetwork> {
  return complete(options, await joinAsGuest(options), () => [])
}

export type JoinOptions = Omit<GenesisOptions, 'endpoints'> & { readonly root: Address }

/** The same for a computer that runs no proxy there: it gets test coins, and nothing else. Throws as `joinLocalNetwork`. */
export async function joinAsGuest({ chain, keys, owner, root, onProgress }: JoinOptions): Promise<LocalAddresses> {
  const addresses = { ...localAddresses(keys), root }
  // Without the contract nothing else makes sense, and nothing is handed out.
  await readRoot(chain, root)
  const gifts = await missingGifts(chain, keys, addresses)
  if (gifts.length > 0) {
    onProgress?.('Handing out test coins')
    await carryOut(chain, owner, gifts)
  }
  return addresses
}

/** What follows once the network contract is there: the proxy's contract, and the orders of `atRoot`. */
async function complete(
  { chain, keys, owner, onProgress }: Omit<GenesisOptions, 'endpoints'>,
  addresses: LocalAddresses,
  atRoot: (root: RootConfig) => Order[],
): Promise<LocalNetwork> {
  const root = await readRoot(chain, addresses.root)
  const { networkOwner } = addresses
  const { publicKey } = keys.proxy
  const proxy = proxyInit({ owner: networkOwner, publicKey, root: addresses.root, params: root.params })
  const missing = async (config: RootConfig): Promise<Order[]> => [
    ...atRoot(config),
    ...(await stakeOrder(chain, proxy, config, networkOwner)),
  ]
  const orders = await missing(root)
  if (orders.length > 0) {
    onProgress?.('Deploying the proxy contract with its stake')
    await carryOut(chain, owner, orders)
  }
  onProgress?.('Checking the contracts')
  const config = await readRoot(chain, addresses.root)
  if ((await missing(config)).length > 0) {
    throw new Failure('genesis-incomplete', 'The local network contracts did not take what was ordered.', {
      advice:
        'Start again. If that does not help, stop the app and move the folder "chain" out of the data folder: a new local chain begins, with new test coins.',
      retryable: true,
    })
  }
  return { ...addresses, proxyContract: proxy.address, config }
}

/**
 * Lists the proxy under new ports. Does nothing when they are listed already.
 * @throws Failure of the wallet or the chain, or `genesis-incomplete`.
 */
export async function updateProxyEntry(
  chain: Chain,
  owner: Sender,
  root: Address,
  endpoints: ProxyEndpoints,
): Promise<RootConfig> {
  const before = await readRoot(chain, root)
  const orders = entryOrder(before, endpoints)
  if (orders.length === 0) return before
  await carryOut(chain, owner, orders)
  const after = await readRoot(chain, root)
  if (entryOrder(after, endpoints).length === 0) return after
  throw new Failure('genesis-incomplete', 'The network contract did not take the new ports of the proxy.', { retryable: true })
}

/**
 * The network contract of this computer's network: a network that an older version made goes on with its contracts and their code; only a
 * new chain gets the present ones.
 * @throws Failure of the chain.
 */
export async function localRoot(chain: Chain, keys: LocalKeys): Promise<Address> {
  const planned = localAddresses(keys)
  if ((await chain.account(planned.root)).status === 'active') return planned.root
  return (await deployedRoot(chain, planned.networkOwner, uniqueId)) ?? planned.root
}

const emptyBody = beginCell().endCell()

/** Network contract and first coins, in one message of the owner: all of it happens or none. */
async function missingBeginnings(chain: Chain, keys: LocalKeys, addresses: LocalAddresses): Promise<Order[]> {
  const { networkOwner, root } = addresses
  const deployed = (await chain.account(root)).status === 'active'
  const orders = deployed ? [] : [deployRoot({ owner: networkOwner, params: localParams }).order]
  return [...orders, ...(await missingGifts(chain, keys, addresses))]
}

/**
 * Gives every wallet that runs low as many test coins as it got at the beginning. The network's owner has all of them.
 * @throws Failure of the wallet or the chain
 */
export async function handOutCoins({ chain, keys, owner }: Pick<GenesisOptions, 'chain' | 'keys' | 'owner'>): Promise<void> {
  const gifts = await missingGifts(chain, keys, localAddresses(keys))
  if (gifts.length > 0) await carryOut(chain, owner, gifts)
}

/** Test coins for every wallet that holds less than a fifth of what it got at the beginning. */
async function missingGifts(chain: Chain, keys: LocalKeys, addresses: LocalAddresses): Promise<Order[]> {
  const { networkOwner, user, proxyWallet, workerWallet } = addresses
  const gift = { body: emptyBody, mode: 1, bounce: false }
  const gifts: Order[] = [
    { title: "Test coins for the user's wallet", message: { ...gift, to: user, value: localFunding.user } },
    {
      title: "Test coins for the proxy's wallet",
      message: {
        ...gift,
        to: proxyWallet,
        value: localFunding.proxyWallet,
        init: cocoonWalletInit(keys.proxyWallet.publicKey, networkOwner).init,
      },
    },
    {
      title: "Test coins for the worker's wallet",
      message: {
        ...gift,
        to: workerWallet,
        value: localFunding.workerWallet,
        init: cocoonWalletInit(keys.workerWallet.publicKey, user).init,
      },
    },
  ]
  const accounts = await Promise.all(gifts.map(({ message }) => chain.account(message.to)))
  return gifts.flatMap(({ title, message: { init, ...message } }, index) => {
    const { balance = 0n, status = 'uninit' } = accounts[index] ?? {}
    if (balance >= message.value / 5n) return []
    return [{ title, message: init === undefined || status === 'active' ? message : { ...message, init } }]
  })
}

/** The proxy's place in the list: registered, moved, or left as it is. */
function entryOrder(root: RootConfig, endpoints: ProxyEndpoints): Order[] {
  const [entry] = root.proxies
  if (entry === undefined) return [orderToRoot(root, { op: 'registerProxy', endpoints }, 'List the proxy')]
  const same = sameAddress(entry.forWorkers, endpoints.forWorkers) && sameAddress(entry.forClients, endpoints.forClients)
  return same ? [] : [orderToRoot(root, { op: 'updateProxy', seqno: entry.seqno, endpoints }, 'List the new ports of the proxy')]
}

function sameAddress(one: ProxyEndpoints['forWorkers'], other: ProxyEndpoints['forWorkers']): boolean {
  return one.host === other.host && one.port === other.port
}

/** Deploys the proxy contract where it is missing and brings its stake up to the network's minimum. */
async function stakeOrder(
  chain: Chain,
  proxy: ReturnType<typeof proxyInit>,
  root: RootConfig,
  excesses: Address,
): Promise<Order[]> {
  const account = await chain.account(proxy.address)
  const active = account.status === 'active' && account.data !== null
  const stake = active && account.data !== null ? parseProxyState(account.data).stake : 0n
  const missing = root.params.minProxyStake - stake
  if (missing <= 0n) return []
  const body = proxyIncreaseStake({ queryId: randomQueryId(), excesses }, missing)
  const message = { to: proxy.address, value: missing + rootOrderValue, body, ...(active ? {} : { init: proxy.init }) }
  return [{ title: 'Deploy the proxy contract with its stake', message }]
}
