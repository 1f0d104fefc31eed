import { mostInputBytes } from './mutate.ts'

/** What the thread is started with. */
export interface FuzzJob {
  /** Module that exports `fuzzTargets`. */
  readonly targets: string
  readonly names: readonly string[]
  readonly seed: number
  readonly seconds: number
  /** Ends earlier when so many inputs were tried after the first ones, which only fill caches; 0 = by time only. */
  readonly inputs: number
  /** The input being tried, for the watchdog: number of the target, number of the input, length, then the bytes. */
  readonly present: SharedArrayBuffer
}

export interface Finding {
  readonly target: string
  readonly what: string
  readonly hex: string
}

export type FuzzMessage =
  | { readonly kind: 'finding'; readonly finding: Finding }
  | {
      readonly kind: 'done'
      readonly inputs: Readonly<Record<string, number>>
      readonly tookMs: number
      readonly grewBytes: number
    }

export const presentBytes = 12 + mostInputBytes
