import { messageAndAdvice } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import { guardProcess } from '../../last-resort.ts'
import type { Role } from '../../roles/role.ts'

/** An exit code tells a supervisor whether to start again: 0 stopped in order, 1 failed, 2 wrong command line, 3 requests were cut off. */
export const exitCodes = { stopped: 0, failed: 1, usage: 2, cutOff: 3 } as const

/** Signals so close to each other are one. */
const sameSignalMs = 1_000

/** What closing may take beyond the time that running requests get. */
const closeLimitMs = 15_000

/**
 * Runs a role until a signal ends it: the first one drains (no new requests, running ones end within `drainMs`), a second one ends at once.
 * Never returns while the role runs; the process exits with one of `exitCodes`.
 */
export async function runRole(
  start: (signal: AbortSignal) => Promise<Role>,
  options: { readonly drainMs: number; readonly logger: Logger },
): Promise<void> {
  const { drainMs, logger } = options
  const starting = new AbortController()
  let role: Role | undefined
  let asked = 0
  let askedAt = Number.NEGATIVE_INFINITY
  const end = (): void => {
    // Ctrl-C reaches a role twice: from the terminal, and from the process that started it.
    if (performance.now() - askedAt < sameSignalMs) return
    askedAt = performance.now()
    asked++
    if (asked > 1) process.exit(exitCodes.cutOff)
    starting.abort()
    if (role !== undefined) void stop(role)
  }
  const stop = async (running: Role): Promise<void> => {
    setTimeout(() => {
      logger.error('the role did not end in time')
      process.exit(exitCodes.failed)
    }, drainMs + closeLimitMs).unref()
    const cut = await running.stop(drainMs)
    if (cut > 0) logger.warn('requests were cut off', { requests: cut })
    process.exit(cut > 0 ? exitCodes.cutOff : exitCodes.stopped)
  }
  guardProcess(logger, end)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end)
  try {
    role = await start(starting.signal)
  } catch (thrown) {
    if (starting.signal.aborted) process.exit(exitCodes.stopped)
    console.error(messageAndAdvice(thrown))
    process.exit(exitCodes.failed)
  }
  if (asked > 0) return void stop(role)
  console.log(['Running.', ...role.facts].join('\n  '))
}
