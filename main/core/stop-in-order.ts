import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'

/** Parts that can end at the same time, by the name that the log gives them. */
export type StopStage = Readonly<Record<string, () => Promise<void> | void>>

/** After this the log tells what is still awaited, so that an end by force has a cause. */
const slowMs = 5000

/**
 * Ends the parts stage by stage. One that fails, is told in the log and keeps nothing else from ending: databases are closed and the lock is given back all
 * the same.
 * @throws AggregateError of the reasons, at the end, when a part failed
 */
export async function stopInOrder(logger: Logger, stages: readonly StopStage[]): Promise<void> {
  const failed = new Map<string, Error>()
  for (const stage of stages) {
    const open = new Set(Object.keys(stage))
    const slow = setTimeout(() => logger.warn('the stop waits for its parts', { parts: [...open].join(', ') }), slowMs)
    const end = async (part: string, stop: () => Promise<void> | void): Promise<void> => {
      try {
        await stop()
      } catch (thrown) {
        const error = asError(thrown)
        failed.set(part, error)
        logger.error('a part could not stop in order', { part, reason: error.message })
      }
      open.delete(part)
    }
    await Promise.all(Object.entries(stage).map(([part, stop]) => end(part, stop)))
    clearTimeout(slow)
  }
  if (failed.size > 0)
    throw new AggregateError(failed.values(), `These parts could not stop in order: ${[...failed.keys()].join(', ')}.`)
}
