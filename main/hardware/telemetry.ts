import { readdirSync, readFileSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Telemetry } from '../../preload/api/system.ts'
import { pause } from '../base/pause.ts'
import { type CpuTimes, cpuPercent, readCpuTimes } from './cpu-load.ts'
import { type NvidiaGpu, queryNvidia } from './nvidia-smi.ts'

export interface TelemetrySources {
  readonly cpuTimes: () => CpuTimes
  readonly memoryUsedBytes: () => number
  readonly cpuTemperatureC: () => number | null
  readonly gpus: () => Promise<NvidiaGpu[]>
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
  const read = (path: string): string | null => {
    try {
      return readFileSync(path, 'utf8').trim()
    } catch {
      // A sensor that cannot be read is a sensor that is not there.
      return null
    }
  }
  let chips: string[]
  try {
    chips = readdirSync(root)
  } catch {
    return null
  }
  const values = chips
    .filter((chip) => /^(coretemp|k10temp|zenpower|cpu_thermal)$/.test(read(join(root, chip, 'name')) ?? ''))
    .map((chip) => Number(read(join(root, chip, 'temp1_input')) ?? Number.NaN) / 1000)
    .filter((value) => Number.isFinite(value))
  return values.length > 0 ? Math.max(...values) : null
}

export const systemTelemetry: TelemetrySources = {
  cpuTimes: readCpuTimes,
  memoryUsedBytes,
  cpuTemperatureC: () => (process.platform === 'linux' ? cpuTemperatureC() : null),
  gpus: () => queryNvidia(),
  now: Date.now,
}

/**
 * Live values, one a second, read only while somebody takes them from the iterable. Without an NVIDIA card at the first look no GPU is
 * asked again by this reader, so that computers without one do not start a process every second.
 */
export async function* readTelemetry(
  signal: AbortSignal,
  sources: TelemetrySources = systemTelemetry,
  intervalMs = 1000,
): AsyncGenerator<Telemetry> {
  let before = sources.cpuTimes()
  let hasGpu = true
  // The first reading covers a short span, so that a screen does not stay empty for a whole interval.
  await pause(Math.min(200, intervalMs), signal)
  while (!signal.aborted) {
    const gpus: NvidiaGpu[] = hasGpu ? await sources.gpus().catch(() => []) : []
    hasGpu = gpus.length > 0
    const times = sources.cpuTimes()
    yield {
      atMs: sources.now(),
      cpuPercent: cpuPercent(before, times),
      memoryUsedBytes: sources.memoryUsedBytes(),
      cpuTemperatureC: sources.cpuTemperatureC(),
      gpus: gpus.map(({ name, utilisationPercent, memoryUsedBytes: used, temperatureC, powerW }) => ({
        name,
        utilisationPercent,
        memoryUsedBytes: used,
        temperatureC,
        powerW,
      })),
    }
    before = times
    await pause(intervalMs, signal)
  }
}
