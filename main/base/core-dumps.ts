import { writeFileSync } from 'node:fs'

/**
 * From now on no core dump of this process, nor of those that it starts, holds any of its memory (Linux). The limits of the shell and of a service do not
 * matter then, and a collector of dumps that the system pipes them to gets none either; registers are left, which hold a few words at most. Elsewhere
 * nothing is done.
 * @returns whether it holds
 */
export function forbidCoreDumps(path = '/proc/self/coredump_filter'): boolean {
  if (process.platform !== 'linux') return false
  try {
    // No mapping of any kind is written (core(5)); children inherit it, programs that they become too.
    writeFileSync(path, '0')
    return true
  } catch {
    // A kernel without core dumps has no such file.
    return false
  }
}
