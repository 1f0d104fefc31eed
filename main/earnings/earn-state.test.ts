import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { earnState as earnStateSchema } from '../../preload/api/earn.ts'
import { defaultLimits } from '../../preload/api/limits.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { openDatabase } from '../storage/database.ts'
import { type EarnFigures, earnState, earnStates } from './earn-state.ts'
import { type EarnRole, earnStatus } from './earn-status.ts'
import { halfHourOf, startOfLocalDay } from './half-hours.ts'
import { openLedger } from './ledger.ts'
import { earningsMigrations } from './ledger-tables.ts'

const zone = process.env.TZ
beforeEach(() => {
  process.env.TZ = 'Europe/Berlin'
})
afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

const now = Date.UTC(2026, 10, 22, 12, 0)
const ready: EarnRole = {
  network: 'local',
  engine: { status: 'ready', model: 'SmolLM2', contextTokens: 2048, backend: 'cpu' },
  link: { status: 'connected', sinceMs: now - 14 * 60_000 },
  paused: false,
  running: 0,
  settleFeeEstimate: 20_000_000n,
}
const noEnergy = { servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0 }
const nothing: EarnFigures = {
  totals: { counted: 0n, pending: 0n, settled: 0n, answered: 0, cancelled: 0, failed: 0 },
  week: [],
  requests: [],
  payouts: [],
  lastActiveMs: undefined,
  energy: { source: 'nothing', today: noEnergy, week: noEnergy },
}

describe('earnStatus', () => {
  const game: EarnRole['pause'] = { reasons: ['game'], program: 'tetris', temperatureC: null, limits: defaultLimits }
  const loading: EarnRole['engine'] = { status: 'loading', model: 'SmolLM2', progress: 0.41 }
  const rows: [Partial<EarnRole>, number | undefined, string, string, string][] = [
    [
      { diskFull: { folder: '/data/cocoon', sinceMs: 1 }, paused: true, link: { status: 'lost' } },
      now,
      'error',
      'Stopped',
      'Free some space where /data/cocoon lies: the app goes on by itself.',
    ],
    [
      { engine: { status: 'failed', reason: 'The file is broken.' }, paused: true },
      undefined,
      'error',
      'Stopped',
      'The file is broken.',
    ],
    [
      { servedBy: { name: 'ollama', isLooking: false } },
      now,
      'earning',
      'Earning',
      'Serving with ollama, test coins. No request now.',
    ],
    [
      { servedBy: { name: 'ollama', isLooking: false }, engine: { status: 'restarting', reason: 'It did not answer.' } },
      now,
      'offline',
      'Stopped',
      'Earning goes on when it is back. It did not answer.',
    ],
    [
      { servedBy: { name: 'ollama', isLooking: true }, engine: { status: 'restarting', reason: 'Connecting to ollama.' } },
      undefined,
      'starting',
      'Waiting',
      'Connecting to ollama.',
    ],
    [
      { servedBy: { name: 'ollama', isLooking: false }, pause: game },
      now,
      'paused',
      'Paused',
      "ollama gets no new request; what it holds of the GPU is not this app's to free.",
    ],
    [{ pause: game }, now, 'paused', 'Paused', 'Your GPU is free for the game.'],
    [{ link: { status: 'failed', reason: 'No chain.' } }, undefined, 'error', 'Stopped', 'No chain.'],
    [{ engine: { status: 'no-model' }, paused: true }, undefined, 'not-set-up', 'Not earning', 'Choose one under Models.'],
    [{ paused: true, link: { status: 'lost' } }, undefined, 'paused', 'Paused', 'finished first'],
    [{ paused: true, running: 2 }, undefined, 'paused', 'Paused', '2 requests still running'],
    [{ link: { status: 'lost' }, engine: loading }, undefined, 'offline', 'Stopped', 'when the connection is back'],
    [{ engine: loading }, undefined, 'starting', 'Waiting', '41% loaded'],
    [{ engine: { status: 'restarting', reason: 'It was killed.' } }, now - 1, 'starting', 'Waiting', 'It was killed.'],
    [{ link: { status: 'starting' } }, undefined, 'starting', 'Waiting', ''],
    [{}, undefined, 'waiting', 'Waiting', 'Serving on the CPU, test coins. Online for 14 min, no request in the last minute.'],
    [{}, now - 60_000, 'waiting', 'Waiting', 'Serving on the CPU'],
    [{}, now - 59_999, 'earning', 'Earning', 'Serving on the CPU, test coins. No request now.'],
    [{ running: 1 }, undefined, 'earning', 'Earning', 'Serving on the CPU, test coins. 1 request now.'],
    [
      { running: 3, engine: { status: 'ready', model: 'm', contextTokens: 1, backend: 'cuda' } },
      now,
      'earning',
      'Earning',
      'on the GPU',
    ],
  ]
  it.each(rows)('%o, last active %s: %s', (part, lastActiveMs, status, tile, line) => {
    const text = earnStatus({ ...ready, ...part }, lastActiveMs, now)
    expect(text).toMatchObject({ status, tile })
    expect(text.line).toContain(line)
  })
})

describe('half hours', () => {
  it('follow the local clock and calendar, through clock changes too', () => {
    expect(halfHourOf(Date.UTC(2026, 10, 22, 12, 29, 59))).toBe(26)
    expect(halfHourOf(Date.UTC(2026, 10, 22, 12, 30))).toBe(27)
    expect(startOfLocalDay(now)).toBe(Date.UTC(2026, 10, 21, 23, 0))
    // 25 October 2026 has 25 hours in Berlin: its midnight is at UTC+2, the next one at UTC+1.
    expect(startOfLocalDay(Date.UTC(2026, 9, 25, 20, 0))).toBe(Date.UTC(2026, 9, 24, 22, 0))
    expect(startOfLocalDay(Date.UTC(2026, 9, 26, 20, 0))).toBe(Date.UTC(2026, 9, 25, 23, 0))
    expect(startOfLocalDay(Date.UTC(2026, 9, 26, 20, 0), 1)).toBe(Date.UTC(2026, 9, 24, 22, 0))
  })
})

describe('earnState', () => {
  it.each(['local', 'testnet', 'mainnet'] as const)('tells the kind of network whose coins it shows: %s', (network) => {
    const state = earnState(nothing, { ...ready, network }, now)
    expect(z.encode(earnStateSchema, state).network).toBe(network)
  })

  it('adds up today, the week and all time from what is proven', () => {
    const week = [
      { startedAtMs: Date.UTC(2026, 10, 21, 22, 59), counted: 1n, pending: 10n, settled: 100n },
      { startedAtMs: Date.UTC(2026, 10, 21, 23, 0), counted: 2n, pending: 20n, settled: 200n },
      { startedAtMs: Date.UTC(2026, 10, 22, 11, 45), counted: 3n, pending: 30n, settled: 300n },
    ]
    const totals = { counted: 6n, pending: 60n, settled: 1_000n, answered: 3, cancelled: 1, failed: 2 }
    const state = earnState({ ...nothing, week, totals }, { ...ready, ownerAddress: 'EQowner', workerFeePerToken: 5n }, now)
    expect(state).toMatchObject({
      today: 550n,
      last7Days: 660n,
      lifetime: 1_060n,
      counted: 6n,
      pending: 60n,
      settled: 1_000n,
      settleable: 60n,
      model: 'SmolLM2',
      answered: 3,
      cancelled: 1,
      failed: 2,
    })
    expect(state.todayByHalfHour.map((value, index) => [index, value]).filter(([, value]) => value !== 0n)).toEqual([
      [0, 222n],
      [25, 333n],
    ])
    expect(() => z.encode(earnStateSchema, state)).not.toThrow()
    expect(() => z.encode(earnStateSchema, earnState(nothing, { ...ready, engine: { status: 'no-model' } }, now))).not.toThrow()
  })
})

describe('earnStates', () => {
  it('tells the present state, then changes of ledger and roles soon', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'earn-state-'))
    const database = openDatabase(join(folder, 'earnings.db'), earningsMigrations, { logger })
    onTestFinished(() => {
      database.close()
      rmSync(folder, { recursive: true, force: true })
    })
    const ledger = openLedger(database)
    const role = new Signal(ready)
    const control = new AbortController()
    const states = earnStates({ ledger, energy: { source: 'nothing', since: () => noEnergy } }, role, control.signal, () => now)
    const next = async (): Promise<z.output<typeof earnStateSchema>> => {
      const { value } = await states.next()
      return value ?? expect.fail('the stream ended')
    }
    expect(await next()).toMatchObject({ status: 'waiting' })
    const startedAt = performance.now()
    ledger.record({ type: 'started', requestId: 'a', proxy: 'P', workerContract: 'W', model: 'm', startedAtMs: now - 10 })
    ledger.record({
      type: 'counted',
      requestId: 'a',
      workerContract: 'W',
      requestTokens: 850n,
      maxTokens: 850n,
      workerFeePerToken: 150_000n,
    })
    const earning = await next()
    // Not only with the next look after 15 s.
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    expect(earning).toMatchObject({ status: 'earning', counted: 127_500_000n, requests: [{ money: 'counted' }] })
    expect(() => z.encode(earnStateSchema, earning)).not.toThrow()
    role.update((value) => ({ ...value, paused: true }))
    expect(await next()).toMatchObject({ status: 'paused' })
    const end = states.next()
    control.abort()
    expect((await end).done).toBe(true)
  })
})
