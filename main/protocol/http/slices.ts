import { setImmediate as nextTurn } from 'node:timers/promises'

/** Of this much the worst content is read in some milliseconds. */
const mostSliceBytes = 64 * 1024

/**
 * The same bytes in slices of at most 64 KiB, with a turn of the event loop between those of one chunk: a stranger's chunk may have 16 MiB
 * of a million tiny pieces, and whatever else runs must not wait for all of them.
 */
export async function* inSlices(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += mostSliceBytes) {
      if (at > 0) await nextTurn()
      yield chunk.length <= mostSliceBytes ? chunk : chunk.subarray(at, at + mostSliceBytes)
    }
  }
}
