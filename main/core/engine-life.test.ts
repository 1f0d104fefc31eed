import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { defaultLimits, type Limits, type PauseReason } from '../../preload/api/limits.ts'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { PauseState } from '../earnings/pause-keeper.ts'
import type { EngineState } from '../inference/engine.ts'
import { openSettings } from '../storage/settings.ts'
import type { Worker } from '../worker/worker.ts'
import { EngineLife } from './engine-life.ts'

const ready: EngineState = { status: 'ready', model: 'm', contextTokens: 1, backend: 'cpu' }
const asleep = (why: 'idle' | 'yielded'): EngineState => ({ status: 'asleep', model: 'm', contextTokens: 1, why })
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What the engine and the network are told, in order; the engine does at once what it is told. */
function scene({
  served = true,
  limits = {},
  beside = false,
}: {
  served?: boolean
  limits?: Partial<Limits>
  /** There are models beside the chosen one. */
  beside?: boolean
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'engine-life-'))
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  settings.change({ limits: { ...defaultLimits, ...limits } })
  const state = new Signal<EngineState>(ready)
  const pauses = new Signal<PauseState>({ reasons: [], allowed: [], program: null, temperatureC: null })
  const worker = new Signal<Worker | null>(served ? ({} as Worker) : null)
  const external = new Signal<object | null>(null)
  const told: string[] = []
  const tell = (text: string): void => void told.push(text)
  const life = new EngineLife({
    engine: {
      state,
      release: async ({ graceMs }) => {
        tell(`release ${graceMs}`)
        state.set(asleep('yielded'))
      },
      resume: async () => {
        tell('resume')
        state.set(ready)
      },
      rest: () => {
        tell('rest')
        if (state.value.status === 'asleep') state.set(asleep('idle'))
      },
      wake: async () => tell('wake'),
      setIdleUnload: (ms) => tell(`idle ${ms / 1000} s`),
    },
    ...(beside && {
      others: {
        release: async ({ graceMs, to = 'other-program' }) => tell(`others release ${graceMs} to ${to}`),
        rest: () => tell('others rest'),
        setIdleUnload: (ms) => tell(`others idle ${ms / 1000} s`),
      },
    }),
    network: { worker, setPaused: (paused) => tell(paused ? 'pause' : 'serve') },
    external,
    settings,
    pauses,
    logger,
  })
  onTestFinished(() => {
    life.close()
    rmSync(folder, { recursive: true })
  })
  return {
    life,
    settings,
    state,
    worker,
    external,
    pause: (...reasons: PauseReason[]) => pauses.update((before) => ({ ...before, reasons })),
    allow: (part: Partial<Limits>) => void settings.change({ limits: { ...settings.value.limits, ...part } }),
    /** What was told since the last look, without what was told already. */
    news: () => told.splice(0).filter((text, index, all) => text !== all[index - 1]),
  }
}

it('keeps a model ready as long as it is offered, and lets it sleep otherwise', () => {
  const { settings, state, worker, news } = scene()
  expect(news()).toEqual(['serve', 'idle 0 s'])
  settings.change({ earningPaused: true })
  expect(news()).toEqual(['pause', 'idle 600 s'])
  state.set(asleep('idle'))
  expect(news()).toEqual(['idle 600 s'])
  settings.change({ earningPaused: false })
  expect(news()).toEqual(['serve', 'idle 0 s', 'wake'])
  state.set(ready)
  news()
  // Nothing is offered without a worker, e.g. on a network that is only read.
  worker.set(null)
  expect(news()).toEqual(['idle 600 s'])
})

it('lets the model sleep while an engine of another program serves, and takes no request in a pause then either', () => {
  const { external, pause, news } = scene()
  news()
  external.set({})
  expect(news()).toEqual(['idle 600 s'])
  pause('game')
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual(['pause', 'release 500'])
  pause()
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual(['serve', 'resume'])
  external.set(null)
  expect(news()).toEqual(['idle 0 s'])
})

it('takes the idle time from the settings, at once', () => {
  const { allow, news } = scene({ served: false, limits: { idleUnloadMinutes: 1 } })
  expect(news()).toEqual(['serve', 'idle 60 s'])
  allow({ idleUnloadMinutes: 0 })
  expect(news()).toEqual(['idle 0 s'])
})

it('for another program takes no new request, then gives the memory away with the grace, and brings the model back', () => {
  const { pause, news } = scene({ limits: { graceMs: 700 } })
  news()
  pause('game')
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual(['pause', 'release 700'])
  pause('game', 'battery')
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual([])
  // The battery only concerns earning.
  pause('battery')
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual(['resume'])
  pause()
  expect(news()).toEqual(['serve', 'idle 0 s'])
})

it('leaves the engine alone for what only concerns earning', () => {
  const { pause, news } = scene()
  news()
  pause('thermal', 'user-active', 'battery', 'metered', 'schedule', 'not-paying')
  expect(news()).toEqual(['pause', 'idle 600 s'])
})

it('does not load for nobody what slept before the other program came', () => {
  const { pause, state, news } = scene({ served: false })
  state.set(asleep('idle'))
  news()
  pause('other-app')
  pause()
  expect(news().filter((text) => !text.startsWith('idle'))).toEqual(['pause', 'release 500', 'serve', 'rest'])
})

it('lets own questions bring the model back where the owner says so, after the memory was given away, and for a minute', async () => {
  const { life, pause, allow, news } = scene()
  pause('game')
  news()
  life.useAnyway()
  // Also while the release waits for its grace: the question that follows is answered.
  expect(news()).toContain('rest')
  // It holds for this program only.
  pause()
  pause('game')
  await settled()
  expect(news()).not.toContain('rest')
  allow({ ownMeanwhile: true })
  await settled()
  expect(news()).toContain('rest')
  allow({ ownMeanwhile: false })
  expect(news()).toContain('release 500')
})

it('does not take back for own questions what was wanted for them no more', async () => {
  const { pause, news } = scene({ limits: { ownMeanwhile: true } })
  pause('game')
  pause()
  await settled()
  expect(news().filter((text) => text === 'rest' || text === 'resume')).toEqual(['resume'])
})

it('treats models beside the chosen one alike, but offers them to nobody: they sleep, and go when the user pauses', async () => {
  const { settings, life, pause, news } = scene({ beside: true, limits: { ownMeanwhile: false, graceMs: 700 } })
  expect(news()).toEqual(['serve', 'idle 0 s', 'others idle 600 s'])
  pause('game')
  expect(news()).toEqual(expect.arrayContaining(['release 700', 'others release 700 to other-program', 'others idle 60 s']))
  await settled()
  expect(news()).toEqual([])
  life.useAnyway()
  expect(news()).toEqual(expect.arrayContaining(['rest', 'others rest']))
  pause()
  expect(news()).toEqual(expect.arrayContaining(['others rest', 'resume', 'others idle 600 s']))
  await settled()
  news()
  settings.change({ earningPaused: true })
  expect(news()).toEqual(expect.arrayContaining(['others release 700 to user']))
  await settled()
  expect(news()).toEqual(['others rest'])
  // Back from the user's pause nothing goes.
  settings.change({ earningPaused: false })
  await settled()
  expect(news().join()).not.toContain('release')
})

it('keeps models beside the chosen one away when a game comes within the grace of the pause', async () => {
  const { settings, pause, news } = scene({ beside: true, limits: { ownMeanwhile: false } })
  settings.change({ earningPaused: true })
  pause('game')
  await settled()
  expect(news()).not.toContain('others rest')
})
