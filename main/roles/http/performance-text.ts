import { performance } from 'node:perf_hooks'

/** What `/perf` tells (protocol 30 §8): how busy this process is, a figure a line. Nothing of requests. */
export function performanceText(): string {
  const { utilization } = performance.eventLoopUtilization()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  const rows: readonly (readonly [string, number])[] = [
    ['uptime_s', process.uptime()],
    ['cpu_user_s', user / 1e6],
    ['cpu_system_s', system / 1e6],
    ['event_loop_utilization', utilization],
    ['memory_resident_bytes', rss],
    ['memory_heap_bytes', heapUsed],
    ['memory_external_bytes', external],
  ]
  return rows.map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toFixed(3)}\n`).join('')
}
