import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Ledger } from './ledger.ts'
import type { LedgerEvent } from './ledger-event.ts'

export interface SteadyRecorder {
  record(event: LedgerEvent): void
  /** One last attempt; what cannot be written then is lost, as in a crash. */
  close(): void
}

/** A worker tells a handful of events per request; this is hours of a full disk. */
const mostWaiting = 10_000

/**
 * Records what can be recorded at once, and keeps in order what cannot because the storage is full or busy, until there is room again: without
 * that, a request whose end fell into such a moment would look as if it were answered for ever.
 */
export function steadyRecorder(ledger: Pick<Ledger, 'record'>, logger: Logger, retryMs = 2000): SteadyRecorder {
  const waiting: LedgerEvent[] = []
  let timer: NodeJS.Timeout | undefined
  let jammed = false
  let lost = 0

  /** False when it has to be tried again. */
  const write = (event: LedgerEvent): boolean => {
    try {
      ledger.record(event)
      return true
    } catch (thrown) {
      const later = thrown instanceof Failure && thrown.retryable
      // One line for each jam: a full disk takes no log either.
      if (!later || !jammed)
        logger.error('an event of the worker could not be recorded', { type: event.type, later, reason: asError(thrown).message })
      jammed ||= later
      return !later
    }
  }
  const catchUp = (): void => {
    for (let next = waiting[0]; next !== undefined && write(next); next = waiting[0]) waiting.shift()
    jammed &&= waiting.length > 0
    if (!jammed && lost > 0) {
      logger.error('the oldest events of the worker found no room and are missing in the record', { lost })
      lost = 0
    }
    timer = jammed ? setTimeout(catchUp, retryMs).unref() : undefined
  }
  return {
    record: (event) => {
      if (waiting.length >= mostWaiting && waiting.shift() !== undefined) lost++
      waiting.push(event)
      if (timer === undefined) catchUp()
    },
    close: () => {
      clearTimeout(timer)
      catchUp()
      clearTimeout(timer)
      waiting.length = 0
    },
  }
}
