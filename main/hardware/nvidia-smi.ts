import { execFile } from 'node:child_process'
import { z } from 'zod'
import { Failure } from '../base/failure.ts'

/** One NVIDIA GPU as its driver tells it. Unknown is null; a zero is a zero. */
export interface NvidiaGpu {
  readonly name: string
  /** Bytes; the driver counts MiB. */
  readonly memoryBytes: number | null
  readonly memoryUsedBytes: number | null
  readonly driver: string | null
  readonly pciId: string | null
  readonly utilisationPercent: number | null
  readonly temperatureC: number | null
  readonly powerW: number | null
}

const columns = [
  'name',
  'memory.total',
  'memory.used',
  'driver_version',
  'pci.bus_id',
  'utilization.gpu',
  'temperature.gpu',
  'power.draw',
] as const

/** "[N/A]", "[Not Supported]", "N/A" and the like mean unknown. */
export const cell = z.string().transform((value) => (value === '' || value.startsWith('[') || value === 'N/A' ? null : value))
export const numberCell = cell.transform((value, context) => {
  if (value === null) return null
  const parsed = Number(value)
  if (Number.isFinite(parsed) && parsed >= 0) return parsed
  context.addIssue({ code: 'custom', message: 'not a number' })
  return z.NEVER
})
const row = z.tuple([z.string().min(1), numberCell, numberCell, cell, cell, numberCell, numberCell, numberCell])
const mebibyte = 2 ** 20

/**
 * Parses the answer of `nvidia-smi --query-gpu … --format=csv,noheader,nounits`.
 * Throws `Failure<'nvidia-smi-unreadable'>` on anything that is not such a table.
 */
export function parseNvidiaSmi(csv: string): NvidiaGpu[] {
  return csv
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const parsed = row.safeParse(line.split(',').map((cell) => cell.trim()))
      if (!parsed.success)
        throw new Failure('nvidia-smi-unreadable', 'The NVIDIA driver tool answered in a form that is not known here.')
      const [name, total, used, driver, pciId, utilisationPercent, temperatureC, powerW] = parsed.data
      const bytes = (mib: number | null): number | null => (mib === null ? null : Math.round(mib * mebibyte))
      return {
        name,
        memoryBytes: bytes(total),
        memoryUsedBytes: bytes(used),
        driver,
        pciId,
        utilisationPercent,
        temperatureC,
        powerW,
      }
    })
}

/**
 * Asks the NVIDIA driver for its GPUs without blocking. No tool on the PATH, no driver or no card give an empty list: most
 * computers are so. A tool that hangs is ended after `timeoutMs`.
 */
export function queryNvidia({
  command = 'nvidia-smi',
  timeoutMs = 3000,
}: {
  command?: string
  timeoutMs?: number
} = {}): Promise<NvidiaGpu[]> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [`--query-gpu=${columns.join(',')}`, '--format=csv,noheader,nounits'],
      { timeout: timeoutMs, windowsHide: true, maxBuffer: 1 << 20 },
      (error, stdout) => {
        if (error) return resolve([])
        try {
          resolve(parseNvidiaSmi(stdout))
        } catch (thrown) {
          reject(thrown)
        }
      },
    )
  })
}
