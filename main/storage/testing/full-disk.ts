import { Failure } from '../../base/failure.ts'
import type { Database, Statement } from '../database.ts'

/**
 * A real database on a disk that a test can declare full: then every write throws what SQLite's full disk becomes (database.ts), and what
 * is in the file can still be read.
 */
export function fillableDisk(database: Database): { readonly database: Database; full: boolean } {
  const disk = { full: false, database: undefined as unknown as Database }
  const write = <T>(work: () => T): T => {
    if (disk.full)
      throw new Failure('disk-full', `The disk is full: nothing could be saved in ${database.path}.`, { retryable: true })
    return work()
  }
  disk.database = {
    path: database.path,
    prepare: <Row extends object>(sql: string, options?: { bigints?: boolean }): Statement<Row> => {
      const statement = database.prepare<Row>(sql, options)
      return { ...statement, run: (...values) => write(() => statement.run(...values)) }
    },
    exec: (sql) => write(() => database.exec(sql)),
    transaction: (work) => database.transaction(work),
    transactionSoon: (work) => database.transactionSoon(work),
    close: () => database.close(),
  }
  return disk
}
