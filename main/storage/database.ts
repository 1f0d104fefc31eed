import { closeSync, existsSync, mkdirSync, openSync, renameSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { DiskRoom } from './disk-room.ts'
import { WalSync } from './wal-sync.ts'

export type SqlValue = null | number | bigint | string | Uint8Array
export type SqlRow = Record<string, SqlValue>

export type DatabaseFailureCode =
  | 'disk-full'
  | 'database-newer'
  | 'database-corrupt'
  | 'database-busy'
  | 'database-closed'
  | 'database-failed'
  | 'constraint'

export interface Statement<Row extends object> {
  /** @returns rows changed */
  run(...values: SqlValue[]): number
  get(...values: SqlValue[]): Row | undefined
  all(...values: SqlValue[]): Row[]
}

/** One SQLite file of one room. Every method throws `Failure<DatabaseFailureCode>` and nothing else; after `close` with `database-closed`. */
export interface Database {
  readonly path: string
  /**
   * @param options.bigints integers are read as bigint. Without it they are numbers, and one above 2^53 throws.
   */
  prepare<Row extends object = SqlRow>(sql: string, options?: { bigints?: boolean }): Statement<Row>
  /** Runs SQL without parameters or results. */
  exec(sql: string): void
  /**
   * All or nothing: durable on disk when it returns, undone when `work` throws. Inside another transaction it is a part of that one.
   * `work` is synchronous, so nothing else can slip in between.
   */
  transaction<T>(work: () => T): T
  /**
   * As `transaction`, but nobody waits for the disk: what `work` wrote can be read when this returns, a crash of this process does not take it
   * back, and it is durable when the promise resolves. When that rejects nothing is certain: write it again. Never inside another transaction.
   * A failure of the transaction itself is thrown at once.
   */
  transactionSoon(work: () => void): Promise<void>
  close(): void
}

/**
 * Opens (or makes) a database in WAL mode with `synchronous=FULL`: a transaction that returned survives a power cut.
 * Migration number n brings `user_version` from n to n+1, each in a transaction of its own; never edit one that was released.
 * A corrupt file is renamed (with its -wal), never deleted, and the failure names it: opening again starts empty.
 * @param context.chainId which chain the file's amounts are on, 31 bits: a file that was made for another one is set aside, because on this one
 *   it would pay and charge everything once more
 * @param context.room is told when there is none: here or at any later write
 * @throws Failure `database-newer`, `database-corrupt`, `disk-full`, `database-busy`, `database-failed`
 */
export function openDatabase(
  path: string,
  migrations: readonly string[],
  context: { readonly logger: Logger; readonly room?: DiskRoom | undefined; readonly chainId?: number | undefined },
): Database {
  const { room } = context
  try {
    return open(path, migrations, context)
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'disk-full') room?.report()
    throw thrown
  }
}

function open(path: string, migrations: readonly string[], context: Parameters<typeof openDatabase>[2]): Database {
  const { logger, room, chainId } = context
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // SQLite would create it readable for everybody; -wal and -shm take the mode of the main file.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  } catch (thrown) {
    throw databaseFailure(path, thrown)
  }
  const raw = connect(path, logger)
  try {
    if (chainId !== undefined && !belongsTo(raw, chainId)) {
      raw.close()
      const aside = moveAside(path, 'aside')
      logger.warn('a database of another chain was set aside', { path, aside })
      return open(path, migrations, context)
    }
    migrate(raw, path, migrations, logger)
  } catch (thrown) {
    if (raw.isOpen) raw.close()
    throw databaseFailure(path, thrown)
  }
  return new SqliteDatabase(path, raw, room)
}

function connect(path: string, logger: Logger): DatabaseSync {
  let raw: DatabaseSync | undefined
  try {
    raw = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true })
    raw.exec(`PRAGMA journal_mode=WAL; ${atOnce}; PRAGMA secure_delete=ON`)
    const check = raw.prepare('PRAGMA quick_check(1)').get()
    if (check?.quick_check === 'ok') return raw
    raw.close()
    throw setAside(path, String(check?.quick_check), logger)
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    if (raw?.isOpen) raw.close()
    if (isCorrupt(thrown)) throw setAside(path, asError(thrown).message, logger)
    throw databaseFailure(path, thrown)
  }
}

/** Whether the file was made for that chain. An empty one is for it from now on. */
function belongsTo(raw: DatabaseSync, chainId: number): boolean {
  if (Number(raw.prepare('PRAGMA user_version').get()?.user_version) > 0)
    return Number(raw.prepare('PRAGMA application_id').get()?.application_id) === chainId
  raw.exec(`PRAGMA application_id=${chainId}`)
  return true
}

function migrate(raw: DatabaseSync, path: string, migrations: readonly string[], logger: Logger): void {
  const found = Number(raw.prepare('PRAGMA user_version').get()?.user_version)
  if (found > migrations.length)
    throw new Failure(
      'database-newer',
      `${path} was written by a newer version of this app (${found}, known ${migrations.length}).`,
      {
        advice: 'Update the app. The file was not touched.',
      },
    )
  migrations.slice(found).forEach((sql, index) => {
    const next = found + index + 1
    inTransaction(raw, () => {
      raw.exec(sql)
      raw.exec(`PRAGMA user_version=${next}`)
    })
    logger.debug('migrated database', { path, version: next })
  })
}

/** A commit is on disk when it returns; or it is left to a sync of the log that follows. The log itself stays whole either way. */
const [atOnce, later] = ['PRAGMA synchronous=FULL', 'PRAGMA synchronous=NORMAL']

class SqliteDatabase implements Database {
  readonly path: string
  readonly #raw: DatabaseSync
  readonly #room: DiskRoom | undefined
  readonly #log: WalSync

  constructor(path: string, raw: DatabaseSync, room: DiskRoom | undefined) {
    this.path = path
    this.#raw = raw
    this.#room = room
    this.#log = new WalSync(path)
  }

  prepare<Row extends object>(sql: string, options: { bigints?: boolean } = {}): Statement<Row> {
    const statement = this.#try(() => this.#raw.prepare(sql))
    if (options.bigints === true) statement.setReadBigInts(true)
    return {
      run: (...values) => this.#try(() => Number(statement.run(...values).changes)),
      get: (...values) => this.#try(() => statement.get(...values) as Row | undefined),
      all: (...values) => this.#try(() => rows<Row>(statement, values)),
    }
  }

  exec(sql: string): void {
    this.#try(() => this.#raw.exec(sql))
  }

  transaction<T>(work: () => T): T {
    return this.#try(() => inTransaction(this.#raw, work))
  }

  transactionSoon(work: () => void): Promise<void> {
    this.#try(() => {
      if (this.#raw.isTransaction) throw new TypeError('A transaction that is durable later cannot be part of another one.')
      this.#raw.exec(later)
      try {
        inTransaction(this.#raw, work)
      } finally {
        this.#raw.exec(atOnce)
      }
    })
    return this.#log.sync().catch((thrown: unknown) => {
      const failure = databaseFailure(this.path, thrown)
      if (failure.code === 'disk-full') this.#room?.report()
      throw failure
    })
  }

  close(): void {
    if (this.#raw.isOpen) this.#try(() => this.#raw.close())
    this.#log.close()
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      if (isSqlite(thrown)) {
        const failure = databaseFailure(this.path, thrown)
        if (failure.code === 'disk-full') this.#room?.report()
        throw failure
      }
      // Node's own error; what it says depends on the call that came too late.
      if (!this.#raw.isOpen && !(thrown instanceof Failure)) throw databaseClosed(this.path, thrown)
      throw thrown
    }
  }
}

function databaseClosed(path: string, cause: unknown): Failure<'database-closed'> {
  return new Failure('database-closed', `${path} was closed before this could be read or saved.`, {
    advice: 'The app or a part of it is ending. Start it again.',
    cause,
  })
}

function rows<Row extends object>(statement: StatementSync, values: SqlValue[]): Row[] {
  return statement.all(...values) as Row[]
}

function inTransaction<T>(raw: DatabaseSync, work: () => T): T {
  const inner = raw.isTransaction
  raw.exec(inner ? 'SAVEPOINT part' : 'BEGIN IMMEDIATE')
  try {
    const result = work()
    if (result instanceof Promise) throw new TypeError('A transaction cannot wait: its work returned a promise.')
    raw.exec(inner ? 'RELEASE part' : 'COMMIT')
    return result
  } catch (thrown) {
    // SQLite has rolled back by itself after some errors, a full disk among them.
    if (raw.isTransaction) raw.exec(inner ? 'ROLLBACK TO part; RELEASE part' : 'ROLLBACK')
    throw thrown
  }
}

interface SqliteError extends Error {
  errcode: number
}

function isSqlite(thrown: unknown): thrown is SqliteError {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number'
}

/** Primary result code; SQLite puts details into the higher bytes. */
const primary = (thrown: unknown): number => (isSqlite(thrown) ? thrown.errcode & 0xff : -1)
const isCorrupt = (thrown: unknown): boolean => primary(thrown) === 11 || primary(thrown) === 26

function moveAside(path: string, why: 'aside' | 'corrupt'): string {
  const aside = `${path}.${why}-${new Date().toISOString().replaceAll(':', '-')}`
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  return aside
}

function setAside(path: string, reason: string, logger: Logger): Failure<'database-corrupt'> {
  const aside = moveAside(path, 'corrupt')
  logger.error('database is corrupt and was set aside', { path, aside, reason })
  return new Failure('database-corrupt', `${path} is damaged. It was kept as ${aside}.`, {
    advice: 'Start again to go on with an empty one, or restore the file from a backup.',
    retryable: true,
    cause: new Error(reason),
  })
}

function databaseFailure(path: string, thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  const cause = asError(thrown) as NodeJS.ErrnoException
  const code = primary(thrown)
  if (code === 13 || cause.code === 'ENOSPC' || cause.code === 'EDQUOT' || (code === 10 && noSpaceLeft(path)))
    return new Failure('disk-full', `The disk is full: nothing could be saved in ${path}.`, {
      advice: 'Free some space and try again. What was saved before is unchanged.',
      retryable: true,
      cause,
    })
  if (code === 5 || code === 6)
    return new Failure('database-busy', `${path} is in use by another program.`, {
      advice: 'Close other copies of the app and try again.',
      retryable: true,
      cause,
    })
  if (code === 19) return new Failure('constraint', `A row for ${path} broke a rule of its table: ${cause.message}`, { cause })
  if (isCorrupt(thrown))
    return new Failure('database-corrupt', `${path} is damaged.`, {
      advice: 'Start the app again: the damaged file is set aside, not deleted.',
      cause,
    })
  return new Failure('database-failed', `${path} could not be used: ${cause.message}`, {
    advice: 'Check that the data folder exists and belongs to you.',
    cause,
  })
}

/** A full disk shows as an I/O error when the -shm file cannot grow. */
function noSpaceLeft(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize < 65_536
  } catch {
    return false
  }
}
