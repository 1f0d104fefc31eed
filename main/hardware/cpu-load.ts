import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Busy and total CPU time since the machine started, in any one unit. */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user. */
export function parseProcStat(text: string): CpuTimes | null {
  const fields = text
    .match(/^cpu +(.+)$/m)?.[1]
    ?.split(' ')
    .map(Number)
  if (!fields || fields.length < 4 || fields.some(Number.isNaN)) return null
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields
  const busy = user + nice + system + irq + softirq + steal
  return { busy, total: busy + idle + iowait }
}

export function readCpuTimes(): CpuTimes {
  if (process.platform === 'linux') {
    const times = parseProcStat(readFileSync('/proc/stat', 'utf8'))
    if (times) return times
  }
  let busy = 0
  let idle = 0
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq
    idle += times.idle
  }
  return { busy, total: busy + idle }
}

/** Share of time between two readings that the CPU was busy; null when no time passed. */
export function cpuPercent(before: CpuTimes, now: CpuTimes): number | null {
  const total = now.total - before.total
  if (total <= 0) return null
  return Math.min(100, Math.max(0, ((now.busy - before.busy) / total) * 100))
}
