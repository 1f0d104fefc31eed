import type { Limits, PauseReason } from '../../preload/api/limits.ts'
import type { Words } from '../base/failure.ts'
import type { PauseState } from './pause-keeper.ts'
import { canPassOver, coolerByC, givingWay } from './pause-rule.ts'
import { nextAllowedMs } from './schedule.ts'

/** What pauses serving, and the limits that it was judged by. */
export type LimitPause = Pick<PauseState, 'reasons' | 'program' | 'temperatureC' | 'loss'> & {
  readonly limits: Limits
  /** The engine of another program that serves: its memory is not this app's to free. */
  readonly servedBy?: string | undefined
}

/** Title and line of a pause by the owner's limits (ui.md §5.2). The first reason is the title; the page names the others. */
export function pausedByLimits(pause: LimitPause, nowMs: number) {
  const [first = 'schedule'] = pause.reasons
  const { title, line, values, variant = '' } = said(first, pause, nowMs)
  const words = (code: string): Words => ({ code, ...(values && { values }) })
  return {
    status: 'paused' as const,
    tile: first === 'thermal' ? 'Cooling' : 'Paused',
    title,
    titleWords: words(`pause-${first}${variant}`),
    ...lineOf(first, pause.servedBy, {
      line,
      lineWords: words(`pause-${first}${variant === unnamed ? '' : variant}-line`),
    }),
    pause: { reasons: [...pause.reasons], canPassOver: pause.reasons.every((reason) => canPassOver.has(reason)) },
  }
}

/** Where an engine of another program serves, it gets no new request, and nothing is freed. */
function lineOf(reason: PauseReason, servedBy: string | undefined, usual: { line: string; lineWords: Words }): typeof usual {
  if (servedBy === undefined || !givingWay.has(reason)) return usual
  const when =
    reason === 'game'
      ? 'Starts again by itself 60 seconds after you quit, or when it takes next to nothing so long.'
      : 'Starts again when it needs less than 20%.'
  return {
    line: `${when} ${servedBy} gets no new request; what it holds of the GPU is not this app's to free.`,
    lineWords: { code: `pause-${reason}-external-line`, values: { engine: servedBy } },
  }
}

interface Said {
  readonly title: string
  readonly line: string
  readonly values?: Words['values']
  /** Of the words, where a part of the sentence is missing. */
  readonly variant?: string
}

const unnamed = '-unnamed'

function said(reason: PauseReason, pause: LimitPause, nowMs: number): Said {
  const named = pause.program ? { values: { program: pause.program } } : { variant: unnamed }
  const program = pause.program || 'another program'
  const { temperatureC: limit, schedule } = pause.limits
  switch (reason) {
    case 'thermal': {
      const now = Math.round(pause.temperatureC ?? limit)
      return {
        title: `Cooling down, ${now} °C`,
        line: `Paused at your ${limit} °C limit. Goes on at ${limit - coolerByC} °C.`,
        values: { now, limit, goesOn: limit - coolerByC },
      }
    }
    case 'game':
      return {
        title: `Paused while ${program} runs`,
        line: 'Starts again by itself 60 seconds after you quit, or when it takes next to nothing so long. Your GPU is free for the game.',
        ...named,
      }
    case 'other-app':
      return {
        title: `Paused while ${program} uses the GPU`,
        line: 'Starts again when it needs less than 20%.',
        ...named,
      }
    case 'user-active':
      return { title: 'Paused while you use the computer', line: 'Starts again after 5 quiet minutes.' }
    case 'battery':
      return { title: 'Paused on battery', line: 'Starts again when plugged in.' }
    case 'metered':
      return { title: 'Paused on a metered connection', line: 'Starts again on a connection that is not paid by volume.' }
    case 'schedule': {
      const untilMs = schedule === null ? null : nextAllowedMs(schedule, nowMs)
      return untilMs === null
        ? { title: 'Off by your schedule', line: 'It allows no hour of the week.', variant: '-never' }
        : offUntil(untilMs, nowMs)
    }
    case 'not-paying':
      return notPaying(pause.loss)
  }
}

function notPaying(loss: LimitPause['loss']): Said {
  const title = 'Paused, it does not pay now'
  if (loss === undefined) return { title, line: 'The last 3 hours cost more than they earned.' }
  const { micros: lossMicros, currency } = loss
  const amount = new Intl.NumberFormat('en', {
    ...{ style: 'currency', currency, currencyDisplay: 'narrowSymbol' },
    ...(lossMicros < 10_000 && { minimumFractionDigits: 4 }),
  }).format(lossMicros / 1_000_000)
  return { title, line: `The last 3 hours cost ${amount} more than they earned.`, values: { lossMicros, currency } }
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const
const dayMs = 24 * 60 * 60_000

/** A time of the clock that comes within a day needs no name of its day. */
function offUntil(untilMs: number, nowMs: number): Said {
  const at = new Date(untilMs)
  const until = [at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':')
  const line = 'Starts again by itself.'
  if (untilMs - nowMs < dayMs) return { title: `Off by your schedule until ${until}`, line, values: { until } }
  const day = days[at.getDay()] ?? 'Sunday'
  return { title: `Off by your schedule until ${day}, ${until}`, line, values: { until, day }, variant: '-day' }
}
