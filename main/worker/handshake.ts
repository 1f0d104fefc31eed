import type { Address } from '@ton/core'
import type { ContractInit } from '../../contracts/cells.ts'
import { proxyInit } from '../../contracts/proxy.ts'
import { workerInit } from '../../contracts/worker.ts'
import { addressOf, handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlName, TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { ProxyBalance } from './proxy-balance.ts'

export interface WorkerIdentityOnWire {
  /** Receives the payouts; part of the contract address. */
  readonly owner: Address
  /** Full model name `NAME@COMMIT:HASH`. */
  readonly model: string
  /** Thousandths. */
  readonly coefficient: number
  readonly proxyCount: number
  readonly maxActiveRequests: number
  readonly versions: VersionRange
  /** JSON text; undefined for none. */
  readonly machine: string | undefined
  /** Whether it takes part in sealed queries. */
  readonly seals: boolean
}

/** The proxy as it introduced itself, with the addresses that were derived and compared. */
export interface KnownProxy {
  readonly proxyContract: Address
  readonly workerContract: Address
  /** What deploys the worker contract. */
  readonly workerInit: ContractInit['init']
  readonly publicKey: Uint8Array
  readonly owner: Address
  /** 0 to 4 */
  readonly protocol: number
  /** Whether it sends `proxy.cancelQuery` (docs/protocol-extensions.md). */
  readonly cancels: boolean
  /** Whether this worker and it have agreed on sealed queries. */
  readonly seals: boolean
}

/** From here on a worker describes its machine: to peers of which none may be older (protocol 95 §2). */
const machineSince = 4
/** Bit of `worker.params.flags` with the description. */
const machineFlag = 4

async function ask<N extends TlName>(
  connection: PacketConnection,
  question: TlObject,
  timeoutMs: number,
  answer: N,
): Promise<TlObject<N>> {
  return decode(await connection.query(encode(question), { timeoutMs }), answer)
}

/**
 * First step of protocol 40 §2: introduces the worker and checks who answers. Throws `Failure` (`handshake-failed`, `query-refused`, a
 * WireError or a TlError); close the connection then.
 */
export async function introduceWorker(
  connection: PacketConnection,
  worker: WorkerIdentityOnWire,
  root: RootConfig,
  timeoutMs: number,
): Promise<KnownProxy> {
  const { params } = root
  const machine = worker.versions.least >= machineSince ? worker.machine : undefined
  const answer = await ask(
    connection,
    {
      '@type': 'worker.connectToProxy',
      params: {
        '@type': 'worker.params',
        flags: 3 | cancelExtensionFlag | (worker.seals ? sealedExtensionFlag : 0) | (machine === undefined ? 0 : machineFlag),
        worker_owner_address: worker.owner.toString({ bounceable: false }),
        model: worker.model,
        coefficient: worker.coefficient,
        is_test: params.isTest,
        proxy_cnt: worker.proxyCount,
        max_active_requests: worker.maxActiveRequests,
        min_proto_version: worker.versions.least,
        max_proto_version: worker.versions.most,
        ...(machine === undefined ? {} : { machine_description_json: machine }),
      },
    },
    timeoutMs,
    'worker.connectedToProxy',
  )
  const told = answer.params
  if (told.is_test === undefined) throw handshakeFailure('The proxy is too old for this app.')
  if (told.is_test !== params.isTest) throw handshakeFailure('The proxy belongs to another kind of network (test mode differs).')
  const owner = addressOf(told.proxy_owner_address, 'proxy owner')
  const publicKey = told.proxy_public_key
  const proxyContract = proxyInit({ owner, publicKey, root: root.address, params }).address
  if (!addressOf(told.proxy_sc_address, 'proxy contract').equals(proxyContract))
    throw handshakeFailure("The proxy's contract address does not belong to its key and the network's terms.")
  const contract = workerInit({ owner: worker.owner, proxy: proxyContract, publicKey, params })
  if (!addressOf(answer.worker_sc_address, 'worker contract').equals(contract.address))
    throw handshakeFailure("The proxy named a worker contract that is not this worker's.")
  const protocol = Math.max(0, Math.min(told.proto_version ?? 0, worker.versions.most))
  return {
    proxyContract,
    workerContract: contract.address,
    workerInit: contract.init,
    publicKey,
    owner,
    protocol,
    cancels: (told.flags & cancelExtensionFlag) !== 0,
    seals: worker.seals && protocol >= 1 && (told.flags & sealedExtensionFlag) !== 0,
  }
}

/**
 * Second and third step: both sides compare what they know of the balance, then the worker says whether it takes requests. The worker
 * claims exactly what this proxy told it before. Throws like `introduceWorker`, and `Failure<'proxy-violation'>`.
 * @returns whether the proxy's total is lower than it told before: it lost what it had not stored, or more was told in its name than there was
 */
export async function compareAndComplete(
  connection: PacketConnection,
  balance: ProxyBalance,
  isDisabled: boolean,
  timeoutMs: number,
): Promise<{ readonly lost: boolean }> {
  const { signedTokens, dbTokens, maxTokens } = balance.told
  const told = await ask(
    connection,
    {
      '@type': 'worker.compareBalanceWithProxy',
      tokens_committed_to_blockchain: signedTokens,
      tokens_committed_to_db: dbTokens,
      max_tokens: maxTokens,
    },
    timeoutMs,
    'worker.compareBalanceWithProxyResult',
  )
  if (told.error_code !== 0) {
    const extended = await ask(
      connection,
      { '@type': 'worker.extendedCompareBalanceWithProxy', tokens_committed_to_db: dbTokens, other: new Uint8Array(0) },
      timeoutMs,
      'worker.extendedCompareBalanceWithProxyResult',
    )
    if (extended.error_code !== 0)
      throw handshakeFailure(`The proxy refused the balance comparison (code ${extended.error_code}).`)
  }
  balance.accept(
    { payment: told.signed_payment, dbTokens: told.tokens_committed_to_db, maxTokens: told.max_tokens },
    { mustSign: true, totalsMayFall: told.error_code !== 0 },
  )
  await ask(
    connection,
    { '@type': 'worker.proxyHandshakeComplete', is_disabled: isDisabled },
    timeoutMs,
    'worker.proxyHandshakeCompleted',
  )
  return { lost: told.max_tokens < maxTokens }
}
