import { pause } from '../base/pause.ts'

/**
 * What `read` gives, at once and then whenever a person would see a difference; looked at every `intervalMs` until `signal` aborts, so it
 * costs nothing while nobody watches.
 * @param seen the part that counts as a difference; the whole value unless given (a reading's own time does not count)
 */
export async function* changes<T>(
  read: () => T | Promise<T>,
  signal: AbortSignal,
  { intervalMs = 1000, seen = (value: T): unknown => value }: { intervalMs?: number; seen?: (value: T) => unknown } = {},
): AsyncGenerator<T> {
  let shown: string | undefined
  while (!signal.aborted) {
    const value = await read()
    const now = JSON.stringify(seen(value), (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))
    if (now !== shown) {
      shown = now
      yield value
    }
    await pause(intervalMs, signal)
  }
}
