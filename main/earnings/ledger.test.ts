import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { openDatabase } from '../storage/database.ts'
import { type Ledger, openLedger } from './ledger.ts'
import type { LedgerEvent } from './ledger-event.ts'
import { earningsMigrations } from './ledger-tables.ts'

const fee = 150_000n

class TestLedger {
  readonly #path: string
  #database
  ledger: Ledger

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'earnings-'))
    this.#path = join(folder, 'earnings.db')
    this.#database = openDatabase(this.#path, earningsMigrations, { logger })
    this.ledger = openLedger(this.#database)
    onTestFinished(() => {
      this.close()
      rmSync(folder, { recursive: true, force: true })
    })
  }

  restart(): void {
    this.#database.close()
    this.#database = openDatabase(this.#path, earningsMigrations, { logger })
    this.ledger = openLedger(this.#database)
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  close(): void {
    this.#database.close()
  }
}

const started = (requestId: string, startedAtMs = 1_000, workerContract = 'W'): LedgerEvent => ({
  type: 'started',
  requestId,
  proxy: 'P',
  workerContract,
  model: 'm',
  startedAtMs,
})
const finished = (
  requestId: string,
  adjustedTokens: bigint,
  result: 'answered' | 'cancelled' | 'failed' = 'answered',
): LedgerEvent => ({
  type: 'finished',
  requestId,
  result,
  promptTokens: 50,
  cachedTokens: 0,
  completionTokens: 100,
  reasoningTokens: 0,
  adjustedTokens,
  tookMs: 12.5,
  finishedAtMs: 2_000,
})
const counted = (requestId: string, requestTokens: bigint, maxTokens: bigint, workerContract = 'W'): LedgerEvent => ({
  type: 'counted',
  requestId,
  workerContract,
  requestTokens,
  maxTokens,
  workerFeePerToken: fee,
})
const total = (tokens: bigint, lost = false, workerContract = 'W'): LedgerEvent => ({
  type: 'total',
  workerContract,
  tokens,
  workerFeePerToken: fee,
  lost,
})
const signed = (tokens: bigint, workerContract = 'W'): LedgerEvent => ({ type: 'signed', workerContract, tokens })
const settled = (tokens: bigint, workerContract = 'W'): LedgerEvent => ({ type: 'settled', workerContract, tokens })

describe('one request', () => {
  it('goes from answering over counted and pending to settled, to the nano', () => {
    const { ledger } = new TestLedger()
    const money = (): unknown[] => ledger.requests(5).map(({ result, earned, money }) => [result, earned, money])
    ledger.record(started('a'))
    expect(money()).toEqual([['answering', 0n, undefined]])
    ledger.record(finished('a', 850n))
    // The worker's own reckoning is no money.
    expect(money()).toEqual([['answered', 0n, undefined]])
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 0n, settled: 0n, answered: 1 })
    ledger.record(counted('a', 850n, 850n))
    expect(money()).toEqual([['answered', 127_500_000n, 'counted']])
    ledger.record(signed(850n))
    expect(money()).toEqual([['answered', 127_500_000n, 'pending']])
    ledger.record(settled(850n))
    expect(money()).toEqual([['answered', 127_500_000n, 'settled']])
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 0n, settled: 127_500_000n })
    expect(ledger.since(1_000)).toEqual([{ startedAtMs: 0, counted: 0n, pending: 0n, settled: 127_500_000n }])
    expect(ledger.since(1_001)).toEqual([])
    expect(ledger.lastActiveMs()).toBe(2_000)
  })

  it('that was running when the app ended is failed, unless its end comes after all', () => {
    const test = new TestLedger()
    test.ledger.record(started('a'))
    test.restart()
    expect(test.ledger.requests(5)).toMatchObject([{ result: 'failed' }])
    expect(test.ledger.totals()).toMatchObject({ failed: 1, answered: 0 })
    test.ledger.record(finished('a', 10n, 'cancelled'))
    expect(test.ledger.requests(5)).toMatchObject([{ result: 'cancelled' }])
    expect(test.ledger.totals()).toMatchObject({ failed: 0, cancelled: 1 })
  })
})

describe('money', () => {
  it('is split inside a request that a signature covers in part', () => {
    const { ledger } = new TestLedger()
    ledger.record(started('a'))
    ledger.record(counted('a', 100n, 100n))
    ledger.record(signed(60n))
    ledger.record(settled(25n))
    expect(ledger.totals()).toMatchObject({ counted: 40n * fee, pending: 35n * fee, settled: 25n * fee })
    expect(ledger.requests(1)).toMatchObject([{ money: 'counted', earned: 100n * fee }])
  })

  it('that was signed for requests never heard of still shows', () => {
    const { ledger } = new TestLedger()
    ledger.record(signed(500n))
    ledger.record(settled(300n))
    // No fee is known yet, so nothing can be claimed.
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 0n, settled: 0n })
    ledger.record(counted('z', 100n, 600n))
    expect(ledger.totals()).toMatchObject({ counted: 100n * fee, pending: 200n * fee, settled: 300n * fee })
  })

  it('that a proxy forgot before signing is not counted twice', () => {
    const { ledger } = new TestLedger()
    for (const id of ['a', 'b', 'c']) ledger.record(started(id))
    ledger.record(counted('a', 100n, 100n))
    ledger.record(signed(100n))
    ledger.record(counted('b', 100n, 200n))
    // The proxy lost b in a crash and counts on from 100.
    ledger.record(counted('c', 80n, 180n))
    expect(ledger.totals()).toMatchObject({ counted: 80n * fee, pending: 100n * fee })
    expect(ledger.requests(5).find(({ id }) => id === 'b')).toMatchObject({ earned: 0n })
    expect(ledger.requests(5).find(({ id }) => id === 'b')).not.toHaveProperty('money')
    ledger.record(signed(180n))
    ledger.record(counted('b', 100n, 200n))
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 180n * fee })
  })

  it('of answers whose count got lost shows by the total that the proxy tells at the next connection', () => {
    const test = new TestLedger()
    const { ledger } = test
    for (const [id, tokens] of [
      ['a', 850n],
      ['b', 40n],
    ] as const) {
      ledger.record(started(id))
      ledger.record(finished(id, tokens))
    }
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 0n })
    ledger.record(total(890n))
    const money = (): unknown[] => ledger.requests(5).map(({ id, earned, money }) => [id, earned, money])
    expect(ledger.totals()).toMatchObject({ counted: 890n * fee, pending: 0n })
    expect(money()).toEqual([
      ['a', 850n * fee, 'counted'],
      ['b', 40n * fee, 'counted'],
    ])
    ledger.record(signed(890n))
    test.restart()
    test.ledger.record(total(890n))
    expect(test.ledger.totals()).toMatchObject({ counted: 0n, pending: 890n * fee })
    expect(test.ledger.since(0)).toHaveLength(1)
    // The proxy's own word comes after all: it replaces what was inferred, and nothing is counted twice.
    test.ledger.record(counted('b', 40n, 40n))
    test.ledger.record(counted('a', 850n, 890n))
    expect(test.ledger.totals()).toMatchObject({ counted: 0n, pending: 890n * fee })
    expect(test.ledger.since(0).map(({ pending }) => pending)).toEqual([890n * fee])
  })

  it('that no set of answers makes up shows in the totals alone', () => {
    const { ledger } = new TestLedger()
    ledger.record(started('a'))
    ledger.record(finished('a', 850n))
    ledger.record(total(800n))
    expect(ledger.totals()).toMatchObject({ counted: 800n * fee })
    expect(ledger.requests(5)).toMatchObject([{ earned: 0n }])
    // An answer that failed is no part of it, and an older word changes nothing.
    ledger.record(started('f'))
    ledger.record(finished('f', 850n, 'failed'))
    ledger.record(total(700n))
    ledger.record(counted('c', 100n, 1_750n))
    expect(ledger.totals()).toMatchObject({ counted: 1_750n * fee })
    expect(ledger.requests(5)).toMatchObject([{ earned: 0n }, { earned: 0n }])
  })

  it('between two counts is found too', () => {
    const { ledger } = new TestLedger()
    for (const id of ['a', 'b', 'c']) {
      ledger.record(started(id))
      ledger.record(finished(id, 100n))
    }
    ledger.record(counted('a', 100n, 100n))
    ledger.record(counted('c', 100n, 300n))
    expect(ledger.requests(5).map(({ earned }) => earned)).toEqual([100n * fee, 100n * fee, 100n * fee])
    expect(ledger.totals()).toMatchObject({ counted: 300n * fee })
  })

  it('that a proxy lost is counted no more, as far as it was not signed', () => {
    const { ledger } = new TestLedger()
    for (const [id, upTo] of [
      ['a', 100n],
      ['b', 200n],
      ['c', 300n],
    ] as const) {
      ledger.record(started(id))
      ledger.record(counted(id, 100n, upTo))
    }
    ledger.record(signed(150n))
    ledger.record(total(150n, true))
    // What is signed of b stays; the rest of b's stretch stands until it is counted anew.
    expect(ledger.totals()).toMatchObject({ counted: 50n * fee, pending: 150n * fee })
    expect(ledger.requests(5).find(({ id }) => id === 'c')).toMatchObject({ earned: 0n })
    ledger.record(counted('d', 30n, 230n))
    expect(ledger.totals()).toMatchObject({ counted: 80n * fee, pending: 150n * fee })
  })

  it('is never more than the growth of the total, whatever a proxy says one request was', () => {
    const { ledger } = new TestLedger()
    ledger.record(counted('a', 100n, 100n))
    ledger.record(signed(100n))
    ledger.record(counted('b', 1_000_000n, 110n))
    expect(ledger.totals()).toMatchObject({ counted: 10n * fee, pending: 100n * fee })
  })

  it('survives totals beyond 2^53', () => {
    const test = new TestLedger()
    const top = (1n << 62n) + 1n
    test.ledger.record(counted('a', 3n, top))
    test.ledger.record(signed(top - 1n))
    test.restart()
    expect(test.ledger.totals()).toMatchObject({ counted: fee, pending: (top - 1n) * fee })
  })

  it('is conserved under every order, repetition and restart of the events', () => {
    const request = fc.record({ contract: fc.constantFrom('W', 'V'), tokens: fc.bigInt(0n, 5_000n) })
    const scenario = fc
      .record({
        requests: fc.array(request, { minLength: 1, maxLength: 12 }),
        marks: fc.array(fc.record({ contract: fc.constantFrom('W', 'V'), part: fc.nat(100), paid: fc.nat(100) }), {
          maxLength: 5,
        }),
      })
      .chain(({ requests, marks }) => {
        const totals: Record<string, bigint> = { W: 0n, V: 0n }
        const events = requests.flatMap(({ contract, tokens }, index): LedgerEvent[] => {
          const sum = (totals[contract] ?? 0n) + tokens
          totals[contract] = sum
          const id = `r${index}`
          return [started(id, 1_000 + index, contract), finished(id, tokens), counted(id, tokens, sum, contract)]
        })
        for (const { contract, part } of marks)
          events.push(total(((totals[contract] ?? 0n) * BigInt(part)) / 100n, false, contract))
        for (const { contract, part, paid } of marks) {
          const upTo = ((totals[contract] ?? 0n) * BigInt(part)) / 100n
          events.push(signed(upTo, contract), settled((upTo * BigInt(paid)) / 100n, contract))
        }
        const order = fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2, maxLength: events.length * 2 })
        const restarts = fc.uniqueArray(fc.nat(events.length * 2), { maxLength: 2 })
        return fc.record({ events: fc.constant(events), order, restarts, totals: fc.constant(totals) })
      })
    const test = new TestLedger()
    fc.assert(
      fc.property(scenario, ({ events, order, restarts, totals }) => {
        test.exec('DELETE FROM request; DELETE FROM counted; DELETE FROM contract')
        const seen: LedgerEvent[] = []
        order.forEach((event, index) => {
          if (restarts.includes(index)) test.restart()
          test.ledger.record(event)
          seen.push(event)
          // At every moment: the line of each contract is shared out without a gap or an overlap.
          if (index % 4 === 0) expectConserved(test.ledger, seen)
        })
        expectConserved(test.ledger, seen)
        const all = (totals.W ?? 0n) + (totals.V ?? 0n)
        const { counted, pending, settled: paid } = test.ledger.totals()
        expect(counted + pending + paid).toBe(all * fee)
        const parts = test.ledger.since(0).reduce((sum, one) => sum + one.counted + one.pending + one.settled, 0n)
        expect(parts).toBe(all * fee)
        expect(test.ledger.requests(100)).toHaveLength(events.filter(({ type }) => type === 'started').length)
        expect(test.ledger.requests(100).every(({ result }) => result === 'answered')).toBe(true)
      }),
      { numRuns: 25 },
    )
  })
})

/** Reckons from the events alone what the ledger must say. */
function expectConserved(ledger: Ledger, seen: readonly LedgerEvent[]): void {
  const expected = { counted: 0n, pending: 0n, settled: 0n }
  for (const contract of ['W', 'V']) {
    const marks = { signed: 0n, settled: 0n, told: 0n }
    let feeKnown = false
    for (const event of seen) {
      if (!('workerContract' in event) || event.workerContract !== contract) continue
      if (event.type === 'signed' && event.tokens > marks.signed) marks.signed = event.tokens
      if (event.type === 'settled' && event.tokens > marks.settled) marks.settled = event.tokens
      const told = event.type === 'counted' ? event.maxTokens : event.type === 'total' ? event.tokens : 0n
      if (told > marks.told) marks.told = told
      feeKnown ||= event.type === 'counted' || event.type === 'total'
    }
    // Before the first word of the proxy the fee is unknown, and nothing can be claimed.
    if (!feeKnown) continue
    const proven = marks.signed > marks.settled ? marks.signed : marks.settled
    expected.settled += marks.settled * fee
    expected.pending += (proven - marks.settled) * fee
    expected.counted += (marks.told > proven ? marks.told - proven : 0n) * fee
  }
  const { counted: a, pending: b, settled: c } = ledger.totals()
  expect({ counted: a, pending: b, settled: c }).toEqual(expected)
  const split = ledger.since(0)
  const attributed = (part: 'counted' | 'pending' | 'settled'): bigint => split.reduce((sum, one) => sum + one[part], 0n)
  expect(attributed('counted')).toBeLessThanOrEqual(a)
  expect(attributed('pending')).toBeLessThanOrEqual(b)
  expect(attributed('settled')).toBeLessThanOrEqual(c)
}

describe('payouts', () => {
  const payout = { id: 'p', startedAtMs: 5, adjustedTokens: 850, expected: 127_500_000n }

  it('go forward only and keep what the chain showed', () => {
    const test = new TestLedger()
    const { ledger } = test
    ledger.record({ type: 'payout', payout: { ...payout, state: 'sending' } })
    const done = {
      ...payout,
      state: 'settled',
      ownerReceived: 127_500_000n,
      nodeWalletChange: -9_000_000n,
      transactionHash: 'ab',
    } as const
    ledger.record({ type: 'payout', payout: done })
    ledger.record({ type: 'payout', payout: { ...payout, state: 'confirming' } })
    expect(ledger.payouts(5)).toEqual([done])
    test.restart()
    expect(test.ledger.payouts(5)).toEqual([done])
  })

  it('that were under way when the app ended say so, and can still be found settled', () => {
    const test = new TestLedger()
    test.ledger.record({ type: 'payout', payout: { ...payout, state: 'confirming' } })
    test.restart()
    expect(test.ledger.payouts(5)).toMatchObject([
      { state: 'failed', error: expect.stringContaining('before the chain had confirmed') },
    ])
    test.ledger.record({ type: 'payout', payout: { ...payout, state: 'settled' } })
    expect(test.ledger.payouts(5)).toEqual([{ ...payout, state: 'settled' }])
  })
})

describe('totals', () => {
  it('are summed up anew only after an event', () => {
    const { ledger } = new TestLedger()
    ledger.record(counted('a', 10n, 10n))
    const first = ledger.totals()
    expect(ledger.totals()).toBe(first)
    ledger.record(signed(10n))
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 10n * fee })
  })
})

describe('a ledger of the first release', () => {
  it('is opened with all its money', () => {
    const folder = mkdtempSync(join(tmpdir(), 'earnings-'))
    const path = join(folder, 'earnings.db')
    const old = openDatabase(path, earningsMigrations.slice(0, 1), { logger })
    old.exec(`INSERT INTO contract (address, signed, settled, fee) VALUES ('W', 60, 25, 150000);
      INSERT INTO counted (worker_contract, request_id, first, last, fee) VALUES ('W', 'a', 0, 100, 150000)`)
    old.close()
    const database = openDatabase(path, earningsMigrations, { logger })
    const ledger = openLedger(database)
    expect(ledger.totals()).toMatchObject({ counted: 40n * fee, pending: 35n * fee, settled: 25n * fee })
    ledger.record(total(100n))
    expect(ledger.totals()).toMatchObject({ counted: 40n * fee })
    database.close()
    rmSync(folder, { recursive: true })
  })
})

describe('record', () => {
  it.each([
    ['a negative total', signed(-1n)],
    ['a total beyond SQLite', settled(1n << 63n)],
    ['half a token', { ...finished('a', 1n), promptTokens: 0.5 }],
    ['a strange id', started('../x')],
  ])('refuses %s and changes nothing', (_, event) => {
    const { ledger } = new TestLedger()
    expect(() => ledger.record(event)).toThrow(expect.objectContaining({ code: 'bad-event' }))
    expect(ledger.revision.value).toBe(0)
    expect(ledger.requests(5)).toEqual([])
  })

  it('says disk-full, keeps what was there, and goes on when there is room', () => {
    const test = new TestLedger()
    test.ledger.record(counted('a', 10n, 10n))
    test.exec('PRAGMA max_page_count=1')
    const many = (): void => {
      for (let i = 0; i < 2_000; i++) test.ledger.record({ ...started(`s${i}`), model: 'x'.repeat(3_000) } as LedgerEvent)
    }
    expect(many).toThrow(expect.objectContaining({ code: 'disk-full' }))
    expect(test.ledger.totals()).toMatchObject({ counted: 10n * fee })
    test.exec('PRAGMA max_page_count=100000')
    test.restart()
    test.ledger.record(signed(10n))
    expect(test.ledger.totals()).toMatchObject({ pending: 10n * fee })
  })
})
