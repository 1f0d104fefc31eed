import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { setAsideLostBooks } from './lost-books.ts'

function folderWith(...names: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-books-'))
  const chain = join(folder, 'chain')
  mkdirSync(chain)
  for (const name of names) writeFileSync(join(folder, name), name)
  const paths = {
    proxyDb: join(folder, 'proxy.db'),
    workerDb: join(folder, 'worker.db'),
    clientDb: join(folder, 'client.db'),
    earningsDb: join(folder, 'earnings.db'),
    chain,
  }
  return { folder, paths }
}

describe('lost books of the local network', () => {
  it('touches nothing at the first start, and nothing while there is a chain, also when the proxy lost its book', () => {
    expect(setAsideLostBooks(folderWith().paths, silentLogger)).toBe(false)
    expect(setAsideLostBooks(folderWith('earnings.db').paths, silentLogger)).toBe(false)
    for (const proxy of [['proxy.db'], []]) {
      const { paths } = folderWith('chain/chain.sqlite', ...proxy, 'worker.db', 'client.db')
      expect(setAsideLostBooks(paths, silentLogger)).toBe(false)
      expect(existsSync(paths.workerDb) && existsSync(paths.clientDb)).toBe(true)
    }
  })

  it('sets all books aside when the chain is gone: on a new one they would pay everything once more', () => {
    const { folder, paths } = folderWith('proxy.db', 'worker.db', 'worker.db-wal', 'client.db', 'earnings.db')
    expect(setAsideLostBooks(paths, silentLogger, () => new Date(0))).toBe(true)
    expect(readdirSync(folder).sort()).toEqual([
      'chain',
      'client.db.aside-1970-01-01T00-00-00.000Z',
      'earnings.db.aside-1970-01-01T00-00-00.000Z',
      'proxy.db.aside-1970-01-01T00-00-00.000Z',
      'worker.db.aside-1970-01-01T00-00-00.000Z',
      'worker.db.aside-1970-01-01T00-00-00.000Z-wal',
    ])
  })
})
