import type { Address, Cell } from '@ton/core'
import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import { formatEndpoints } from '../../contracts/net-address.ts'
import type { Multipliers } from '../../contracts/params.ts'
import { type KeyManager, type RootRequest, upgradedRootData } from '../../contracts/root.ts'
import { Failure } from '../base/failure.ts'
import { hexOf } from '../base/hex.ts'
import type { RootConfig } from '../ton/root-config.ts'

/** What an owner can want of a network contract. Amounts are nanoton, times seconds, hashes 32 bytes. */
export type OwnerWish =
  | { readonly kind: 'set-price'; readonly price: bigint; readonly workerFee: bigint }
  | {
      readonly kind: 'set-params'
      readonly price?: bigint
      readonly workerFee?: bigint
      readonly proxyDelay?: number
      readonly clientDelay?: number
      readonly minProxyStake?: bigint
      readonly minClientStake?: bigint
    }
  | { readonly kind: 'register-proxy'; readonly endpoints: ProxyEndpoints }
  | { readonly kind: 'update-proxy'; readonly seqno: number; readonly endpoints: ProxyEndpoints }
  | { readonly kind: 'unregister-proxy'; readonly seqno: number }
  | { readonly kind: 'add-hash' | 'remove-hash'; readonly of: HashKind; readonly hash: Uint8Array; readonly name?: string }
  | { readonly kind: 'upgrade-contracts'; readonly proxy: Cell; readonly worker: Cell; readonly client: Cell }
  | { readonly kind: 'change-owner'; readonly owner: Address }
  | { readonly kind: 'set-multipliers'; readonly multipliers: Multipliers }
  | { readonly kind: 'add-public-key'; readonly publicKey: Uint8Array; readonly type: number; readonly expiresAtSec: number }
  | {
      readonly kind: 'change-key-manager'
      readonly publicKey: Uint8Array
      readonly imageHash: Uint8Array
      readonly endpoints: ProxyEndpoints | null
    }

export type HashKind = 'proxy' | 'worker' | 'model'

/** Code and data of the network contract, as `root` was read from them. */
export interface RootAccount {
  readonly code: Cell
  readonly data: Cell
}

/** The message that a wish needs, and what its owner should know before. */
export interface OwnerOrder {
  readonly title: string
  readonly request: RootRequest
  readonly warnings: readonly string[]
  /** Cannot be taken back by the one who sends it. */
  readonly irreversible: boolean
}

const newAddresses =
  'New terms give new addresses to every proxy, worker and client contract. Proxies settle and close the old ones; clients open and fund new ones.'

/**
 * What to send so that the contract, as it is now, does what is wished; null when it does already.
 * @throws Failure `wish-impossible`; nothing was sent
 */
export function orderFor(root: RootConfig, account: RootAccount, wish: OwnerWish): OwnerOrder | null {
  const { params } = root
  const order = (title: string, request: RootRequest, warnings: readonly string[] = []): OwnerOrder => ({
    title,
    request,
    warnings,
    irreversible: false,
  })
  switch (wish.kind) {
    case 'set-price': {
      const { price: pricePerToken, workerFee: workerFeePerToken } = wish
      requireSound(pricePerToken, workerFeePerToken)
      if (pricePerToken === params.pricePerToken && workerFeePerToken === params.workerFeePerToken) return null
      return order('Change the price', { op: 'changePrice', pricePerToken, workerFeePerToken }, [newAddresses])
    }
    case 'set-params': {
      const next = {
        pricePerToken: wish.price ?? params.pricePerToken,
        workerFeePerToken: wish.workerFee ?? params.workerFeePerToken,
        proxyDelaySec: wish.proxyDelay ?? params.proxyDelaySec,
        clientDelaySec: wish.clientDelay ?? params.clientDelaySec,
        minProxyStake: wish.minProxyStake ?? params.minProxyStake,
        minClientStake: wish.minClientStake ?? params.minClientStake,
      }
      requireSound(next.pricePerToken, next.workerFeePerToken)
      if (Object.entries(next).every(([name, value]) => params[name as keyof typeof next] === value)) return null
      return order('Change the terms', { op: 'changeParams', ...next }, [newAddresses])
    }
    case 'register-proxy': {
      const { endpoints } = wish
      const text = formatEndpoints(endpoints)
      if (root.proxies.some((proxy) => formatEndpoints(proxy) === text)) return null
      return order(`List the proxy ${text}`, { op: 'registerProxy', endpoints })
    }
    case 'update-proxy': {
      const { seqno, endpoints } = wish
      const text = formatEndpoints(endpoints)
      const present = requireProxy(root, seqno)
      if (present !== undefined && formatEndpoints(present) === text) return null
      return order(`Change proxy ${seqno} to ${text}`, { op: 'updateProxy', seqno, endpoints })
    }
    case 'unregister-proxy': {
      const { seqno } = wish
      // A number is given out once, so an absent one at or below the newest was there and is gone: nothing is left to do.
      if (!isListed(root, seqno) && seqno >= 1 && seqno <= root.lastProxySeqno) return null
      requireProxy(root, seqno)
      return order(`Remove proxy ${seqno} from the list`, { op: 'unregisterProxy', seqno })
    }
    case 'add-hash':
    case 'remove-hash':
      return hashOrder(root, wish, order)
    case 'upgrade-contracts': {
      const { proxy, worker, client } = wish
      const same = (['proxy', 'worker', 'client'] as const).every((name) => params.codes[name]?.equals(wish[name]) ?? false)
      if (same) return null
      return order('Replace the code of the contracts', { op: 'upgradeContracts', proxy, worker, client }, [newAddresses])
    }
    case 'set-multipliers': {
      const { multipliers } = wish
      if (
        (['prompt', 'cached', 'completion', 'reasoning'] as const).every((name) => params.multipliers[name] === multipliers[name])
      )
        return null
      // There is no operation for multipliers alone: data that differ in nothing else take the place of the present ones.
      const next = { ...params, paramsVersion: params.paramsVersion + 1, multipliers }
      const data = possible(() => upgradedRootData(account.data, { params: next }))
      return order('Change the multipliers', { op: 'fullUpgrade', data, code: account.code }, [
        newAddresses,
        'This replaces all data of the contract by a copy with the new multipliers. Send nothing else to it at the same time.',
      ])
    }
    case 'add-public-key': {
      const { publicKey, type, expiresAtSec } = wish
      const present = requireKeyManager(root).keys.find((key) => key.publicKey === hexOf(publicKey))
      if (present?.type === type && present.expiresAtSec === expiresAtSec) return null
      return order('List a public key', { op: 'addPublicKey', publicKey, type, expiresAtSec })
    }
    case 'change-key-manager': {
      const { publicKey, imageHash, endpoints } = wish
      const present = requireKeyManager(root)
      const place = (at: ProxyEndpoints | null): string => (at === null ? '' : formatEndpoints(at))
      const same = present.publicKey === hexOf(publicKey) && present.imageHash === hexOf(imageHash)
      if (same && place(present.endpoints) === place(endpoints)) return null
      return order('Change the key manager', { op: 'changeKeyManager', publicKey, imageHash, endpoints })
    }
    case 'change-owner': {
      if (root.owner.equals(wish.owner)) return null
      if (root.address.equals(wish.owner))
        throw impossible('The network contract cannot own itself: nobody could change it any more.')
      return {
        ...order('Give the network to another owner', { op: 'changeOwner', owner: wish.owner }, [
          'Only the new owner can change anything afterwards. This wallet cannot take it back.',
        ]),
        irreversible: true,
      }
    }
  }
}

function hashOrder(
  root: RootConfig,
  { kind, of, hash, name }: Extract<OwnerWish, { of: HashKind }>,
  order: (title: string, request: RootRequest, warnings?: readonly string[]) => OwnerOrder,
): OwnerOrder | null {
  const lists = { proxy: root.proxyHashes, worker: root.workerHashes, model: root.modelHashes } as const
  const listed = lists[of].has(hexOf(hash))
  const adds = kind === 'add-hash'
  if (listed === adds) return null
  const ops = {
    proxy: ['addProxyHash', 'delProxyHash'],
    worker: ['addWorkerHash', 'delWorkerHash'],
    model: ['addModelHash', 'delModelHash'],
  } as const
  const [add, del] = ops[of]
  const warnings = !adds && of !== 'model' && !root.params.isTest ? [`Every ${of} with this image is refused from now on.`] : []
  return order(
    `${adds ? 'List' : 'Remove'} ${name === undefined ? `a ${of} hash` : `the hash of ${name}`}`,
    { op: adds ? add : del, hash },
    warnings,
  )
}

function requireKeyManager(root: RootConfig): KeyManager {
  if (root.keyManager !== null) return root.keyManager
  throw impossible(`Struct version ${root.params.structVersion} of a network contract has no key manager; 4 and 5 have.`)
}

function possible<T>(build: () => T): T {
  try {
    return build()
  } catch (thrown) {
    if (thrown instanceof RangeError) throw impossible(`${thrown.message}.`)
    throw thrown
  }
}

function isListed(root: RootConfig, seqno: number): boolean {
  return root.proxies.some((proxy) => proxy.seqno === seqno) || root.unreadableProxies.includes(seqno)
}

/** The readable entry, if it is readable. */
function requireProxy(root: RootConfig, seqno: number): ProxyEndpoints | undefined {
  if (isListed(root, seqno)) return root.proxies.find((proxy) => proxy.seqno === seqno)
  throw impossible(`The network lists no proxy ${seqno}.`)
}

function requireSound(price: bigint, workerFee: bigint): void {
  if (price === 0n) throw impossible('A price of 0 leaves nothing to count in.')
  if (workerFee > price) throw impossible('Workers would receive more than clients pay.')
}

function impossible(message: string): Failure<'wish-impossible'> {
  return new Failure('wish-impossible', message, {
    money: 'Nothing was sent.',
    advice: 'Look at the network with "network show".',
  })
}
