import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defaultLimits, type Limits, type PauseReason, weekHours } from '../../preload/api/limits.ts'
import { Signal } from '../base/signal.ts'
import type { Conditions } from '../hardware/conditions.ts'
import type { EarnRole } from './earn-status.ts'
import { earnStatus } from './earn-status.ts'
import type { LastHours } from './net.ts'
import { PauseKeeper, type PauseKeeperOptions } from './pause-keeper.ts'

const quiet: Conditions = {
  ...{ gpuTemperatureC: 50, gpuPrograms: [], idleMs: 1e9, locked: false, onBattery: false, metered: false },
}
const game = { pid: 9, name: 'game.exe', pciId: null, draws: true, utilisationPercent: 90, memoryBytes: null }
const trainer = { ...game, pid: 10, name: 'trainer', draws: false, utilisationPercent: 60 }
/** A Wednesday, 14:30. */
const start = new Date(2026, 10, 25, 14, 30)
let keeper: PauseKeeper | undefined

beforeEach(() => void vi.useFakeTimers({ now: start }))
afterEach(() => {
  keeper?.close()
  vi.useRealTimers()
})

function scene({
  practice = false,
  lastHours,
  ...limits
}: Partial<Limits> & Pick<PauseKeeperOptions, 'lastHours'> & { practice?: boolean } = {}) {
  const conditions = new Signal(quiet)
  let now: Limits = { ...defaultLimits, ...limits }
  keeper = new PauseKeeper({ conditions, limits: () => now, practice, ...(lastHours && { lastHours }) })
  const opened = keeper
  return {
    keeper: opened,
    reasons: () => opened.state.value.reasons,
    /** What programs do counts when it goes on. */
    facts: (part: Partial<Conditions>) => {
      conditions.update((before) => ({ ...before, ...part }))
      if ((part.gpuPrograms?.length ?? 0) > 0) vi.advanceTimersByTime(1_500)
    },
    allow: (part: Partial<Limits>) => {
      now = { ...now, ...part }
      opened.look()
    },
  }
}

describe('PauseKeeper', () => {
  it.each<[PauseReason, Partial<Conditions>, Partial<Limits>, Partial<Limits>]>([
    ['thermal', { gpuTemperatureC: 80 }, {}, { temperatureC: 95 }],
    ['game', { gpuPrograms: [game] }, {}, { forGames: false, forOtherApps: false }],
    ['other-app', { gpuPrograms: [trainer] }, {}, { forOtherApps: false }],
    ['user-active', { idleMs: 0 }, { whileUsed: true }, { whileUsed: false }],
    ['battery', { onBattery: true }, {}, { onBattery: false }],
    ['metered', { metered: true }, {}, { onMetered: false }],
    ['schedule', {}, { schedule: new Array<boolean>(weekHours).fill(false) }, { schedule: null }],
  ])('pauses for %s, and not when the owner allows it', (reason, facts, limits, allowing) => {
    const { keeper, reasons, facts: tell, allow } = scene(limits)
    tell(facts)
    expect(reasons()).toEqual([reason])
    allow(allowing)
    expect(reasons()).toEqual([])
    allow({ ...limits, ...defaultLimits, ...limits })
    expect(keeper.state.value.reasons).toEqual([reason])
  })

  it('on the practice network only gives way to other programs, unless the owner wants all rules there', () => {
    const { reasons, facts, allow } = scene({ practice: true })
    facts({ onBattery: true, gpuTemperatureC: 90, gpuPrograms: [game] })
    expect(reasons()).toEqual(['game'])
    allow({ onPractice: true })
    expect(reasons()).toEqual(['thermal', 'game', 'battery'])
  })

  it('goes on by the clock alone: a minute after a game, and when the schedule says so', () => {
    const schedule = Array.from({ length: weekHours }, (_, hour) => hour !== 2 * 24 + 14)
    const { reasons, facts } = scene({ schedule })
    facts({ gpuPrograms: [game] })
    facts({ gpuPrograms: [] })
    expect(reasons()).toEqual(['game', 'schedule'])
    vi.advanceTimersByTime(59_000)
    expect(reasons()).toEqual(['game', 'schedule'])
    vi.advanceTimersByTime(2_000)
    expect(reasons()).toEqual(['schedule'])
    vi.advanceTimersByTime(29 * 60_000)
    expect(reasons()).toEqual([])
  })

  it('pauses by the clock while the last hours cost more than they earned, if the owner wants that', () => {
    let hours: LastHours = { pauses: true, balance: null, currency: 'EUR' }
    const { keeper, reasons } = scene({ lastHours: () => hours })
    const net = (netMicros: number) => ({ balance: { netMicros, costMicros: 100_000, measuredMs: 3_600_000 } })
    const later = (next: Partial<LastHours>): readonly string[] => {
      hours = { ...hours, ...next }
      vi.advanceTimersByTime(1_000)
      return reasons()
    }
    expect(reasons()).toEqual([])
    expect(later(net(0))).toEqual([])
    expect(later(net(-50_000))).toEqual(['not-paying'])
    expect(keeper.state.value.loss).toEqual({ micros: 50_000, currency: 'EUR' })
    expect(later({ pauses: false })).toEqual([])
    expect(keeper.state.value.loss).toBeUndefined()
    later({ pauses: true })
    keeper.anyway()
    expect(reasons()).toEqual([])
  })

  it('passes over what the owner passed over, until it ends, and never over a battery or heat', () => {
    const { keeper, reasons, facts } = scene()
    facts({ gpuPrograms: [trainer], onBattery: true })
    keeper.anyway()
    expect(keeper.state.value).toMatchObject({ reasons: ['battery'], allowed: ['other-app'] })
    facts({ onBattery: false })
    expect(reasons()).toEqual([])
    // It ends, and comes again: that is another one.
    facts({ gpuPrograms: [] })
    expect(keeper.state.value.allowed).toEqual([])
    facts({ gpuPrograms: [trainer] })
    expect(reasons()).toEqual(['other-app'])
    // What comes in between is not passed over.
    keeper.anyway()
    facts({ gpuPrograms: [trainer, game] })
    expect(keeper.state.value).toMatchObject({ reasons: ['game'], allowed: ['other-app'], program: 'game.exe' })
  })
})

describe('the words of a pause', () => {
  const role: EarnRole = {
    network: 'local',
    engine: { status: 'ready', model: 'm', contextTokens: 1, backend: 'cpu' },
    link: { status: 'lost' },
    paused: false,
    running: 0,
    settleFeeEstimate: 0n,
  }
  const text = (pause: Partial<NonNullable<EarnRole['pause']>>, more: Partial<EarnRole> = {}) =>
    earnStatus(
      { ...role, pause: { reasons: [], program: null, temperatureC: null, limits: defaultLimits, ...pause }, ...more },
      undefined,
      start.getTime(),
    )
  const free = Array.from({ length: weekHours }, (_, hour) => hour % 24 >= 23)
  const weekend = Array.from({ length: weekHours }, (_, hour) => hour >= 5 * 24)
  const never = new Array<boolean>(weekHours).fill(false)

  it.each([
    [{ reasons: ['thermal'], temperatureC: 81.4 } as const, 'Cooling', 'Cooling down, 81 °C', 'Goes on at 72 °C', false],
    [{ reasons: ['game', 'battery'], program: 'Doom' } as const, 'Paused', 'Paused while Doom runs', '60 seconds', false],
    [{ reasons: ['game'], program: 'Doom' } as const, 'Paused', 'Paused while Doom runs', '60 seconds', true],
    [{ reasons: ['other-app'], program: 'x' } as const, 'Paused', 'Paused while x uses the GPU', 'less than 20%', true],
    [{ reasons: ['user-active'] } as const, 'Paused', 'Paused while you use the computer', '5 quiet minutes', true],
    [{ reasons: ['battery'] } as const, 'Paused', 'Paused on battery', 'plugged in', false],
    [{ reasons: ['metered'] } as const, 'Paused', 'Paused on a metered connection', 'not paid by volume', false],
    [
      { reasons: ['not-paying'], loss: { micros: 50_000, currency: 'USD' } } as const,
      ...(['Paused', 'Paused, it does not pay now', 'The last 3 hours cost $0.05 more than they earned.', true] as const),
    ],
    [
      { reasons: ['not-paying'], loss: { micros: 212, currency: 'USD' } } as const,
      ...(['Paused', 'Paused, it does not pay now', 'The last 3 hours cost $0.0002 more', true] as const),
    ],
    [
      { reasons: ['schedule'], limits: { ...defaultLimits, schedule: free } } as const,
      ...(['Paused', 'Off by your schedule until 23:00', 'by itself', true] as const),
    ],
    [
      { reasons: ['schedule'], limits: { ...defaultLimits, schedule: weekend } } as const,
      ...(['Paused', 'Off by your schedule until Saturday, 00:00', 'by itself', true] as const),
    ],
    [
      { reasons: ['schedule'], limits: { ...defaultLimits, schedule: never } } as const,
      ...(['Paused', 'Off by your schedule', 'allows no hour', true] as const),
    ],
  ])('%o', (pause, tile, title, line, canPassOver) => {
    const said = text(pause)
    expect(said).toMatchObject({ status: 'paused', tile, title, pause: { reasons: pause.reasons, canPassOver } })
    expect(said.line).toContain(line)
    expect(said.titleWords?.code).toMatch(new RegExp(`^pause-${pause.reasons[0]}(-day|-never)?$`))
  })

  it('come after a pause by the user and before everything that is on its way', () => {
    expect(text({ reasons: ['battery'] }, { paused: true })).toMatchObject({ title: 'Paused by you' })
    expect(text({ reasons: [] })).toMatchObject({ status: 'offline' })
  })
})
