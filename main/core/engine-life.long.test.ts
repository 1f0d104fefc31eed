import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { alive } from '../base/testing/alive.ts'
import type { ConditionSources } from '../hardware/conditions.ts'
import type { GpuProcess, GpuWatch } from '../hardware/gpu-reading.ts'
import type { EngineEvent } from '../inference/engine.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { openSettings } from '../storage/settings.ts'
import type { Worker } from '../worker/worker.ts'
import { openAppLimits } from './app-limits.ts'

const entryPath = fileURLToPath(new URL('../inference/engine-process.ts', import.meta.url))
const game: GpuProcess = { pid: 2 ** 30, name: 'game', pciId: null, draws: true, utilisationPercent: 90, memoryBytes: null }
const silent: ConditionSources = {
  onBattery: () => null,
  metered: async () => null,
  session: async () => ({ idleMs: null, locked: null }),
}

/** From the first time that the cards tell of the game: the looks of the app, the 1.5 s of the rule, the grace, and the end of the process. */
it('the real engine is gone within six seconds of a game, with answers under way, and comes back after it', async ({
  annotate,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-life-'))
  const settings = openSettings(join(folder, 'settings.json'), { logger })
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })
  await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
  let processes: GpuProcess[] | null = []
  const gpus: GpuWatch = { read: () => [], processes: () => processes, close: () => undefined }
  const paused: boolean[] = []
  const network = {
    worker: new Signal<Worker | null>({} as Worker),
    chainKind: 'local' as const,
    setPaused: (now: boolean) => void paused.push(now),
  }
  const limits = openAppLimits({
    engine,
    network,
    external: new Signal(null),
    settings,
    gpus: () => gpus,
    sources: silent,
    logger,
  })
  onTestFinished(async () => {
    limits.close()
    await engine.dispose()
    rmSync(folder, { recursive: true })
  })
  const tookMs: number[] = []
  for (let round = 0; round < 5; round++) {
    const pid = engine.pid ?? expect.fail('no engine process')
    const never = new AbortController().signal
    const ask = async (): Promise<unknown> => {
      let last: EngineEvent | undefined
      for await (last of engine.chat([{ role: 'user', content: 'a long one' }], { maxTokens: 1_900 }, never));
      return last
    }
    const answers = Promise.allSettled([ask(), ask()])
    await vi.waitFor(() => expect(engine.running.value).toBe(2), { timeout: 20_000 })
    const startedMs = performance.now()
    processes = [game]
    await vi.waitFor(() => expect(alive(pid)).toBe(false), { timeout: 20_000, interval: 5 })
    tookMs.push(Math.round(performance.now() - startedMs))
    for (const answer of await answers)
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'engine-yielded', retryable: true } })
    expect([limits.view(), paused.at(-1)]).toMatchObject([{ pausing: ['game'], offered: false, engine: 'yielded' }, true])
    processes = []
    await vi.waitFor(() => expect(limits.view().gpu.program).toBeNull(), { timeout: 20_000 })
    // The minute after a game is not waited for here: who allows games has no memory of any.
    limits.set({ forGames: false })
    limits.set({ forGames: true })
    await vi.waitFor(() => expect(engine.state.value.status).toBe('ready'), { timeout: 60_000 })
    expect(paused.at(-1)).toBe(false)
  }
  await annotate(`the process was gone after ${tookMs.join(', ')} ms`)
  expect(tookMs).toEqual(tookMs.map((ms) => Math.min(ms, 6_000)))
}, 900_000)
