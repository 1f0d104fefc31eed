import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import type { GpuProcess, GpuWatch } from '../hardware/gpu-reading.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { openSettings } from '../storage/settings.ts'
import { openAppLimits } from './app-limits.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('takes no process of its own window, and no engine of its own, for a game', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'app-limits-'))
  const drawing = (pid: number, name: string): GpuProcess => ({
    ...{ pid, name, pciId: null, draws: true, utilisationPercent: 90, memoryBytes: null },
  })
  const others = { pids: [2 ** 30 + 2], release: async () => undefined, rest: () => undefined, setIdleUnload: () => undefined }
  let processes = [drawing(process.pid, 'node'), drawing(2 ** 30, 'Cocoon'), drawing(2 ** 30 + 2, 'engine')]
  let shellPids: ReadonlySet<number> = new Set([2 ** 30])
  const gpus: GpuWatch = { read: () => [], processes: () => processes, close: () => undefined }
  const limits = openAppLimits({
    engine: new LocalEngine({ entryPath: 'none' }),
    others,
    network: { worker: new Signal(null), chainKind: 'local', setPaused: () => undefined },
    external: new Signal(null),
    settings: openSettings(join(folder, 'settings.json'), { logger }),
    gpus: () => gpus,
    shellPids: () => shellPids,
    sources: { onBattery: () => null, metered: async () => null, session: async () => ({ idleMs: null, locked: null }) },
    logger,
  })
  onTestFinished(() => {
    limits.close()
    rmSync(folder, { recursive: true })
  })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(limits.view()).toMatchObject({ pausing: [], gpu: { known: true, program: null } })
  // The process that draws was started anew, and another program has its old number.
  shellPids = new Set([2 ** 30 + 1])
  processes = [drawing(2 ** 30, 'game'), drawing(2 ** 30 + 1, 'Cocoon')]
  await vi.advanceTimersByTimeAsync(5_000)
  expect(limits.view()).toMatchObject({ pausing: ['game'], gpu: { program: 'game' } })
})
