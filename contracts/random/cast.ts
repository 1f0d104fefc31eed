import { createHash } from 'node:crypto'
import { type Address, type Cell, contractAddress, type StateInit } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import { clientInit } from '../client.ts'
import { cocoonWalletInit } from '../cocoon-wallet.ts'
import type { Params } from '../params.ts'
import { proxyInit } from '../proxy.ts'
import { workerInit } from '../worker.ts'
import { addressOf, type Key, keyOf } from './account.ts'
import { dataOf, type Model } from './judge.ts'
import { type KeyPair, keyNamed } from './keys.ts'
import { newClient, newProxy, newWorker, type ProxyModel, type Terms } from './model-layout.ts'
import type { WalletModel } from './model-wallet.ts'

/** Somebody who sends messages. */
export type Actor =
  /** Outside the emulator: has all the money it needs and keeps all it gets. */
  | { readonly kind: 'purse'; readonly name: string; readonly key: Key }
  /** A node's wallet: external messages by its key, everything else by its owner. */
  | {
      readonly kind: 'node'
      readonly name: string
      readonly key: Key
      readonly owner: Key
      readonly pair: KeyPair
      readonly contract: Contract
    }
  /** An ordinary wallet, as people have it. */
  | {
      readonly kind: 'ordinary'
      readonly name: string
      readonly key: Key
      readonly pair: KeyPair
      readonly wallet: WalletContractV5R1
    }

/** A contract of the network, deployed or not. */
export interface Contract {
  readonly kind: Model['kind']
  readonly key: Key
  readonly init: StateInit & { readonly code: Cell; readonly data: Cell }
  readonly fresh: Model
  /** The proxy contract that a client or worker contract belongs to. */
  readonly proxy: Key | null
  /** Who owns it; null for the root, whose owner changes. */
  readonly owner: Actor | null
  /** Whose signatures count there; null for root and wallet. */
  readonly operator: Operator | null
}

/** Runs proxies. */
export interface Operator {
  readonly name: string
  readonly owner: Actor
  readonly pair: KeyPair
  /** Signs no more payouts than the charges on chain allow, totals that only grow, and grants refunds last. */
  readonly honest: boolean
}

export interface Cast {
  readonly rootOwners: readonly Actor[]
  readonly operators: readonly Operator[]
  readonly clients: readonly Actor[]
  readonly workers: readonly Actor[]
  readonly strangers: readonly Actor[]
}

export function purse(name: string): Actor {
  return { kind: 'purse', name, key: createHash('sha256').update(name).digest('hex') }
}

function nodeWallet(name: string): Actor {
  const pair = keyNamed(name)
  const owner = purse(`${name} owner`)
  const { address, init } = cocoonWalletInit(pair.publicKey, addressOf(owner.key))
  const key = keyOf(address)
  const fresh: WalletModel = { kind: 'wallet', owner: addressOf(owner.key), key: pair.publicKey, seqno: 0, status: 0 }
  const contract: Contract = { kind: 'wallet', key, init, fresh, proxy: null, owner, operator: null }
  return { kind: 'node', name, key, owner: owner.key, pair, contract }
}

function ordinaryWallet(name: string): Actor {
  const pair = keyNamed(name)
  const wallet = WalletContractV5R1.create({ publicKey: pair.publicKey })
  return { kind: 'ordinary', name, key: keyOf(wallet.address), pair, wallet }
}

/** The same people play in every sequence; which operators are honest is decided by the seed. */
export function castWith(honest: readonly [boolean, boolean]): Cast {
  return {
    rootOwners: [purse('root owner'), purse('next root owner')],
    operators: [
      { name: 'operator a', owner: purse('operator a owner'), pair: keyNamed('operator a'), honest: honest[0] },
      { name: 'operator b', owner: purse('operator b owner'), pair: keyNamed('operator b'), honest: honest[1] },
    ],
    clients: [purse('client a'), purse('client b'), ordinaryWallet('client c'), nodeWallet('client d')],
    workers: [purse('worker a'), purse('worker b'), nodeWallet('worker c')],
    strangers: [purse('stranger a'), purse('stranger b')],
  }
}

/** What the model calls terms, in the wrappers' words. */
export function paramsOf(terms: Terms): Params {
  const [prompt, cached, completion, reasoning] = terms.multipliers
  const [proxy, worker, client] = terms.codes
  return {
    structVersion: terms.structVersion,
    paramsVersion: terms.paramsVersion,
    uniqueId: terms.uniqueId,
    isTest: terms.isTest,
    pricePerToken: terms.price,
    workerFeePerToken: terms.fee,
    multipliers: { prompt, cached, completion, reasoning },
    proxyDelaySec: terms.proxyDelay,
    clientDelaySec: terms.clientDelay,
    minProxyStake: terms.minProxyStake,
    minClientStake: terms.minClientStake,
    codes: { proxy, worker, client },
  }
}

const derived = new WeakMap<Terms, Map<string, Contract>>()

function remember(terms: Terms, name: string, make: () => Contract): Contract {
  const cache = derived.get(terms) ?? new Map<string, Contract>()
  derived.set(terms, cache)
  const known = cache.get(name) ?? make()
  cache.set(name, known)
  return known
}

export function proxyContract(terms: Terms, root: Address, operator: Operator): Contract {
  return remember(terms, `${operator.name} ${operator.honest} ${root.hash.toString('hex')}`, () => {
    const fresh = newProxy(addressOf(operator.owner.key), operator.pair.publicKey, root, terms)
    const identity = { owner: fresh.owner, publicKey: fresh.key, root, params: paramsOf(terms) }
    const { address } = proxyInit(identity)
    return contractOf(fresh, terms.codes[0], address, { proxy: null, owner: operator.owner, operator })
  })
}

export function clientContract(terms: Terms, proxy: Contract, owner: Actor): Contract {
  return remember(terms, `client ${proxy.key} ${owner.key}`, () => {
    const { key } = proxy.fresh as ProxyModel
    const fresh = newClient(addressOf(owner.key), addressOf(proxy.key), key, terms)
    const { address } = clientInit({ owner: fresh.owner, proxy: fresh.proxy, publicKey: key, params: paramsOf(terms) })
    return contractOf(fresh, terms.codes[2], address, { proxy: proxy.key, owner, operator: proxy.operator })
  })
}

export function workerContract(terms: Terms, proxy: Contract, owner: Actor): Contract {
  return remember(terms, `worker ${proxy.key} ${owner.key}`, () => {
    const { key } = proxy.fresh as ProxyModel
    const fresh = newWorker(addressOf(owner.key), addressOf(proxy.key), key, terms)
    const { address } = workerInit({ owner: fresh.owner, proxy: fresh.proxy, publicKey: key, params: paramsOf(terms) })
    return contractOf(fresh, terms.codes[1], address, { proxy: proxy.key, owner, operator: proxy.operator })
  })
}

/** Throws when the wrappers derive another address than the model. */
export function contractOf(
  fresh: Model,
  code: Cell,
  expected: Address,
  rest: Pick<Contract, 'proxy' | 'owner' | 'operator'>,
): Contract {
  const init = { code, data: dataOf(fresh) }
  const address = contractAddress(0, init)
  if (!address.equals(expected)) throw new Error(`the wrappers derive ${expected} for a ${fresh.kind}, the model ${address}`)
  return { kind: fresh.kind, key: keyOf(address), init, fresh, ...rest }
}
