import { readFileSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Telemetry } from '../../preload/api/system.ts'
import { pause } from '../base/pause.ts'
import { watchApple } from './apple-watch.ts'
import { type CpuTimes, cpuPercent, readCpuTimes } from './cpu-load.ts'
import { type GpuReading, type GpuWatch, joinWatches } from './gpu-reading.ts'
import { watchNvidia } from './nvidia-watch.ts'
import { listFolder, readNumber, readText } from './sysfs.ts'
import { watchSysfs } from './sysfs-watch.ts'
import { fillFrom, watchWindows } from './windows-watch.ts'

export interface TelemetrySources {
  readonly cpuTimes: () => CpuTimes
  readonly memoryUsedBytes: () => number
  readonly cpuTemperatureC: () => number | null
  /** Opened once for a reader and closed with it. */
  readonly gpus: () => GpuWatch
  readonly now: () => number
}

/** Memory that programs hold: on Linux without the file cache, which gives way. */
function memoryUsedBytes(): number {
  if (process.platform === 'linux') {
    const available = readFileSync('/proc/meminfo', 'utf8').match(/^MemAvailable: +(\d+) kB$/m)?.[1]
    if (available) return Math.max(0, totalmem() - Number(available) * 1024)
  }
  return totalmem() - freemem()
}

/** Hottest sensor of the processor package in sysfs; null where there is none. */
export function cpuTemperatureC(root = '/sys/class/hwmon'): number | null {
  const values = listFolder(root)
    .filter((chip) => /^(coretemp|k10temp|zenpower|cpu_thermal)$/.test(readText(join(root, chip, 'name')) ?? ''))
    .map((chip) => readNumber(join(root, chip, 'temp1_input'), 1000))
    .filter((value) => value !== null)
  return values.length > 0 ? Math.max(...values) : null
}

/** The cards of this computer by every source that its system has. @param ourPids processes of this app */
export function openGpuWatch(ourPids: () => ReadonlySet<number>, platform = process.platform): GpuWatch {
  const watches: GpuWatch[] = []
  if (platform === 'win32') return fillFrom(watchNvidia({ ourPids }), watchWindows({ ourPids }))
  if (platform !== 'darwin') watches.push(watchNvidia({ ourPids }))
  if (platform === 'linux') watches.push(watchSysfs({ ourPids }))
  if (platform === 'darwin') watches.push(watchApple({}))
  return joinWatches(watches)
}

/** One watch for all who look: opened by the first, closed by the last. */
export function sharedWatch(open: () => GpuWatch): () => GpuWatch {
  let shared: GpuWatch | undefined
  let readers = 0
  return () => {
    shared ??= open()
    readers++
    const mine = shared
    let closed = false
    return {
      read: () => mine.read(),
      processes: () => mine.processes(),
      close: () => {
        if (closed) return
        closed = true
        readers--
        if (readers > 0) return
        shared = undefined
        mine.close()
      },
    }
  }
}

export function systemTelemetry(gpus: () => GpuWatch = () => openGpuWatch(() => new Set([process.pid]))): TelemetrySources {
  return {
    cpuTimes: readCpuTimes,
    memoryUsedBytes,
    cpuTemperatureC: () => (process.platform === 'linux' ? cpuTemperatureC() : null),
    gpus,
    now: Date.now,
  }
}

function told(reading: GpuReading): Telemetry['gpus'][number] {
  const { name, utilisationPercent, memoryUsedBytes: used, memoryTotalBytes, memoryOursBytes, temperatureC, powerW } = reading
  const { powerLimitW, clockMHz, throttling } = reading
  const values = { name, utilisationPercent, memoryUsedBytes: used, memoryTotalBytes, memoryOursBytes }
  return { ...values, temperatureC, powerW, powerLimitW, clockMHz, throttling }
}

/** Live values, one a second, read only while somebody takes them from the iterable. */
export async function* readTelemetry(
  signal: AbortSignal,
  sources: TelemetrySources = systemTelemetry(),
  intervalMs = 1000,
): AsyncGenerator<Telemetry> {
  const gpus = sources.gpus()
  try {
    let before = sources.cpuTimes()
    // The first reading covers a short span, so that a screen does not stay empty for a whole interval.
    await pause(Math.min(200, intervalMs), signal)
    while (!signal.aborted) {
      const times = sources.cpuTimes()
      yield {
        atMs: sources.now(),
        cpuPercent: cpuPercent(before, times),
        memoryUsedBytes: sources.memoryUsedBytes(),
        cpuTemperatureC: sources.cpuTemperatureC(),
        gpus: gpus.read().map(told),
      }
      before = times
      await pause(intervalMs, signal)
    }
  } finally {
    gpus.close()
  }
}
