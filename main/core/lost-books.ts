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
 * On the local network all three books are ours. If the proxy's was lost (a damaged file was set aside, or deleted), it starts again from
 * what the chain has settled; worker and client would then refuse it, because it knows less than it once told them. Against a stranger
 * that is right. Here their books are set aside too, not deleted. What was signed and not settled is lost with the proxy's book.
 * If the chain was lost, a new one begins without any of their contracts: with the old books the proxy would pay on it once more for
 * everything it ever owed, so all three are set aside; so is the record of earnings, whose totals would hide the new contracts' smaller ones.
 * Call it before any of these files is opened.
 * @returns whether books were set aside
 */
export function setAsideLostBooks(
  { proxyDb, workerDb, clientDb, earningsDb, chain }: BookPaths,
  logger: Logger,
  now: () => Date = () => new Date(),
): boolean {
  const present = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path))
  const chainIsNew = !existsSync(join(chain, chainFileName))
  const stale = present(chainIsNew ? [proxyDb, workerDb, clientDb] : existsSync(proxyDb) ? [] : [workerDb, clientDb])
  if (stale.length === 0) return false
  // A record without any book is that of a first start that ended early: there is nothing in it.
  const found = chainIsNew ? [...stale, ...present([earningsDb])] : stale
  const suffix = `.aside-${now().toISOString().replaceAll(':', '-')}`
  for (const path of found) {
    for (const part of ['', '-wal', '-shm']) if (existsSync(path + part)) renameSync(path + part, `${path}${suffix}${part}`)
  }
  logger.warn('books of the local network that do not fit any more were set aside', {
    lost: chainIsNew ? 'chain' : 'proxy',
    suffix,
  })
  return true
}
