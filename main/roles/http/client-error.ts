import type { Failure } from '../../base/failure.ts'
import { PeerWords } from '../../client/query-failure.ts'
import { peerErrorCodes } from '../../protocol/wire/wire-error.ts'
import type { DebugEntry } from './query-debug.ts'

/** What a program is told about a request that failed before its answer began (protocol 30 §7.5). */
export interface ClientError {
  readonly status: number
  readonly body: { readonly error: string; readonly error_code: number } & Partial<DebugEntry>
}

/**
 * Status by the code, as newer clients of the network answer (95 §5): 621 is the program's fault (400), no connection is 503. A program that
 * repeats its requests after a status of 500 and above does not repeat those that can never succeed.
 */
const statusOf = new Map<number, number>([
  [peerErrorCodes.protocolViolation, 400],
  [peerErrorCodes.notReady, 502],
  [peerErrorCodes.timeout, 504],
])

/** Codes for what the client itself states. */
const ownCodes: Readonly<Record<string, { readonly code: number; readonly status?: number }>> = {
  'invalid-request': { code: peerErrorCodes.protocolViolation },
  'body-too-large': { code: peerErrorCodes.protocolViolation, status: 413 },
  'no-connection': { code: peerErrorCodes.notReady, status: 503 },
  'no-sealing-key': { code: peerErrorCodes.notReady, status: 503 },
  'seal-unavailable': { code: peerErrorCodes.notReady, status: 503 },
  'seal-broken': { code: peerErrorCodes.failure, status: 502 },
  'connection-lost': { code: peerErrorCodes.notReady },
  'answer-malformed': { code: peerErrorCodes.failure, status: 502 },
  'answer-too-large': { code: peerErrorCodes.failure, status: 502 },
  timeout: { code: peerErrorCodes.timeout },
  cancelled: { code: peerErrorCodes.cancelled },
  stopped: { code: peerErrorCodes.cancelled },
}

/** @param debug what the hops say, where the program asked for it */
export function clientError(failure: Failure, debug?: DebugEntry): ClientError {
  const words = failure.cause instanceof PeerWords ? failure.cause : undefined
  const own = ownCodes[failure.code]
  const code = words?.code ?? own?.code ?? peerErrorCodes.failure
  const status = (words === undefined ? own?.status : undefined) ?? statusOf.get(code) ?? 500
  const text = words?.message ?? failure.message
  return { status, body: { error: `Internal data: [Error : ${code} : ${text}]`, error_code: code, ...debug } }
}
