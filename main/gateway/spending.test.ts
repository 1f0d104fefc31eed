import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createLogger, silentLogger } from '../base/logger.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import { fillableDisk } from '../storage/testing/full-disk.ts'
import { ApiKeys } from './api-keys.ts'
import { gatewayMigrations } from './gateway-tables.ts'
import { ApiRefusal } from './refusal.ts'
import { dayOf, type Reservation, Spending } from './spending.ts'
import { usualTerms } from './testing/gateway-stage.ts'

const dayMs = 24 * 3_600_000
const noon = new Date(2026, 10, 22, 12).getTime()
const folders: string[] = []
const open: Database[] = []
afterEach(() => {
  for (const database of open.splice(0)) database.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function book() {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-spending-'))
  folders.push(folder)
  const path = join(folder, 'gateway.db')
  const clock = { now: noon }
  const start = () => {
    const database = openDatabase(path, gatewayMigrations, { logger: silentLogger })
    open.push(database)
    return {
      database,
      keys: new ApiKeys(database, () => clock.now),
      spending: new Spending(database, () => clock.now, silentLogger),
    }
  }
  return { clock, start }
}

describe('the spending of a key', () => {
  it('is reserved before, settled after, and refused above the limit of the day', () => {
    const { clock, start } = book()
    const { keys, spending } = start()
    const { key } = keys.create({ ...usualTerms, dailyLimit: 100n }, false)
    const first = spending.reserve(key, 60n)
    expect(() => spending.reserve(key, 41n)).toThrow(/up to 0\.000000041\sTON.*0\.0000001\sTON a day 0\.00000004\sTON are left/)
    first.settle(10n)
    first.settle(90n)
    expect(spending.today(key.id)).toMatchObject({ spent: 10n, unsure: 0n, reserved: 0n })
    spending.reserve(key, 90n).settle(undefined)
    expect(spending.today(key.id)).toMatchObject({ spent: 10n, unsure: 90n, reserved: 0n })
    expect(() => spending.reserve(key, 1n)).toThrow(ApiRefusal)
    clock.now += dayMs
    spending.reserve(key, 100n).settle(0n)
    expect(spending.today(key.id)).toMatchObject({ spent: 0n, unsure: 0n, reserved: 0n })
  })

  it('counts a cost above what was put aside in full, and says so', () => {
    const { start } = book()
    const { database, keys } = start()
    const lines: string[] = []
    const spending = new Spending(
      database,
      () => noon,
      createLogger((line) => lines.push(line), 'error'),
    )
    const { key } = keys.create({ ...usualTerms, dailyLimit: 100n }, false)
    spending.reserve(key, 60n).settle(60n)
    expect(lines).toEqual([])
    spending.reserve(key, 30n).settle(70n)
    expect(lines.join()).toMatch(/cost more than was put aside.*70.*30/)
    expect(spending.today(key.id)).toMatchObject({ spent: 130n, reserved: 0n })
    expect(() => spending.reserve(key, 1n)).toThrow(/ 0\sTON are left/)
  })

  it('knows nothing of other keys', () => {
    const { start } = book()
    const { keys, spending } = start()
    const one = keys.create({ ...usualTerms, dailyLimit: 100n }, false).key
    const other = keys.create({ ...usualTerms, dailyLimit: 100n }, false).key
    spending.reserve(one, 100n)
    spending.reserve(other, 100n)
    expect(() => spending.reserve(other, 1n)).toThrow(ApiRefusal)
  })

  it('holds nothing back on a full disk, so that nothing is sent that nobody counted', () => {
    const { start } = book()
    const { database, keys } = start()
    const disk = fillableDisk(database)
    const spending = new Spending(disk.database, () => noon, silentLogger)
    const { key } = keys.create({ ...usualTerms, dailyLimit: 100n }, false)
    const before = spending.reserve(key, 30n)
    disk.full = true
    expect(() => spending.reserve(key, 30n)).toThrow(/disk is full/)
    spending.count(key.id, { promptTokens: 1, completionTokens: 1 })
    // What cannot be written stays put aside, and counts as unsure after the next start.
    before.settle(1n)
    disk.full = false
    expect(spending.today(key.id)).toMatchObject({ requests: 0, spent: 0n, reserved: 30n })
    const later = new Spending(disk.database, () => noon, silentLogger)
    expect(later.today(key.id)).toMatchObject({ spent: 0n, unsure: 30n, reserved: 0n })
  })

  it('opens on a full disk after a crash; what was under way stays put aside', () => {
    const { start } = book()
    const { database, keys, spending } = start()
    const { key } = keys.create({ ...usualTerms, dailyLimit: 100n }, false)
    spending.reserve(key, 70n)
    const disk = fillableDisk(database)
    disk.full = true
    const later = new Spending(disk.database, () => noon, silentLogger)
    expect(later.today(key.id)).toMatchObject({ spent: 0n, unsure: 0n, reserved: 70n })
    disk.full = false
    expect(() => later.reserve(key, 31n)).toThrow(ApiRefusal)
    expect(new Spending(disk.database, () => noon, silentLogger).today(key.id)).toMatchObject({ unsure: 70n, reserved: 0n })
  })

  it('a day is one of this computer', () => {
    expect(dayOf(new Date(2026, 0, 5, 0, 0, 1).getTime())).toBe('2026-01-05')
    expect(dayOf(new Date(2026, 0, 4, 23, 59, 59).getTime())).toBe('2026-01-04')
  })

  it('is conserved over any sequence of requests, days and crashes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('reserve' as const), amount: fc.bigInt(0n, 60n) }),
      fc.record({
        kind: fc.constant('settle' as const),
        which: fc.nat(9),
        cost: fc.option(fc.bigInt(0n, 70n), { nil: undefined }),
      }),
      fc.record({ kind: fc.constant('restart' as const) }),
      fc.record({ kind: fc.constant('next-day' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { clock, start } = book()
        let { keys, spending, database } = start()
        const limit = 200n
        const { key } = keys.create({ ...usualTerms, dailyLimit: limit }, false)
        // What must be true, kept in the plainest way.
        let running: { reservation: Reservation; amount: bigint; day: string }[] = []
        const days = new Map<string, { spent: bigint; unsure: bigint }>()
        const today = () => dayOf(clock.now)
        const of = (day: string) => {
          const entry = days.get(day) ?? { spent: 0n, unsure: 0n }
          days.set(day, entry)
          return entry
        }
        const reserved = () => running.filter(({ day }) => day === today()).reduce((sum, { amount }) => sum + amount, 0n)
        for (const one of steps) {
          if (one.kind === 'reserve') {
            const { spent, unsure } = of(today())
            const fits = spent + unsure + reserved() + one.amount <= limit
            let reservation: Reservation | undefined
            try {
              reservation = spending.reserve(key, one.amount)
            } catch (thrown) {
              expect(thrown).toBeInstanceOf(ApiRefusal)
            }
            expect(reservation !== undefined).toBe(fits)
            if (reservation) running.push({ reservation, amount: one.amount, day: today() })
          } else if (one.kind === 'settle') {
            const [ended] = running.splice(one.which % Math.max(1, running.length), 1)
            if (!ended) continue
            ended.reservation.settle(one.cost)
            if (one.cost === undefined) of(ended.day).unsure += ended.amount
            else of(ended.day).spent += one.cost
          } else if (one.kind === 'restart') {
            database.close()
            for (const { amount, day } of running) of(day).unsure += amount
            running = []
            ;({ keys, spending, database } = start())
            expect(keys.list()).toEqual([key])
          } else clock.now += dayMs
          expect(spending.today(key.id)).toMatchObject({ ...of(today()), reserved: reserved() })
        }
      }),
      { numRuns: 40 },
    )
  })
})
