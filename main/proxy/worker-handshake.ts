import type { Address } from '@ton/core'
import { beginningOf } from '../base/beginning-of.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { Refusal } from './refusal.ts'
import { negotiateVersion } from './versions.ts'

/** Fields of wire type `worker.params` that the handshake reads. */
export interface WorkerParams {
  readonly flags: number
  readonly worker_owner_address: string
  readonly model: string
  readonly coefficient: number
  readonly is_test?: boolean | undefined
  readonly proxy_cnt?: number | undefined
  readonly max_active_requests?: number | undefined
  readonly min_proto_version?: number | undefined
  readonly max_proto_version?: number | undefined
  readonly machine_description_json?: string | undefined
}

/** What the proxy demands of a worker. */
export interface WorkerRules {
  readonly isTest: boolean
  /** Null when image hashes are not checked. */
  readonly checkImageHash: ((hash: Uint8Array) => boolean) | null
  /** Null when every model may be served. Gets the full model name `NAME@COMMIT:HASH`. */
  readonly checkModel: ((model: string) => boolean) | null
  readonly parseAddress: (text: string) => Address
  readonly versions: VersionRange
}

/** A worker whose parameters were accepted. */
export interface WorkerProfile {
  readonly owner: Address
  readonly model: string
  /** Model name before '@': the key under which the worker is offered to clients. */
  readonly baseModel: string
  /** Thousandths. */
  readonly coefficient: number
  /** Requests at once over this connection: ceil(max_active_requests / proxy_cnt). */
  readonly limit: number
  readonly version: number
  readonly flags: number
  /** JSON text of the worker's own, cut to a bounded length; undefined where it said nothing. */
  readonly machine: string | undefined
}

/** Names with commit and hash have some 150 bytes. All of 4000 workers' names fit into one listing, which goes to every client. */
const mostModelBytes = 512
/** Of a description that a stranger wrote so much is kept for the status. */
const mostMachineLetters = 4_096

export type WorkerStage = 'connect' | 'compare' | 'complete' | 'ready'
export type WorkerQuery =
  | 'worker.connectToProxy'
  | 'worker.compareBalanceWithProxy'
  | 'worker.extendedCompareBalanceWithProxy'
  | 'worker.proxyHandshakeComplete'

/**
 * The stage in which `query` leaves the handshake, or a `Refusal` that closes the connection (50 §2.1). `complete` accepts a
 * second comparison of either kind: after an extended one the reference is stuck, this proxy is not (40 §2).
 */
export function nextWorkerStage(stage: WorkerStage, query: WorkerQuery): WorkerStage {
  if (stage === 'ready') throw new Refusal(peerErrorCodes.none, 'connection is already ready', true)
  if (stage === 'connect' && query === 'worker.connectToProxy') return 'compare'
  if (stage === 'compare' && query === 'worker.compareBalanceWithProxy') return 'complete'
  if (stage === 'complete') {
    if (query === 'worker.extendedCompareBalanceWithProxy' || query === 'worker.compareBalanceWithProxy') return 'complete'
    if (query === 'worker.proxyHandshakeComplete') return 'ready'
  }
  throw new Refusal(peerErrorCodes.none, 'Wrong constructor found at 4', true)
}

/** Checks of `worker.connectToProxy`, in the order and with the codes of 50 §2.1. */
export function acceptWorker(params: WorkerParams, imageHash: Uint8Array, rules: WorkerRules): WorkerProfile {
  const refuse = (errorCode: number, text: string): never => {
    throw new Refusal(errorCode, text, true)
  }
  if (rules.checkImageHash !== null && !rules.checkImageHash(imageHash)) {
    refuse(peerErrorCodes.protocolViolation, `invalid worker image hash ${Buffer.from(imageHash).toString('hex')}`)
  }
  if ((params.flags & 1) === 0) refuse(peerErrorCodes.error, 'too old worker')
  if (params.is_test !== rules.isTest) refuse(peerErrorCodes.error, 'test mode mismatch')
  if (params.model === '') refuse(peerErrorCodes.protocolViolation, 'invalid worker hash or worker type')
  if (Buffer.byteLength(params.model) > mostModelBytes)
    refuse(peerErrorCodes.protocolViolation, 'the name of the model is too long')
  if (params.coefficient < 0 || params.coefficient >= 1_000_000_000)
    refuse(peerErrorCodes.protocolViolation, 'invalid coefficient value')
  const active = params.max_active_requests ?? 0
  const proxies = params.proxy_cnt ?? 0
  if (active < 1) refuse(peerErrorCodes.protocolViolation, 'invalid max_active_requests value')
  if (proxies < 1) refuse(peerErrorCodes.protocolViolation, 'invalid proxy_cnt value')
  if (rules.checkModel !== null && !rules.checkModel(params.model)) refuse(peerErrorCodes.protocolViolation, 'unknown model hash')
  const version = negotiateVersion(params, rules.versions)
  return {
    owner: rules.parseAddress(params.worker_owner_address),
    model: params.model,
    baseModel: baseModelName(params.model),
    coefficient: params.coefficient,
    limit: Math.ceil(active / proxies),
    version,
    flags: params.flags,
    machine: params.machine_description_json && beginningOf(params.machine_description_json, mostMachineLetters),
  }
}

function baseModelName(model: string): string {
  const at = model.indexOf('@')
  return at === -1 ? model : model.slice(0, at)
}

/** Code of the comparison's answer: 1 when the worker remembers more than the proxy counted, in any of the three levels. */
export function compareBalance(
  claim: { tokens_committed_to_blockchain: bigint; tokens_committed_to_db: bigint; max_tokens: bigint },
  own: { chain: bigint; db: bigint; max: bigint },
): 0 | 1 {
  const higher =
    claim.max_tokens > own.max || claim.tokens_committed_to_db > own.db || claim.tokens_committed_to_blockchain > own.chain
  return higher ? 1 : 0
}
