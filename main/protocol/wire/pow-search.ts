import { compileSearch } from './pow-kernel.ts'

export type SearchResult =
  | { readonly found: true; readonly nonce: number }
  /** `expectedMs`: how long such a search takes on average at the speed that was measured here. */
  | { readonly found: false; readonly expectedMs: number }

const batch = 65_536
/** The speed is believed after so many hashes; the code is compiled in two steps and slow at first. */
const calibration = 4 * batch

/**
 * Finds the smallest nonce below 2^32 for a salt. Runs until it is found, and gives up early when the time will not be enough on average.
 * Blocks its thread.
 */
export function searchWithin(salt: Uint8Array, difficulty: number, budgetMs: number): SearchResult {
  const search = compileSearch(salt, difficulty)
  const startedAt = performance.now()
  for (let first = 0; first < 2 ** 32; first += batch) {
    const offset = search(first, batch)
    if (offset >= 0) return { found: true, nonce: first + offset }
    const done = first + batch
    const elapsedMs = performance.now() - startedAt
    const expectedMs = (elapsedMs / done) * 2 ** difficulty
    if (elapsedMs > budgetMs || (done === calibration && expectedMs > budgetMs)) return { found: false, expectedMs }
  }
  return { found: false, expectedMs: performance.now() - startedAt }
}
