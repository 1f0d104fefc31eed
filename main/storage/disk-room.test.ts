import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { openDatabase } from './database.ts'
import { DiskRoom, hasRoom } from './disk-room.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'room-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the room on a disk', () => {
  it('is found by writing, and nothing is left of that', () => {
    expect(hasRoom(folder)).toBe(true)
    expect(readdirSync(folder)).toEqual([])
    // A folder that is gone is another trouble.
    expect(hasRoom(join(folder, 'gone'))).toBe(true)
  })

  it.skipIf(!existsSync('/dev/full'))('is missing where the system says so', () => {
    symlinkSync('/dev/full', join(folder, '.room'))
    expect(hasRoom(folder)).toBe(false)
  })

  it('is told as missing by any database, once, until there is some again', async () => {
    let space = false
    let looks = 0
    const room = new DiskRoom(folder, {
      checkMs: 5,
      hasRoom: () => {
        looks += 1
        return space
      },
    })
    const database = openDatabase(join(folder, 'a.db'), ['CREATE TABLE item (body BLOB NOT NULL) STRICT'], { logger, room })
    const states: unknown[] = []
    room.state.onChange((state) => states.push(state.full))
    const insert = database.prepare('INSERT INTO item VALUES (?)')
    expect(() => insert.run(null)).toThrow(expect.objectContaining({ code: 'constraint' }))
    expect([room.state.value.full, looks]).toEqual([false, 0])

    database.exec('PRAGMA max_page_count=2')
    for (let times = 0; times < 3; times++)
      expect(() => database.transaction(() => insert.run(new Uint8Array(20_000)))).toThrow(/disk is full/)
    expect(room.state.value).toMatchObject({ full: true, folder })
    await expect.poll(() => looks).toBeGreaterThan(2)
    expect(states).toEqual([true])
    space = true
    await expect.poll(() => room.state.value.full).toBe(false)
    const before = looks
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(looks).toBe(before)

    expect(() => insert.run(new Uint8Array(20_000))).toThrow(/disk is full/)
    expect(states).toEqual([true, false, true])
    room.close()
    database.close()
  })
})
