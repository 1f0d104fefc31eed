import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { KeyRefusal } from '../protocol/sealed/direct/seal-errors.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { ChatQuery } from './chat-query.ts'
import { localFailure, paidNothing, type QueryFailureCode, remoteFailure } from './query-failure.ts'
import type { KeyList, SealableWorker, WorkerKeys } from './worker-keys.ts'

const mostCoefficient = 0x7fff_ffff

/** What a key is refused for where this computer's clock is wrong, or the worker's. */
const timeRefusals: ReadonlySet<string> = new Set<KeyRefusal>(['not-yet-valid', 'expired'])

/**
 * The worker that a question is to be sealed to; `readable` only where that was wished for and nobody could be sealed to; or why it is not sent.
 * @param list what the proxy tells of the model's workers now
 * @param objectionTo why a worker may not read it; undefined where all may
 */
export function chooseReader(
  keys: WorkerKeys,
  list: KeyList,
  { model, maxCoefficient, seal, cacheScope }: Pick<ChatQuery, 'model' | 'maxCoefficient' | 'seal' | 'cacheScope'>,
  objectionTo: ((worker: SealedWorker) => string | undefined) | undefined,
  logger: Logger,
): SealableWorker | 'readable' | Failure<QueryFailureCode> {
  const { workers, refused } = list
  const limits = { attested: seal === 'attested', objectionTo, rankOf: cacheScope }
  const chosen = keys.choose(model, workers, { maxCoefficient, ...limits })
  if (chosen !== undefined) return chosen
  const mayLeave = seal === 'agreed'
  const isHeldBack = !mayLeave && keys.holdsBack(model, maxCoefficient)
  const isResting = !mayLeave && keys.isOnlyResting(workers, { maxCoefficient, ...limits })
  if (isResting || (workers.length === 0 && refused.length === 0 && isHeldBack))
    return remoteFailure(peerErrorCodes.notReady, `no workers for model ${model}`)
  // A key that is false is no want of keys: that proxy is not to be told anything.
  const mustStay = (seal !== 'offered' && !mayLeave) || objectionTo !== undefined || refused.length > 0 || isHeldBack
  if (!mustStay) return 'readable'
  const dearer = keys.choose(model, workers, { maxCoefficient: mostCoefficient, ...limits })
  const objections = [...new Set(workers.flatMap(({ worker }) => objectionTo?.(worker) ?? []))]
  if (objections.length > 0) logger.warn('no worker may read a question', { reasons: objections.join(' ') })
  return noKey(list, dearer, objections)
}

/**
 * @param dearer a worker that would do, had it asked for less
 * @param objections why the others would not
 */
function noKey(
  { workers, refused }: KeyList,
  dearer: SealableWorker | undefined,
  objections: readonly string[],
): Failure<QueryFailureCode> {
  if (dearer !== undefined)
    return remoteFailure(peerErrorCodes.notReady, `can run this query with coefficient=${dearer.coefficient}`)
  if (workers.length === 0 && refused.length > 0 && refused.every((reason) => timeRefusals.has(reason)))
    return new Failure('seal-unavailable', 'The keys of all workers are of another time than this computer’s.', {
      advice: 'Is this computer’s clock right? Set it, then try again.',
      retryable: true,
      money: paidNothing,
      words: { code: 'seal-unavailable-clock' },
    })
  const reasons = [
    ...objections,
    ...(refused.length > 0 ? [`Keys that were not taken: ${[...new Set(refused)].join(', ')}.`] : []),
  ]
  return localFailure('seal-unavailable', ['No worker is known that the question could be sealed to.', ...reasons].join(' '))
}
