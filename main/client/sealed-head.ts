import { Failure } from '../base/failure.ts'
import type { RequestLimits } from '../protocol/requests/request-limits.ts'
import type { SealedHead } from '../protocol/sealed/direct/request.ts'
import type { ChatQuery } from './chat-query.ts'
import { paidNothing } from './query-failure.ts'

const mostBodyLimit = 0x7fff_ffff
const mostChoices = 1024

/** The head of a sealed question has no place for more. Throws `Failure` with `invalid-request`. */
export function requireSealable({ bodyLimit = 0, choices }: RequestLimits): void {
  if (choices <= mostChoices && bodyLimit <= mostBodyLimit) return
  throw new Failure('invalid-request', 'The request asks for more tokens or choices than a sealed question may.', {
    advice: 'Ask for fewer.',
    money: paidNothing,
  })
}

/** The head of a question that goes this way. */
export const sealedHeadOf = (
  { model, maxTokens, maxCoefficient, limits }: ChatQuery,
  way: Pick<SealedHead, 'keyId' | 'requestId' | 'proxy'>,
): SealedHead => ({ ...way, model, maxTokens, maxCoefficient, ...limits })
