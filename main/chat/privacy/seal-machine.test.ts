import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { privacyLevel } from '../../../preload/api/chat.ts'
import { goodFindings, row } from '../testing/controlled-checker.ts'
import type { Findings } from './checker.ts'
import { neededRows, objection } from './judge.ts'
import { freshMs, newSeal, type SealEffect, type SealEvent, type SealMachine, step } from './seal-machine.ts'

/** What a run of events leaves, and every effect with the number of its event. */
function play(events: readonly SealEvent[], level: SealMachine['level'] = 'attested') {
  let machine = newSeal(level)
  const effects: SealEffect[] = []
  const phases = [machine.state.phase]
  for (const event of events) {
    const next = step(machine, event)
    machine = next.machine
    effects.push(...next.effects)
    phases.push(machine.state.phase)
  }
  return { machine, effects, phases }
}

const connection = (name: string | null): SealEvent => ({ type: 'connection', connection: name })
const found = (run: number, nowMs = 0, findings = goodFindings('attested')): SealEvent => ({
  type: 'found',
  run,
  findings,
  nowMs,
})
const wish = (number: number, nowMs = 0): SealEvent => ({ type: 'wish', wish: number, nowMs })
const refused: Findings = { rows: [...goodFindings('attested').rows.slice(1), row('hardware', 'failed')], evidence: [] }

describe('the seal of a level', () => {
  it('goes idle, checking, earned, aging, checking', () => {
    const { phases, effects } = play([
      connection('a'),
      found(1),
      { type: 'tick', nowMs: freshMs },
      { type: 'tick', nowMs: freshMs + 1 },
      { type: 'focused', nowMs: freshMs + 1 },
    ])
    expect(phases).toEqual(['idle', 'checking', 'earned', 'earned', 'aging', 'checking'])
    expect(effects).toEqual([
      { type: 'check', run: 1, connection: 'a' },
      { type: 'check', run: 2, connection: 'a' },
    ])
  })

  it('sends at once while the check is fresh, and after a new check when it is aging', () => {
    expect(play([connection('a'), found(1), wish(1, freshMs)]).effects.at(-1)).toEqual({
      type: 'permit',
      wish: 1,
      connection: 'a',
    })
    const late = [connection('a'), found(1), wish(1, freshMs + 1)]
    expect(play(late).effects.at(-1)).toEqual({ type: 'check', run: 2, connection: 'a' })
    expect(play([...late, found(2, freshMs + 2)]).effects.at(-1)).toEqual({ type: 'permit', wish: 1, connection: 'a' })
  })

  it('takes a clock that was put back for a check of unknown age', () => {
    expect(play([connection('a'), found(1, 1000), wish(1, 999)]).phases.at(-1)).toBe('checking')
  })

  it('falls with its connection at once and refuses who waits', () => {
    const { machine, effects } = play([connection('a'), wish(1), connection(null)])
    expect(machine.state).toEqual({ phase: 'idle' })
    expect(effects.slice(1)).toEqual([{ type: 'abandon' }, { type: 'refuse', wish: 1, because: { kind: 'no-connection' } }])
  })

  it('does not carry a seal over to a new connection', () => {
    expect(play([connection('a'), found(1), connection('b')]).phases.at(-1)).toBe('checking')
    // The check of the first connection comes late: it says nothing about the second.
    expect(play([connection('a'), connection('b'), wish(1), found(1)]).effects.filter(({ type }) => type === 'permit')).toEqual(
      [],
    )
  })

  it('is Not verified by one failed row, blocks sending, and is looked at again when picked', () => {
    const { machine, effects } = play([connection('a'), wish(1), found(1, 0, refused), wish(2)])
    expect(machine.state).toMatchObject({ phase: 'failed', reason: { text: 'hardware failed' } })
    expect(effects.filter(({ type }) => type === 'refuse').map((effect) => ('wish' in effect ? effect.wish : 0))).toEqual([1, 2])
    expect(play([connection('a'), found(1, 0, refused), { type: 'focused', nowMs: 0 }]).phases.at(-1)).toBe('failed')
    expect(play([connection('a'), found(1, 0, refused), { type: 'picked', nowMs: 0 }]).phases.at(-1)).toBe('checking')
  })

  it('turns from earned to failed when it is checked again and found bad', () => {
    expect(play([connection('a'), found(1), { type: 'again', nowMs: 0 }, found(2, 0, refused)]).phases.slice(2)).toEqual([
      'earned',
      'checking',
      'failed',
    ])
  })

  it('hears nothing of a check that was given up for a newer one', () => {
    const { machine } = play([connection('a'), { type: 'again', nowMs: 0 }, found(1)])
    expect(machine).toMatchObject({ run: 2, state: { phase: 'checking' } })
    expect(
      play([connection('a'), { type: 'again', nowMs: 0 }, { type: 'broken', run: 1, reason: { text: 'x' } }]).phases.at(-1),
    ).toBe('checking')
  })
})

describe('what earns a level', () => {
  it.each(privacyLevel.options)('%s needs each of its rows', (level) => {
    const { rows } = goodFindings(level)
    expect(objection(level, rows)).toBeNull()
    expect(rows.length).toBeGreaterThan(0)
    for (const { id } of rows) {
      const other = rows.filter((one) => one.id !== id)
      expect(objection(level, other)).not.toBeNull()
      expect(objection(level, [...other, row(id, 'not-checked')])).not.toBeNull()
      expect(objection(level, [...other, row(id, 'failed')])).not.toBeNull()
      expect(objection(level, [...rows, row(id)])).not.toBeNull()
    }
    expect(objection(level, [...rows, row('something-more', 'failed')])).not.toBeNull()
    expect(objection(level, [...rows, row('something-more', 'not-checked')])).toBeNull()
  })

  it('takes no row for passed that nobody checked', () => {
    const rows = goodFindings('attested').rows.map(({ by: _, ...rest }) => rest)
    expect(objection('attested', rows)).not.toBeNull()
  })
})

/** Rules of the seal, told by events alone, without the machine's own state. */
class Oracle {
  readonly level: SealMachine['level']
  #connection: string | null = null
  #run = 0
  /** When the newest check of this connection passed; undefined when it did not, or has not yet. */
  #passedAt: number | undefined
  readonly permitted: number[] = []
  readonly refused: number[] = []

  constructor(level: SealMachine['level']) {
    this.level = level
  }

  see(event: SealEvent, effects: readonly SealEffect[], before: SealMachine): void {
    if (event.type === 'connection' && event.connection !== this.#connection) {
      this.#connection = event.connection
      this.#passedAt = undefined
    }
    if (event.type === 'found' && event.run === this.#run && before.state.phase === 'checking')
      this.#passedAt = objection(this.level, event.findings.rows) === null ? event.nowMs : undefined
    if (event.type === 'broken' && event.run === this.#run && before.state.phase === 'checking') this.#passedAt = undefined
    for (const effect of effects) {
      if (effect.type === 'check') {
        expect(effect.run).toBeGreaterThan(this.#run)
        expect(effect.connection).toBe(this.#connection)
        this.#run = effect.run
        this.#passedAt = undefined
      }
      if (effect.type === 'permit') {
        this.permitted.push(effect.wish)
        expect(effect.connection).toBe(this.#connection)
        expect(this.#passedAt).toBeDefined()
        const nowMs = 'nowMs' in event ? event.nowMs : Number.NaN
        expect(nowMs - (this.#passedAt ?? 0)).toBeGreaterThanOrEqual(0)
        expect(nowMs - (this.#passedAt ?? 0)).toBeLessThanOrEqual(freshMs)
      }
      if (effect.type === 'refuse') this.refused.push(effect.wish)
    }
  }
}

/** What the clock goes on by with an event; now and then it jumps far, or back. */
const times = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: freshMs / 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: -freshMs, max: freshMs + 1 }) },
)
const events = (level: SealMachine['level']): fc.Arbitrary<SealEvent[]> => {
  const rows = fc.subarray([...neededRows[level]]).chain((ids) =>
    fc.record({
      rows: fc.tuple(
        ...neededRows[level].map((id) =>
          fc.constantFrom(
            row(id),
            row(id),
            row(id),
            row(id),
            ids.includes(id) ? row(id) : row(id, 'not-checked'),
            row(id, 'failed'),
          ),
        ),
      ),
      evidence: fc.constant([]),
    }),
  )
  const findings = fc.oneof(fc.constant(goodFindings(level)), rows)
  return fc.array(
    fc.oneof(
      fc.record({ type: fc.constant('connection' as const), connection: fc.constantFrom('a', 'b', 'c', null) }),
      fc.record({
        type: fc.constantFrom('picked' as const, 'focused' as const, 'again' as const, 'tick' as const),
        nowMs: times,
      }),
      fc.record({ type: fc.constant('wish' as const), wish: fc.constant(0), nowMs: times }),
      fc.record({ type: fc.constant('withdrawn' as const), wish: fc.integer({ min: 1, max: 10 }) }),
      fc.record({ type: fc.constant('found' as const), run: fc.integer({ min: 0, max: 12 }), findings, nowMs: times }),
      fc.record({
        type: fc.constant('broken' as const),
        run: fc.integer({ min: 0, max: 12 }),
        reason: fc.constant({ text: 'broken' }),
      }),
    ),
    { minLength: 10, maxLength: 80, size: 'max' },
  )
}

describe('whatever happens in whatever order', () => {
  it.each(privacyLevel.options)('%s: nothing is sent before it is earned, each wish ends once, and the level stays', (level) => {
    let permits = 0
    fc.assert(
      fc.property(events(level), (drawn) => {
        let machine = newSeal(level)
        const oracle = new Oracle(level)
        let wishes = 0
        const withdrawn = new Set<number>()
        let nowMs = 10 * freshMs
        for (const one of drawn) {
          if ('nowMs' in one) nowMs += one.nowMs
          // Half of the findings are made to be those of the check that runs, or hardly any would be heard.
          const run = 'run' in one && one.run % 2 === 0 ? { ...one, run: machine.run } : one
          const timed = 'nowMs' in run ? { ...run, nowMs } : run
          const event = timed.type === 'wish' ? { ...timed, wish: ++wishes } : timed
          const next = step(machine, event)
          oracle.see(event, next.effects, machine)
          if (event.type === 'withdrawn' && machine.wishes.includes(event.wish)) withdrawn.add(event.wish)
          machine = next.machine
          expect(machine.level).toBe(level)
          if (machine.state.phase === 'earned') expect(machine.state.report.connection).toBe(machine.connection)
          if (machine.state.phase !== 'checking') expect(machine.wishes).toEqual([])
        }
        const ended = [...oracle.permitted, ...oracle.refused, ...withdrawn, ...machine.wishes].sort((a, b) => a - b)
        expect(ended).toEqual(Array.from({ length: wishes }, (_, index) => index + 1))
        permits += oracle.permitted.length
      }),
      { numRuns: 200, seed: 20_261_122 },
    )
    // The property would hold for a machine that never lets anything through.
    expect(permits).toBeGreaterThan(100)
  })

  it('never names a wider level in a refusal', () => {
    const texts = play([connection('a'), wish(1), found(1, 0, refused), wish(2), connection(null), wish(3)]).effects
    expect(JSON.stringify(texts)).not.toMatch(/open/i)
  })
})
