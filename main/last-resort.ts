import { placesOf } from './base/error-places.ts'
import { asError } from './base/failure.ts'
import type { Logger } from './base/logger.ts'

/**
 * What happens to errors that nobody caught, which are defects of ours. A lost rejection is logged and serving goes on: every book is kept by
 * transactions. After a thrown error the state of the process is unknown, so it stops in order.
 */
export function guardProcess(logger: Logger, stop: () => void): void {
  process.on('unhandledRejection', (thrown) => {
    const error = asError(thrown)
    logger.error('a rejection was not handled', { kind: error.name, at: placesOf(error) })
  })
  process.on('uncaughtException', (error) => {
    logger.error('an error was not caught; stopping', { kind: error.name, at: placesOf(error) })
    stop()
  })
}
