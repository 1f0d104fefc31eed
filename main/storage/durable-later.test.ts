import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { type Database, openDatabase } from './database.ts'

const migrations = ['CREATE TABLE item (id INTEGER PRIMARY KEY) STRICT']
let folder: string
let path: string
let db: Database
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'storage-'))
  path = join(folder, 'a.db')
  db = openDatabase(path, migrations, { logger })
})
afterEach(() => {
  db.close()
  rmSync(folder, { recursive: true, force: true })
})

const insert = (id: number): void => void db.prepare('INSERT INTO item VALUES (?)').run(id)
const ids = (): unknown[] => db.prepare('SELECT id FROM item ORDER BY id').all()

describe('transactionSoon', () => {
  it('shows what was written at once, says later that it is durable, and leaves other transactions as they are', async () => {
    const durable = db.transactionSoon(() => insert(1))
    expect(ids()).toEqual([{ id: 1 }])
    expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    expect(await Promise.race([durable.then(() => 'durable'), Promise.resolve('not yet')])).toBe('not yet')
    await durable
    db.close()
    db = openDatabase(path, migrations, { logger })
    expect(ids()).toEqual([{ id: 1 }])
  })

  it('writes nothing and throws at once when the work throws', () => {
    expect(() =>
      db.transactionSoon(() => {
        insert(1)
        throw new RangeError('no')
      }),
    ).toThrow(RangeError)
    expect(ids()).toEqual([])
    expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
  })

  it('cannot be part of another transaction, which it could not make durable', () => {
    expect(() => db.transaction(() => void db.transactionSoon(() => insert(1)))).toThrow(TypeError)
    expect(ids()).toEqual([])
  })

  it('rejects with a failure of the database when the log cannot be brought to the disk', async () => {
    rmSync(`${path}-wal`)
    await expect(db.transactionSoon(() => insert(1))).rejects.toMatchObject({ code: 'database-failed' })
  })

  it('holds the end up for nothing: closed meanwhile, everything is in the file', async () => {
    const durable = [1, 2, 3].map((id) => db.transactionSoon(() => insert(id)))
    db.close()
    await Promise.all(durable)
    expect(existsSync(`${path}-wal`)).toBe(false)
    db = openDatabase(path, migrations, { logger })
    expect(ids()).toHaveLength(3)
    db.close()
    expect(() => db.transactionSoon(() => insert(4))).toThrow(expect.objectContaining({ code: 'database-closed' }))
  })
})
