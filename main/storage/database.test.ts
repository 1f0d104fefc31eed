import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { openDatabase } from './database.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'storage-'))
  path = join(folder, 'a.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const migrations = ['CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT']

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.code
    throw thrown
  }
  return 'nothing thrown'
}

describe('openDatabase', () => {
  it('applies new migrations once and keeps the data', () => {
    const first = openDatabase(path, migrations, { logger })
    first.prepare('INSERT INTO item VALUES (1, ?)').run(Uint8Array.of(1, 2))
    first.close()
    const second = openDatabase(path, [...migrations, "ALTER TABLE item ADD COLUMN name TEXT NOT NULL DEFAULT 'new'"], { logger })
    expect(second.prepare('SELECT * FROM item').all()).toEqual([{ id: 1, body: Uint8Array.of(1, 2), name: 'new' }])
    expect(second.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    expect(second.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
    expect(second.prepare('PRAGMA foreign_keys').get()).toEqual({ foreign_keys: 1 })
    second.close()
  })

  it('leaves the version before a migration that fails, with nothing of it done', () => {
    expect(codeOf(() => openDatabase(path, [...migrations, 'CREATE TABLE two (a); CREATE TABLE item (b)'], { logger }))).toBe(
      'database-failed',
    )
    const db = openDatabase(path, migrations, { logger })
    expect(db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()).toEqual([{ name: 'item' }])
    db.close()
  })

  it('refuses a database of a newer version and leaves it alone', () => {
    openDatabase(path, [...migrations, 'CREATE TABLE later (a)'], { logger }).close()
    expect(codeOf(() => openDatabase(path, migrations, { logger }))).toBe('database-newer')
    openDatabase(path, [...migrations, 'CREATE TABLE later (a)'], { logger }).close()
  })

  it('sets a file aside that was made for another chain, and goes on with one of its own', () => {
    const rowsOn = (chainId?: number): unknown[] => {
      const db = openDatabase(path, migrations, { logger, chainId })
      db.prepare('INSERT INTO item (body) VALUES (?)').run(Uint8Array.of(chainId ?? 0))
      const found = db.prepare('SELECT body FROM item ORDER BY id').all()
      db.close()
      return found
    }
    const [one, two] = [{ body: Uint8Array.of(1) }, { body: Uint8Array.of(2) }]
    expect(rowsOn(1)).toEqual([one])
    expect(rowsOn(1)).toEqual([one, one])
    expect(rowsOn(2)).toEqual([two])
    expect(rowsOn(2)).toEqual([two, two])
    const names = readdirSync(folder).filter((name) => /^a\.db\.aside-[^.]*\.[0-9]*Z$/.test(name))
    expect(names).toHaveLength(1)
    path = join(folder, names[0] ?? '')
    expect(rowsOn(1)).toEqual([one, one, one])
  })

  it('keeps a file of before there were names of chains on the chain of that time, and on no other', () => {
    openDatabase(path, migrations, { logger }).close()
    openDatabase(path, migrations, { logger, chainId: 0 }).close()
    expect(readdirSync(folder)).toEqual(['a.db'])
    openDatabase(path, migrations, { logger, chainId: 7 }).close()
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it('sets a file aside that is no database, and names it', () => {
    const garbage = Buffer.alloc(8_192, 'garbage ')
    writeFileSync(path, garbage)
    expect(() => openDatabase(path, migrations, { logger })).toThrow(/damaged\. It was kept as .*a\.db\.corrupt-/)
    const aside = readdirSync(folder).find((name) => name.startsWith('a.db.corrupt-'))
    expect(readFileSync(join(folder, aside ?? ''))).toEqual(garbage)
    openDatabase(path, migrations, { logger }).close()
  })

  it('finds a page that was overwritten', () => {
    const db = openDatabase(path, migrations, { logger })
    const insert = db.prepare('INSERT INTO item (body) VALUES (?)')
    db.transaction(() => {
      for (let i = 0; i < 200; i++) insert.run(new Uint8Array(1_000))
    })
    db.close()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 4_096, 12_288)
    writeFileSync(path, bytes)
    expect(codeOf(() => openDatabase(path, migrations, { logger }))).toBe('database-corrupt')
    expect(readdirSync(folder).filter((name) => name.includes('corrupt'))).not.toHaveLength(0)
  })

  it.skipIf(process.platform === 'win32')('is readable for its user alone', () => {
    const db = openDatabase(path, migrations, { logger })
    db.prepare('INSERT INTO item (body) VALUES (?)').run(new Uint8Array(10))
    for (const name of [path, `${path}-wal`]) expect(statSync(name).mode & 0o077).toBe(0)
    db.close()
  })
})

describe('transaction', () => {
  it('undoes everything when its work throws, and only the inner part when that is caught', () => {
    const db = openDatabase(path, migrations, { logger })
    const insert = db.prepare('INSERT INTO item VALUES (?, ?)')
    const ids = (): unknown => db.prepare('SELECT id FROM item ORDER BY id').all()
    expect(() =>
      db.transaction(() => {
        insert.run(1, new Uint8Array(1))
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(ids()).toEqual([])
    db.transaction(() => {
      insert.run(2, new Uint8Array(1))
      expect(() =>
        db.transaction(() => {
          insert.run(3, new Uint8Array(1))
          throw new Error('inner')
        }),
      ).toThrow('inner')
    })
    expect(ids()).toEqual([{ id: 2 }])
    expect(codeOf(() => insert.run(2, new Uint8Array(1)))).toBe('constraint')
    expect(() => db.transaction(async () => insert.run(4, new Uint8Array(1)))).toThrow(/cannot wait/)
    expect(ids()).toEqual([{ id: 2 }])
    db.close()
  })

  it('reads integers above 2^53 only as bigint, never rounded', () => {
    const db = openDatabase(path, ['CREATE TABLE n (v INTEGER)'], { logger })
    db.prepare('INSERT INTO n VALUES (?)').run(9_007_199_254_740_993n)
    expect(db.prepare('SELECT v FROM n', { bigints: true }).get()).toEqual({ v: 9_007_199_254_740_993n })
    expect(() => db.prepare('SELECT v FROM n').get()).toThrow()
    db.close()
  })

  it('says disk-full, half-writes nothing and works again once there is room', () => {
    const db = openDatabase(path, migrations, { logger })
    db.exec('PRAGMA max_page_count=20')
    const insert = db.prepare('INSERT INTO item (body) VALUES (?)')
    insert.run(Uint8Array.of(7))
    const fill = (): void =>
      db.transaction(() => {
        for (let i = 0; i < 100; i++) insert.run(new Uint8Array(3_000))
      })
    expect(codeOf(fill)).toBe('disk-full')
    expect(db.prepare('SELECT body FROM item').all()).toEqual([{ body: Uint8Array.of(7) }])
    db.exec('PRAGMA max_page_count=100000')
    fill()
    db.close()
    const again = openDatabase(path, migrations, { logger })
    expect(again.prepare('SELECT count(*) AS n FROM item').get()).toEqual({ n: 101 })
    again.close()
  })

  it('says that it was closed, whatever comes too late', () => {
    const db = openDatabase(path, migrations, { logger })
    const insert = db.prepare('INSERT INTO item (body) VALUES (?)')
    const select = db.prepare('SELECT * FROM item')
    db.close()
    db.close()
    const late: (() => unknown)[] = [
      () => insert.run(Uint8Array.of(1)),
      () => select.get(),
      () => select.all(),
      () => db.prepare('SELECT 1'),
      () => db.exec('SELECT 1'),
      () => db.transaction(() => insert.run(Uint8Array.of(1))),
    ]
    expect(late.map(codeOf)).toEqual(late.map(() => 'database-closed'))
    const open = openDatabase(path, migrations, { logger })
    expect(() =>
      open.transaction(() => {
        open.close()
        return open.prepare('SELECT 1')
      }),
    ).toThrow(expect.objectContaining({ code: 'database-closed' }))
    expect(() => open.transaction(() => 1)).toThrow(/was closed/)
  })

  it('keeps every transaction that returned when the process is killed', async () => {
    const script = join(folder, 'writer.mts')
    const here = new URL('.', import.meta.url).href
    writeFileSync(
      script,
      `import { writeSync } from 'node:fs'
import { openDatabase } from '${here}database.ts'
import { silentLogger as logger } from '${here}../base/logger.ts'
const db = openDatabase(${JSON.stringify(path)}, ${JSON.stringify(migrations)}, { logger })
const insert = db.prepare('INSERT INTO item VALUES (?, ?)')
for (let i = 1; ; i += 2) {
  db.transaction(() => { insert.run(i, new Uint8Array(500)); insert.run(i + 1, new Uint8Array(500)) })
  writeSync(1, i + 1 + '\\n')
}`,
    )
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    for await (const chunk of child.stdout) {
      told += String(chunk)
      if (told.split('\n').length > 50) child.kill('SIGKILL')
    }
    const last = Number(told.split('\n').at(-2))
    expect(last).toBeGreaterThan(50)
    expect(existsSync(`${path}-wal`)).toBe(true)
    const db = openDatabase(path, migrations, { logger })
    const count = Number(db.prepare<{ n: number }>('SELECT count(*) AS n FROM item').get()?.n)
    expect(count).toBeGreaterThanOrEqual(last)
    expect(count % 2).toBe(0)
    db.close()
  })
})
