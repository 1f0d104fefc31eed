import { describe, expect, it } from 'vitest'
import { defaultLimits, pauseReasons } from '../../preload/api/limits.ts'
import { noMemory, type PauseFacts, type PauseLimits, type PauseMemory, pauseOf } from './pause-rule.ts'

const nothing: PauseFacts = {
  ...{ gpuTemperatureC: null, gpuPrograms: null, idleMs: null, locked: null, onBattery: null, metered: null },
  lastHours: null,
}
/** Of half an hour that cost 1. */
const left = (share: number) => ({ netMicros: share * 1_000_000, costMicros: 1_000_000, measuredMs: 30 * 60_000 })
const everything: PauseLimits = { ...defaultLimits, whileUsed: true, whenNotPaying: true }
/** A Wednesday, 14:30. */
const at = new Date(2026, 10, 25, 14, 30)
const later = (ms: number): Date => new Date(at.getTime() + ms)
const program = (name: string, utilisationPercent: number | null, draws = true) => ({ name, utilisationPercent, draws })
const game = [program('Xorg', 3), program('game.exe', 92)]
/** What the rule says of facts that have lasted so long. */
const lasting = (facts: Partial<PauseFacts>, ms = 2_000, limits = everything) => {
  const { memory } = pauseOf({ ...nothing, ...facts }, limits, noMemory, later(-ms))
  return pauseOf({ ...nothing, ...facts }, limits, memory, at)
}
const reasons = (facts: Partial<PauseFacts>, limits = everything, memory: PauseMemory = noMemory, when = at) =>
  pauseOf({ ...nothing, ...facts }, limits, memory, when).reasons

describe('every row of the table', () => {
  const night = Array.from({ length: 168 }, (_, hour) => hour % 24 >= 23 || hour % 24 < 7)
  it.each<[string, Partial<PauseFacts>, Partial<PauseLimits>, readonly string[]]>([
    ['nothing is known', {}, {}, []],
    [
      'all is quiet',
      { gpuTemperatureC: 60, gpuPrograms: [], idleMs: 1e9, onBattery: false, metered: false, lastHours: left(0.1) },
      {},
      [],
    ],
    ['as hot as the limit', { gpuTemperatureC: 80 }, {}, ['thermal']],
    ['a degree cooler', { gpuTemperatureC: 79 }, {}, []],
    ['a game', { gpuPrograms: game }, {}, ['game']],
    ['a game that is allowed', { gpuPrograms: game }, { forGames: false, forOtherApps: false }, []],
    ['a game that is allowed still is another program', { gpuPrograms: game }, { forGames: false }, ['other-app']],
    ['a desktop that draws a little', { gpuPrograms: [program('Xorg', 15)] }, {}, []],
    ['a program that computes', { gpuPrograms: [program('blender', 20, false)] }, {}, ['other-app']],
    ['a program that computes little', { gpuPrograms: [program('blender', 19, false)] }, {}, []],
    ['a program of unknown load', { gpuPrograms: [program('x', null)] }, {}, []],
    ['the user is there', { idleMs: 299_999 }, {}, ['user-active']],
    ['five quiet minutes', { idleMs: 300_000 }, {}, []],
    ['the screen is locked', { idleMs: 0, locked: true }, {}, []],
    ['the user is there and minds not', { idleMs: 0 }, { whileUsed: false }, []],
    ['on battery', { onBattery: true }, {}, ['battery']],
    ['on battery, allowed', { onBattery: true }, { onBattery: false }, []],
    ['a connection paid by volume', { metered: true }, {}, ['metered']],
    ['a connection paid by volume, allowed', { metered: true }, { onMetered: false }, []],
    ['outside the schedule', {}, { schedule: night }, ['schedule']],
    ['it does not pay', { lastHours: left(-0.1) }, {}, ['not-paying']],
    ['a little is missing', { lastHours: left(-0.09) }, {}, []],
    ['little was answered yet', { lastHours: { ...left(-1), measuredMs: 29 * 60_000 } }, {}, []],
    ['it does not pay, allowed', { lastHours: left(-0.1) }, { whenNotPaying: false }, []],
  ])('%s', (_, facts, limits, expected) => {
    expect(lasting(facts, 2_000, { ...everything, ...limits }).reasons).toEqual(expected)
  })

  it('tells all that hold in the order of the table, the first for the title', () => {
    const facts = { gpuTemperatureC: 90, idleMs: 0, onBattery: true, metered: true, lastHours: left(-1) }
    const programs = { gpuPrograms: [...game, program('trainer', 40, false)] }
    const limits = { ...everything, schedule: new Array<boolean>(168).fill(false) }
    expect(lasting({ ...facts, ...programs }, 2_000, limits).reasons).toEqual([...pauseReasons])
  })
})

describe('what holds on', () => {
  it('goes on only when it is eight degrees cooler', () => {
    let memory = noMemory
    const seen = [70, 81, 79, 73, 72, 79].map((gpuTemperatureC) => {
      const pause = pauseOf({ ...nothing, gpuTemperatureC }, everything, memory, at)
      memory = pause.memory
      return pause.reasons.length > 0
    })
    expect(seen).toEqual([false, true, true, true, false, false])
  })

  it('goes on when nothing is missing any more, after it did not pay', () => {
    let memory = noMemory
    const little = { ...left(-0.01), measuredMs: 60_000 }
    const seen = [little, left(-1), little, left(0), little].map((lastHours) => {
      const pause = pauseOf({ ...nothing, lastHours }, everything, memory, at)
      memory = pause.memory
      return pause.reasons
    })
    expect(seen).toEqual([[], ['not-paying'], ['not-paying'], [], []])
  })

  it('waits a minute after a game ended, or takes next to nothing', () => {
    const first = lasting({ gpuPrograms: game })
    expect(first.program).toBe('game.exe')
    const menu = pauseOf({ ...nothing, gpuPrograms: [program('game.exe', 5)] }, everything, first.memory, later(600_000))
    expect(menu.reasons).toEqual(['game'])
    for (const gpuPrograms of [[], [program('game.exe', 4)]]) {
      const quit = pauseOf({ ...nothing, gpuPrograms }, everything, menu.memory, later(659_000))
      expect(quit).toMatchObject({ reasons: ['game'], program: 'game.exe' })
      expect(reasons({ gpuPrograms }, everything, quit.memory, later(660_000))).toEqual([])
    }
  })

  it('takes nothing for a game or another app that was above its share for a moment', () => {
    const trainer = program('trainer', 60, false)
    for (const one of [program('game.exe', 90), trainer]) {
      const peak = pauseOf({ ...nothing, gpuPrograms: [one] }, everything, noMemory, at)
      const soon = pauseOf({ ...nothing, gpuPrograms: [one] }, everything, peak.memory, later(800))
      const between = pauseOf({ ...nothing, gpuPrograms: [program(one.name, 1)] }, everything, soon.memory, later(1_000))
      const again = pauseOf({ ...nothing, gpuPrograms: [one] }, everything, between.memory, later(2_000))
      expect([peak, soon, between, again].map((pause) => pause.reasons)).toEqual([[], [], [], []])
      expect(reasons({ gpuPrograms: [one] }, everything, again.memory, later(2_900))).toHaveLength(1)
    }
  })

  it('is neither held nor kept away by a clock that is set back', () => {
    const hour = 3_600_000
    const playing = lasting({ gpuPrograms: game })
    const back = pauseOf({ ...nothing, gpuPrograms: [] }, everything, playing.memory, later(-hour))
    expect(back.reasons).toEqual(['game'])
    expect(pauseOf({ ...nothing, gpuPrograms: [] }, everything, back.memory, later(-hour + 60_000)).reasons).toEqual([])
    const computing = { ...nothing, gpuPrograms: [program('blender', 50, false)] }
    const begun = pauseOf(computing, everything, noMemory, at)
    const set = pauseOf(computing, everything, begun.memory, later(-hour))
    expect(pauseOf(computing, everything, set.memory, later(-hour + 1_000)).reasons).toEqual(['other-app'])
  })

  it('forgets a game when the owner allows games', () => {
    const first = lasting({ gpuPrograms: game })
    expect(first.reasons).toEqual(['game'])
    expect(reasons({ gpuPrograms: [] }, { ...everything, forGames: false }, first.memory, later(1000))).toEqual([])
  })
})

describe('programs that every computer with a screen has', () => {
  it.each(['dwm.exe', 'dwm', 'csrss', '/usr/lib/xorg/Xorg', 'Xwayland', 'gnome-shell', 'kwin_wayland', 'plasmashell'])(
    '%s never needs the card for itself',
    (name) => expect(lasting({ gpuPrograms: [program(name, 99)] }, 3_600_000).reasons).toEqual([]),
  )

  it.each(['chrome --type=gpu-process', 'firefox', 'C:\\Program Files\\Edge\\msedge.exe', 'chromium-browse', 'Isolated Web Co'])(
    '%s is no game, and another app only when it goes on',
    (name) => {
      const gpuPrograms = [program(name, 90)]
      expect(lasting({ gpuPrograms }, 9_000).reasons).toEqual([])
      expect(lasting({ gpuPrograms }, 10_000).reasons).toEqual(['other-app'])
    },
  )

  it.each(['dwmgame.exe', 'Xorg racing', 'chromeworld'])('%s is any other', (name) =>
    expect(lasting({ gpuPrograms: [program(name, 90)] }).reasons).toEqual(['game']),
  )
})
