import type { RootConfig } from './root-config.ts'

/** Clocks are set by a little at times; a reading that is further ahead was made before a clock jumped back, and its age is unknown. */
const mostAheadMs = 60_000

/**
 * How old a reading of the network contract is: `fresh`, `old`, or `future`.
 * @param nowMs Unix ms, by the clock that the reading was dated by
 */
export function rootAge(
  { readAtMs }: Pick<RootConfig, 'readAtMs'>,
  nowMs: number,
  mostAgeMs: number,
): 'fresh' | 'old' | 'future' {
  const ageMs = nowMs - readAtMs
  if (ageMs > mostAgeMs) return 'old'
  return ageMs < -mostAheadMs ? 'future' : 'fresh'
}
