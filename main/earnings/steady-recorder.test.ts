import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { createLogger, silentLogger } from '../base/logger.ts'
import { openDatabase } from '../storage/database.ts'
import { openLedger } from './ledger.ts'
import type { LedgerEvent } from './ledger-event.ts'
import { earningsMigrations } from './ledger-tables.ts'
import { steadyRecorder } from './steady-recorder.ts'

const started = (requestId: string): LedgerEvent => ({
  type: 'started',
  requestId,
  proxy: 'P',
  workerContract: 'W',
  model: 'm'.repeat(1000),
  startedAtMs: 1,
})
const finished = (requestId: string): LedgerEvent => ({
  type: 'finished',
  requestId,
  result: 'answered',
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 1,
  reasoningTokens: 0,
  adjustedTokens: 2n,
  tookMs: 1,
  finishedAtMs: 2,
})

describe('a recorder that waits for room', () => {
  it('loses no event of a time when the disk was full', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-recorder-'))
    const database = openDatabase(join(folder, 'earnings.db'), earningsMigrations, { logger: silentLogger })
    const ledger = openLedger(database)
    const log: string[] = []
    const recorder = steadyRecorder(
      ledger,
      createLogger((line) => log.push(line), 'debug'),
      10,
    )
    database.exec('PRAGMA max_page_count=20')
    const ids = Array.from({ length: 40 }, (_, index) => `r${index}`)
    for (const id of ids) recorder.record(started(id))
    for (const id of ids) recorder.record(finished(id))
    expect(ledger.totals().answered).toBeLessThan(40)
    await expect.poll(() => log.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(log).toHaveLength(1)

    database.exec('PRAGMA max_page_count=100000')
    await expect.poll(() => ledger.totals().answered).toBe(40)
    expect(ledger.requests(100).filter(({ result }) => result === 'answering')).toEqual([])

    recorder.record(started('after'))
    expect(ledger.requests(100)).toHaveLength(41)
    recorder.close()
    database.close()
    rmSync(folder, { recursive: true })
  })

  it('says how many events were too many to be kept', async () => {
    let full = true
    const recorded: string[] = []
    const log: string[] = []
    const ledger = {
      record: (event: LedgerEvent) => {
        if (full) throw new Failure('disk-full', 'The disk is full.', { retryable: true })
        if ('requestId' in event) recorded.push(event.requestId)
      },
    }
    const recorder = steadyRecorder(
      ledger,
      createLogger((line) => log.push(line), 'debug'),
      5,
    )
    for (let index = 0; index < 10_003; index++) recorder.record(finished(`r${index}`))
    full = false
    await expect.poll(() => recorded.length).toBe(10_000)
    expect(recorded[0]).toBe('r3')
    expect(log.filter((line) => line.includes('missing in the record'))).toEqual([expect.stringContaining('lost=3')])
    recorder.close()
  })

  it('does not stop at an event that can never be written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-recorder-'))
    const database = openDatabase(join(folder, 'earnings.db'), earningsMigrations, { logger: silentLogger })
    const ledger = openLedger(database)
    const recorder = steadyRecorder(ledger, silentLogger)
    recorder.record({ ...started('bad'), requestId: 'no such thing!' } as LedgerEvent)
    recorder.record(started('good'))
    expect(ledger.requests(10).map(({ id }) => id)).toEqual(['good'])
    recorder.close()
    database.close()
    rmSync(folder, { recursive: true })
  })
})
