import { hourOfWeek, type PauseReason, pauseReasons } from '../../preload/api/limits.ts'
import { programKind } from './desktop-programs.ts'
import type { Balance } from './net.ts'

/** What of a computer counts for the rule; null is what it does not tell, and never pauses. */
export interface PauseFacts {
  readonly gpuTemperatureC: number | null
  /** Programs of others on the GPU. */
  readonly gpuPrograms:
    | readonly { readonly name: string; readonly draws: boolean; readonly utilisationPercent: number | null }[]
    | null
  readonly idleMs: number | null
  readonly locked: boolean | null
  readonly onBattery: boolean | null
  readonly metered: boolean | null
  /** Of the requests of the last hours that have ended. */
  readonly lastHours: Balance | null
}

/** What the owner allows. */
export interface PauseLimits {
  /** The card pauses here and goes on 8 °C below. */
  readonly temperatureC: number
  readonly forGames: boolean
  readonly forOtherApps: boolean
  readonly whileUsed: boolean
  readonly onBattery: boolean
  readonly onMetered: boolean
  /** 168 hours of the week from Monday 0 o'clock, local time: true = may earn. Null: always. */
  readonly schedule: readonly boolean[] | null
  readonly whenNotPaying: boolean
}

/**
 * For these another program needs the graphics card, and is given its memory whatever the network is. The others only concern earning.
 */
export const givingWay: ReadonlySet<PauseReason> = new Set(['game', 'other-app'])

/** What the owner may pass over ("Earn anyway"): never what the hardware or a bill would suffer from. */
export const canPassOver: ReadonlySet<PauseReason> = new Set(['game', 'other-app', 'user-active', 'schedule', 'not-paying'])

/** What the rule has to remember between two looks: a reason holds on for a while after its cause is gone. */
export interface PauseMemory {
  readonly hot: boolean
  readonly game: { readonly name: string; readonly lastMs: number } | null
  /** Programs above the share of a game or of another app, and since when without a break. */
  readonly busy: readonly { readonly name: string; readonly as: 'game' | 'app'; readonly sinceMs: number }[]
  readonly notPaying: boolean
}

export const noMemory: PauseMemory = { hot: false, game: null, busy: [], notPaying: false }

export interface Pause {
  readonly reasons: readonly PauseReason[]
  /** Of the program that is meant by `game` or `other-app`. */
  readonly program: string | null
  readonly memory: PauseMemory
}

/** A card that was too hot goes on when it is so much cooler. */
export const coolerByC = 8
const afterGameMs = 60_000
const quietMs = 5 * 60_000
/** Another program counts from this share of the GPU, and until it falls below. */
const appPercent = 20
/** What draws more than a desktop does is taken for a game. */
const gamePercent = 30
/** A game that takes less has ended, or stands still. */
const stillPercent = 5
/** One telling of the driver, each second, is no proof: any program draws for a moment. The next one is. */
const steadyMs = 900
/** A page that moves, or a film that begins. */
const browserSteadyMs = 10_000
/** One answer that nobody paid is no loss to stop for: so much answering has to be known first, */
const leastMeasuredMs = 30 * 60_000
/** and so much of its cost has to be missing. */
const leastLossShare = 0.1

/**
 * Whether serving has to wait, and why: every reason that holds, in the order of the table. Nothing but its arguments decides; give the memory of the last
 * look to the next.
 */
export function pauseOf(facts: PauseFacts, limits: PauseLimits, memory: PauseMemory, at: Date): Pause {
  const nowMs = at.getTime()
  const { gpuTemperatureC: heat } = facts
  const hot = heat !== null && (heat >= limits.temperatureC || (memory.hot && heat > limits.temperatureC - coolerByC))
  // A clock that was set back must not make a moment lie ahead, and hold a pause, or keep one away, until it comes.
  const untilNow = (ms = nowMs): number => Math.min(ms, nowMs)
  const share = (program: { utilisationPercent: number | null }): number => program.utilisationPercent ?? 0
  const busiest = (facts.gpuPrograms ?? [])
    .filter(({ name }) => programKind(name) !== 'desktop')
    .toSorted((a, b) => share(b) - share(a))
  const busy = busiest.flatMap((program) => {
    const { name, draws } = program
    const since = (as: 'game' | 'app') => ({
      ...{ name, as },
      sinceMs: untilNow(memory.busy.find((one) => one.name === name && one.as === as)?.sinceMs),
    })
    const isGame = draws && share(program) >= gamePercent && programKind(name) !== 'browser'
    return [...(isGame ? [since('game')] : []), ...(share(program) >= appPercent ? [since('app')] : [])]
  })
  const steady = busy.filter(
    ({ name, sinceMs }) => nowMs - sinceMs >= (programKind(name) === 'browser' ? browserSteadyMs : steadyMs),
  )
  const playing = steady.find(({ as }) => as === 'game')
  const stillPlaying = busiest.find((one) => one.draws && one.name === memory.game?.name && share(one) >= stillPercent)
  const lastGame = memory.game && { ...memory.game, lastMs: untilNow(memory.game.lastMs) }
  const left = lastGame !== null && nowMs - lastGame.lastMs < afterGameMs ? lastGame : null
  const current = playing ?? stillPlaying
  const game = !limits.forGames ? null : current ? { name: current.name, lastMs: nowMs } : left
  const computing = steady.find(({ name, as }) => as === 'app' && name !== game?.name)
  const app = limits.forOtherApps && computing ? computing.name : null
  const used = limits.whileUsed && facts.locked !== true && facts.idleMs !== null && facts.idleMs < quietMs
  const notPaying = limits.whenNotPaying && facts.lastHours !== null && isLoss(facts.lastHours, memory.notPaying)
  const holds: Record<PauseReason, boolean> = {
    thermal: hot,
    game: game !== null,
    'other-app': app !== null,
    'user-active': used,
    battery: limits.onBattery && facts.onBattery === true,
    metered: limits.onMetered && facts.metered === true,
    schedule: limits.schedule !== null && limits.schedule[hourOfWeek(at)] === false,
    'not-paying': notPaying,
  }
  return {
    reasons: pauseReasons.filter((reason) => holds[reason]),
    program: game?.name ?? app,
    memory: { hot, game, busy, notPaying },
  }
}

/** Once it paused, it goes on only when nothing is missing any more: the hours that cost too much have passed. */
function isLoss({ netMicros, costMicros, measuredMs }: Balance, already: boolean): boolean {
  if (netMicros >= 0) return false
  return already || (measuredMs >= leastMeasuredMs && -netMicros >= leastLossShare * costMicros)
}
