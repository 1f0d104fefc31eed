import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What this process still holds after a collection, in bytes: the heap, buffers, and long strings, which stand outside of it. */
export async function heldBytes(): Promise<number> {
  // Buffers are freed a turn after the objects that held them.
  for (let round = 0; round < 2; round++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  // `external` counts the buffers too.
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
