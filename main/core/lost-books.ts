import { existsSync, renameSync } from 'node:fs'
import type { Logger } from '../base/logger.ts'

export interface BookPaths {
  readonly proxyDb: string
  readonly workerDb: string
  readonly clientDb: string
}

/**
 * On the local network all three books are ours. If the proxy's was lost (a damaged file was set aside, or deleted), it starts again from
 * what the chain has settled; worker and client would then refuse it, because it knows less than it once told them. Against a stranger
 * that is right. Here their books are set aside too, not deleted. What was signed and not settled is lost with the proxy's book.
 * @returns whether books were set aside
 */
export function setAsideLostBooks(
  { proxyDb, workerDb, clientDb }: BookPaths,
  logger: Logger,
  now: () => Date = () => new Date(),
): boolean {
  const others = [workerDb, clientDb].filter((path) => existsSync(path))
  if (existsSync(proxyDb) || others.length === 0) return false
  const suffix = `.aside-${now().toISOString().replaceAll(':', '-')}`
  for (const path of others) {
    for (const part of ['', '-wal', '-shm']) if (existsSync(path + part)) renameSync(path + part, `${path}${suffix}${part}`)
  }
  logger.warn('the book of the local proxy is new, so those of worker and client were set aside', { suffix })
  return true
}
