import { randomFillSync } from 'node:crypto'

const idBytes = 32
const pool = new Uint8Array(idBytes * 128)
let used = pool.length

/**
 * 32 random bytes, as good as `randomBytes(32)`. They are taken from a pool, because asking the generator for so little at a time costs more
 * than the rest of starting a request. For ids that travel in the open; keys are made by the generator itself.
 */
export function randomId(): Uint8Array<ArrayBuffer> {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = pool.slice(used, used + idBytes)
  used += idBytes
  return id
}
