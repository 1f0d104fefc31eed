import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import { chainFileName } from '../localnet/local-chain.ts'

export interface BookPaths {
  readonly proxyDb: string
  readonly workerDb: string
  readonly clientDb: string
  readonly earningsDb: string
  /** Folder of the chain. */
  readonly chain: string
}

/**
 * If the chain of the local network was lost, a new one begins without any of its contracts: with the old books the proxy would pay on it once
 * more for everything it ever owed, so all three are set aside, not deleted; so is the record of earnings, whose totals would hide the new
 * contracts' smaller ones. Call it before any of these files is opened. A lost book of the proxy alone needs none of this: the proxy learns
 * from the other two what it had told (kept-words.ts).
 * @returns whether books were set aside
 */
export function setAsideLostBooks(
  { proxyDb, workerDb, clientDb, earningsDb, chain }: BookPaths,
  logger: Logger,
  now: () => Date = () => new Date(),
): boolean {
  if (existsSync(join(chain, chainFileName))) return false
  // A record without any book is that of a first start that ended early: there is nothing in it.
  if (![proxyDb, workerDb, clientDb].some((path) => existsSync(path))) return false
  const suffix = `.aside-${now().toISOString().replaceAll(':', '-')}`
  for (const path of [proxyDb, workerDb, clientDb, earningsDb]) {
    for (const part of ['', '-wal', '-shm']) if (existsSync(path + part)) renameSync(path + part, `${path}${suffix}${part}`)
  }
  logger.warn('books of a local network whose chain is gone were set aside', { suffix })
  return true
}
