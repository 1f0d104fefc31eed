import { workerData } from 'node:worker_threads'
import { z } from 'zod'

const lookMs = 500
const given = z.object({ parent: z.number().int().positive() })

/** Ends the whole process when its parent is gone. For a thread of its own, started with the parent's process id. */
export function endWithParent(): void {
  const { parent } = given.parse(workerData)
  setInterval(() => {
    if (!isThere(parent)) process.kill(process.pid, 'SIGKILL')
  }, lookMs)
}

/** Where a process is given to another parent when its own one ends, that tells at once; Windows keeps the id of one that is gone. */
function isThere(parent: number): boolean {
  if (process.ppid !== parent) return false
  try {
    process.kill(parent, 0)
    return true
  } catch (error) {
    // Somebody else's is there too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
