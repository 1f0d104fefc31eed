import { Address } from '@ton/core'
import { clientInit } from '../../contracts/client.ts'
import type { Params } from '../../contracts/params.ts'
import { proxyInit } from '../../contracts/proxy.ts'
import { workerInit } from '../../contracts/worker.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { AccountKind } from './account.ts'
import { Refusal } from './refusal.ts'

/** Who a proxy is on one network with one set of params: everything that its contracts' addresses depend on (60 §2). */
export interface ProxyIdentity {
  readonly owner: Address
  readonly root: Address
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly params: Params
}

/** Address and initial state of the contract of the proxy itself. */
export function proxyContract(identity: ProxyIdentity) {
  return proxyInit(identity)
}

/** Address and initial state of the contract between this proxy and a client or worker. */
export function peerContract(identity: ProxyIdentity, proxy: Address, kind: AccountKind, owner: Address) {
  const arguments_ = { owner, proxy, publicKey: identity.publicKey, params: identity.params }
  return kind === 'client' ? clientInit(arguments_) : workerInit(arguments_)
}

/**
 * An owner address as a peer wrote it: bounceable, non-bounceable and raw forms (30 §3.1). There are two workchains; what is paid to another one comes
 * back. Throws `Refusal` code 0.
 */
export function parseOwner(text: string): Address {
  const address = parsed(text)
  if (address?.workChain === 0 || address?.workChain === -1) return address
  throw new Refusal(peerErrorCodes.none, 'Failed to parse account address', true)
}

function parsed(text: string): Address | undefined {
  try {
    return Address.parse(text)
  } catch {
    return undefined
  }
}

/** The form that the reference writes on the wire: non-bounceable, URL-safe. */
export function wireAddress(address: Address, testOnly: boolean): string {
  return address.toString({ bounceable: false, testOnly, urlSafe: true })
}
