import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import { openEnergyBook } from './energy-book.ts'
import { earningsMigrations } from './ledger-tables.ts'

const minute = 60_000
const quarter = 15 * minute
const start = 1_700_000 * quarter
const used = (servingMs: number) => ({ servingMs, measuredMs: servingMs / 2, drawnJ: servingMs * 3, restJ: servingMs / 4 })
const none = { servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0 }

function opened(path = join(mkdtempSync(join(tmpdir(), 'energy-')), 'earnings.db')) {
  const database = openDatabase(path, earningsMigrations, { logger })
  onTestFinished(() => {
    database.close()
    rmSync(join(path, '..'), { recursive: true, force: true })
  })
  return { path, database, book: openEnergyBook(database, logger) }
}

it('tells the same before and after it was written down, and after a restart', () => {
  const { path, database, book } = opened()
  expect(book.since(0)).toEqual(none)
  book.add(start + minute, used(1_000))
  book.add(start + 14 * minute, used(2_000))
  book.add(start + 16 * minute, used(4_000))
  const told = () => [start, start + quarter, start + 1, start + 2 * quarter].map((sinceMs) => book.since(sinceMs))
  const expected = [used(7_000), used(4_000), used(4_000), none]
  expect(told()).toEqual(expected)
  book.write()
  expect(told()).toEqual(expected)
  book.add(start + 17 * minute, used(8_000))
  expect(book.since(start + quarter)).toEqual(used(12_000))
  book.write()
  book.write()
  database.close()
  expect(opened(path).book.since(start)).toEqual(used(15_000))
})

it('keeps what cannot be written now, and writes it once', () => {
  const { database } = opened()
  let full = true
  const moody: Database = {
    path: database.path,
    prepare: (sql, options) => database.prepare(sql, options),
    exec: (sql) => database.exec(sql),
    transactionSoon: (work) => database.transactionSoon(work),
    close: () => database.close(),
    transaction: (work) =>
      database.transaction(() => {
        const done = work()
        if (full) throw new Error('full')
        return done
      }),
  }
  const book = openEnergyBook(moody, logger)
  book.add(start, used(1_000))
  book.write()
  expect(book.since(start)).toEqual(used(1_000))
  full = false
  book.write()
  book.write()
  expect(book.since(start)).toEqual(used(1_000))
  expect(openEnergyBook(database, logger).since(start)).toEqual(used(1_000))
})
