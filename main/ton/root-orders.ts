import { createHash } from 'node:crypto'
import { type Address, beginCell, type Cell, toNano } from '@ton/core'
import { contractCode } from '../../contracts/code.ts'
import { type RootRequest, type RootSeed, rootInit, rootRequest } from '../../contracts/root.ts'
import type { Order } from '../wallet/orders.ts'
import type { RootConfig } from './root-config.ts'

/** Stays in a new network contract and pays its storage rent. nanoton */
export const rootReserve = toNano('1')
/** Pays for the work of an order to the network contract; the rest returns. nanoton */
export const rootOrderValue = toNano('0.2')

/** The order that brings a network contract into being, with everything in its first state, and its address. */
export function deployRoot(seed: RootSeed, value: bigint = rootReserve): { readonly address: Address; readonly order: Order } {
  const { address, init } = rootInit(contractCode.root, seed)
  const message = { to: address, value, body: beginCell().endCell(), init }
  return { address, order: { title: 'Deploy the network contract', message } }
}

/** An order of the owner to the network contract as it is now. */
export function orderToRoot(root: Pick<RootConfig, 'address' | 'version'>, request: RootRequest, title: string): Order {
  return { title, message: { to: root.address, value: rootOrderValue, body: rootBody(root, request) } }
}

/**
 * The query id is the same for the same wish to the same version of the contract. A command that was interrupted and is run again makes
 * the same message, which shows whether it is on its way already.
 */
function rootBody({ address, version }: Pick<RootConfig, 'address' | 'version'>, request: RootRequest): Cell {
  const wish = createHash('sha256').update(address.hash).update(String(version)).update(rootRequest(0n, request).hash()).digest()
  return rootRequest(wish.readBigUInt64BE(), request)
}
