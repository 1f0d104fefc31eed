import { execFile } from 'node:child_process'
import { type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'

/** Runs a program and gives what it wrote, in no language of the user; null when it cannot be run or fails. */
export type RunOnce = (command: string, args: readonly string[]) => Promise<string | null>

export const runOnce: RunOnce = (command, args) =>
  new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C' }
    execFile(command, [...args], { timeout: 3000, windowsHide: true, maxBuffer: 1 << 20, env }, (error, stdout) =>
      resolve(error ? null : stdout),
    )
  })

/** Reads what `ioreg -r -d 1 -w 0 -c IOAccelerator` says of the GPU: its statistics as `"Device Utilization %"=12` and the like. */
export function parseIoreg(text: string): GpuReading[] {
  const parts = text.slice(0, 1_000_000).split(/^\+-o /m)
  return parts.flatMap((part) => {
    const statistics = /"PerformanceStatistics" = \{([^}]*)\}/.exec(part)?.[1]
    if (statistics === undefined) return []
    const number = (key: string): number | null => {
      const found = new RegExp(`"${key}"=(\\d{1,15})(?:,|$)`).exec(statistics)?.[1]
      return found === undefined ? null : Number(found)
    }
    return [
      {
        ...unknownReading,
        name: /"model" = "([^"]{1,100})"/.exec(part)?.[1] ?? 'Apple GPU',
        vendor: 'apple',
        utilisationPercent: number('Device Utilization %'),
        memoryUsedBytes: number('In use system memory'),
      },
    ]
  })
}

/** The GPU of a Mac. It has no memory of its own, and its system tells neither temperature nor power to programs without rights. */
export function watchApple({ run = runOnce, intervalMs = 2000 }: { run?: RunOnce; intervalMs?: number }): GpuWatch {
  let readings: readonly GpuReading[] = []
  let asking = false
  const ask = async (): Promise<void> => {
    if (asking) return
    asking = true
    const text = await run('ioreg', ['-r', '-d', '1', '-w', '0', '-c', 'IOAccelerator'])
    readings = text === null ? [] : parseIoreg(text)
    asking = false
  }
  void ask()
  const timer = setInterval(() => void ask(), intervalMs)
  timer.unref()
  return { read: () => readings, processes: () => null, close: () => clearInterval(timer) }
}
