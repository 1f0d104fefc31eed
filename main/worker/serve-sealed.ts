import type { Address } from '@ton/core'
import type { KeyRing, OpenedRequest } from '../protocol/sealed/direct/key-ring.ts'
import { pinRefusals, sealedQuery } from '../protocol/sealed/direct/refusals.ts'
import { SealRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { type Reply, unasked } from './query-reply.ts'
import { SealedReply } from './sealed-reply.ts'
import { failedBy, type QueryOutcome, type QueryToServe, type ServeContext, serveQuery } from './serve-query.ts'

/** How a sealed query came. */
export interface Through {
  readonly keyRing: KeyRing
  /** The key that the proxy names. */
  readonly keyId: Uint8Array
  /** The proxy contract of the connection. */
  readonly proxy: Address
}

/**
 * Serves one sealed query: opens it and serves what it holds as any other, its answer sealed for the client. What does not open, came before, or
 * was meant for somebody else is refused in words that everybody may read; all that concerns the content is sealed.
 */
export async function serveSealed(
  query: QueryToServe,
  reply: Reply,
  context: ServeContext,
  { keyRing, keyId, proxy }: Through,
): Promise<QueryOutcome> {
  const startedAtMs = context.now()
  const refused = async (code: number, text: string, reason: string): Promise<QueryOutcome> => {
    await reply.error(code, text, unasked(startedAtMs, context.now()))
    return failedBy(`${code}: ${reason}`)
  }
  let opened: OpenedRequest
  try {
    opened = await keyRing.open(query.query, { keyId, proxy })
  } catch (thrown) {
    if (!(thrown instanceof SealRefused)) throw thrown
    const { reason, message } = thrown
    if (reason === 'unknown-key') return refused(peerErrorCodes.error, pinRefusals.gone, message)
    return refused(peerErrorCodes.protocolViolation, `${sealedQuery} ${message}`, message)
  }
  const { head, request, sealer } = opened
  const { coefficient } = context.tariff
  if (coefficient > head.maxCoefficient) {
    const message = 'the price factor is above the limit of the request'
    // In the words of a proxy that finds nobody within the limit: the client names it as too expensive.
    return refused(peerErrorCodes.notReady, `can run this query with coefficient=${coefficient}`, message)
  }
  const sealedLimits = { bodyLimit: head.bodyLimit, choices: head.choices }
  return serveQuery({ ...query, query: request, sealedLimits }, new SealedReply(reply, sealer, coefficient), context)
}
