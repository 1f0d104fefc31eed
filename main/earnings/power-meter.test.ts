import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Energy } from './energy.ts'
import { type CardPower, type PowerLook, PowerMeter, type Server } from './power-meter.ts'

const card = (powerW: number | null, utilisationPercent: number | null = 0, id = 'a'): CardPower => ({
  id,
  powerW,
  utilisationPercent,
  inUse: false,
})
const byCard: Server = { by: 'cards', ids: new Set(['a']) }

/** A meter that is looked at once a second. */
function metered(server: Server = byCard) {
  const meter = new PowerMeter()
  let atMs = 0
  return {
    meter,
    /** What was taken in so many seconds; the last look begins what comes next. */
    seconds: (count: number, look: Partial<PowerLook>): Energy[] =>
      Array.from({ length: count }, () => {
        const energy = meter.look({ atMs, running: false, server, cards: [], ...look })
        atMs += 1_000
        return energy
      }).filter((energy) => energy !== null),
    sleep: (ms: number) => {
      atMs += ms
    },
  }
}
const all = (parts: readonly Energy[]): Energy => ({
  servingMs: parts.reduce((sum, { servingMs }) => sum + servingMs, 0),
  measuredMs: parts.reduce((sum, { measuredMs }) => sum + measuredMs, 0),
  drawnJ: parts.reduce((sum, { drawnJ }) => sum + drawnJ, 0),
  restJ: parts.reduce((sum, { restJ }) => sum + restJ, 0),
})

describe('PowerMeter', () => {
  it('takes what the card draws while it answers, and knows what it draws at rest', () => {
    const { meter, seconds } = metered()
    expect(seconds(12, { cards: [card(20)] })).toEqual([])
    expect(meter.source).toBe('cards')
    const used = [...seconds(11, { running: true, cards: [card(214)] }), ...seconds(5, { cards: [card(214)] })]
    // The first look of answering only begins it, the first after it ends it.
    expect(all(used)).toEqual({ servingMs: 11_000, measuredMs: 11_000, drawnJ: 11 * 214, restJ: 11 * 20 })
  })

  it('counts from the moment that answering begins to the one that it ends, between the seconds too', () => {
    const meter = new PowerMeter()
    const look = (atMs: number, running: boolean) => meter.look({ atMs, running, server: byCard, cards: [card(200)] })
    expect(look(0, false)).toBeNull()
    expect(look(400, true)).toBeNull()
    expect(look(700, false)?.servingMs).toBe(300)
    expect(look(1_000, false)).toBeNull()
  })

  it('says that time was not measured: no telling of the card, none of its rest, the processor, another computer', () => {
    const unmeasured = { measuredMs: 0, drawnJ: 0, restJ: 0 }
    const cases: ReadonlyArray<readonly [string, Server, CardPower[]]> = [
      ['rest', byCard, [card(200)]],
      ['silent', byCard, [card(null)]],
      ['silent', byCard, []],
      ['silent', { by: 'cards', ids: new Set() }, []],
      ['processor', { by: 'processor' }, [card(20)]],
      ['elsewhere', { by: 'elsewhere' }, [card(20)]],
    ]
    for (const [source, server, cards] of cases) {
      const { meter, seconds } = metered(server)
      const used = all(seconds(5, { running: true, cards }))
      expect(used, source).toEqual({ servingMs: 4_000, ...unmeasured })
      expect(meter.source).toBe(source)
    }
    // Of two cards that answer, one that tells nothing is enough.
    const two = metered({ by: 'cards', ids: new Set(['a', 'b']) })
    two.seconds(15, { cards: [card(20), card(null, 0, 'b')] })
    expect(all(two.seconds(5, { running: true, cards: [card(200), card(null, 0, 'b')] })).measuredMs).toBe(0)
  })

  it('takes the least for the rest, never a card at work, and never one low telling', () => {
    const restOf = (before: (seconds: ReturnType<typeof metered>['seconds']) => void): number => {
      const { seconds } = metered()
      before(seconds)
      const { restJ, measuredMs } = all(seconds(2, { running: true, cards: [card(500)] }))
      return measuredMs === 0 ? Number.NaN : (1_000 * restJ) / measuredMs
    }
    expect(restOf((seconds) => seconds(30, { cards: [card(180, 60)] }))).toBeNaN()
    expect(restOf((seconds) => seconds(9, { cards: [card(20)] }))).toBeNaN()
    expect(
      restOf((seconds) => {
        seconds(15, { cards: [card(60)] })
        seconds(25, { cards: [card(30)] })
        seconds(15, { cards: [card(45)] })
      }),
    ).toBe(30)
    expect(
      restOf((seconds) => {
        for (let n = 0; n < 5; n++) {
          seconds(9, { cards: [card(40)] })
          seconds(1, { cards: [card(0)] })
        }
      }),
    ).toBeGreaterThan(30)
  })

  it('takes no rest of a card that does not tell how busy it is, nor while somebody uses it', () => {
    for (const [source, busy] of [
      ['silent', card(120, null)],
      ['rest', { ...card(120), inUse: true }],
    ] as const) {
      const { meter, seconds } = metered()
      seconds(60, { cards: [busy] })
      expect(meter.source).toBe(source)
      expect(all(seconds(5, { running: true, cards: [busy] })).measuredMs).toBe(0)
    }
  })

  it('counts nothing while the computer slept', () => {
    const { seconds, sleep } = metered()
    seconds(15, { cards: [card(20)] })
    seconds(3, { running: true, cards: [card(200)] })
    sleep(8 * 3_600_000)
    expect(all(seconds(2, { running: true, cards: [card(200)] })).servingMs).toBe(1_000)
  })

  it('never takes more time than passed, more measured than served, more rest than draw', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 15_000 }),
      running: fc.boolean(),
      powerW: fc.option(fc.double({ min: 0, max: 600, noNaN: true })),
      utilisationPercent: fc.option(fc.integer({ min: 0, max: 100 })),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const meter = new PowerMeter()
        let atMs = 0
        for (const { ms, running, powerW, utilisationPercent } of steps) {
          atMs += ms
          const used = meter.look({ atMs, running, server: byCard, cards: [card(powerW, utilisationPercent)] })
          if (used === null) continue
          expect(used.servingMs).toBeLessThanOrEqual(ms)
          expect(used.measuredMs).toBeLessThanOrEqual(used.servingMs)
          expect(used.restJ).toBeLessThanOrEqual(used.drawnJ)
        }
      }),
    )
  })
})
