import { asError } from './base/failure.ts'
import type { Logger } from './base/logger.ts'

/** Where it happened, without the message: that could quote what somebody wrote. */
const places = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .join(' |')

/**
 * What happens to errors that nobody caught, which are defects of ours. A lost rejection is logged and serving goes on: every book is kept by
 * transactions. After a thrown error the state of the process is unknown, so it stops in order.
 */
export function guardProcess(logger: Logger, stop: () => void): void {
  process.on('unhandledRejection', (thrown) => {
    const error = asError(thrown)
    logger.error('a rejection was not handled', { kind: error.name, at: places(error) })
  })
  process.on('uncaughtException', (error) => {
    logger.error('an error was not caught; stopping', { kind: error.name, at: places(error) })
    stop()
  })
}
