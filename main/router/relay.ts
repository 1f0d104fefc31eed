import type { Socket } from 'node:net'
import type { Guest } from '../protocol/wire/doorway.ts'

/** After one side has ended, the other may take so long to take the rest. */
const lingerMs = 5_000

/**
 * Passes bytes both ways until one side ends, fails, or nothing moves for `idleLimitMs`. Of each direction no more is held than the
 * buffers of one socket: a side that does not read stops the other.
 */
export function relay(near: Socket, far: Socket, idleLimitMs: number): Guest {
  const sides = [near, far] as const
  let moved = -1
  const idle = setInterval(() => {
    const now = sides.reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0)
    if (now === moved) end()
    moved = now
  }, idleLimitMs)
  const end = (): void => {
    for (const side of sides) side.destroy()
  }
  let linger: NodeJS.Timeout | undefined
  const gone = Promise.all(
    sides.map(
      (side, i) =>
        new Promise<void>((resolve) => {
          const other = sides[1 - i] ?? side
          // The peer of a dead connection never tells; the system finds out.
          side.setKeepAlive(true, 30_000)
          side.on('error', end)
          // A side that has ended takes nothing any more: what the other still sends is dropped.
          side.on('end', () => other.unpipe(side).resume())
          // pipe() has ended the other side when this one ended in order; else there is nothing to wait for.
          side.on('close', (failed) => {
            if (failed || !side.readableEnded) other.destroy()
            linger ??= setTimeout(end, lingerMs)
            resolve()
          })
          if (side.destroyed) {
            other.destroy()
            resolve()
          } else side.pipe(other)
        }),
    ),
  )
  gone.then(() => {
    clearInterval(idle)
    clearTimeout(linger)
  })
  return { gone, leave: end }
}
