import { z } from 'zod'
import type { GpuProcess, GpuReading, GpuWatch } from './gpu-reading.ts'
import { keepRunning, type RunLines } from './line-process.ts'
import { cell, numberCell } from './nvidia-smi.ts'

/** Columns of `nvidia-smi --query-gpu`, as `nvidia-smi --help-query-gpu` names them. */
const columns = [
  'index',
  'name',
  'pci.bus_id',
  'utilization.gpu',
  'memory.total',
  'memory.used',
  'temperature.gpu',
  'power.draw',
  'power.limit',
  'clocks.sm',
  'clocks_throttle_reasons.active',
] as const

const mebibyte = 2 ** 20
const row = z.tuple([
  z.string().regex(/^\d{1,3}$/),
  z.string().min(1),
  cell,
  numberCell,
  numberCell,
  numberCell,
  numberCell,
  numberCell,
  numberCell,
  numberCell,
  cell,
])

/** Bits of the reasons for lower clocks (nvml.h, nvmlClocksEventReasons); idle and settings by the user are no throttling. */
const reason = {
  idle: 0x1,
  settings: 0x2,
  powerCap: 0x4,
  hwSlowdown: 0x8,
  sync: 0x10,
  swThermal: 0x20,
  hwThermal: 0x40,
  powerBrake: 0x80,
}

/** From the number as nvidia-smi writes it, e.g. `0x0000000000000004`. */
export function throttlingOf(active: string | null): GpuReading['throttling'] {
  if (active === null || !/^0x[0-9a-f]{1,16}$/i.test(active)) return null
  const bits = Number(BigInt(active) & 0xffn)
  if (bits & (reason.swThermal | reason.hwThermal)) return 'thermal'
  if (bits & (reason.powerCap | reason.powerBrake)) return 'power'
  return bits & reason.hwSlowdown ? 'other' : 'none'
}

/** One line of the table; undefined for anything that is none. */
export function parseGpuLine(line: string): { readonly index: number; readonly reading: GpuReading } | undefined {
  const parsed = row.safeParse(line.split(',').map((one) => one.trim()))
  if (!parsed.success) return undefined
  const [index, name, pciId, utilisationPercent, total, used, temperatureC, powerW, powerLimitW, clockMHz, active] = parsed.data
  const bytes = (mib: number | null): number | null => (mib === null ? null : Math.round(mib * mebibyte))
  const reading: GpuReading = {
    ...{ name, vendor: 'nvidia', pciId, utilisationPercent, temperatureC, powerW, powerLimitW, clockMHz },
    ...{ memoryTotalBytes: bytes(total), memoryUsedBytes: bytes(used), memoryOursBytes: null },
    throttling: throttlingOf(active),
  }
  return { index: Number(index), reading }
}

/** Reads `nvidia-smi pmon -o T`: a head that names the columns, then a line a process and second, with the time first. */
export class ProcessTable {
  #names: readonly string[] = []
  #present: readonly GpuProcess[] | undefined
  #coming: GpuProcess[] | undefined
  #time = ''

  take(line: string, pciIdOf: (index: number) => string | null): void {
    if (line.startsWith('#')) {
      const names = line.slice(1).trim().split(/\s+/)
      if (names.includes('pid')) this.#names = names
      return
    }
    const cells = line.trim().split(/\s+/)
    const value = (name: string): string => cells[this.#names.indexOf(name)] ?? '-'
    const [time, index] = [value('Time'), value('gpu')]
    if (!/^\d{1,3}$/.test(index) || !/^\d\d:\d\d:\d\d$/.test(time)) return
    if (time !== this.#time || this.#coming === undefined) {
      this.#time = time
      this.#present = this.#coming
      this.#coming = []
    }
    const pid = Number(value('pid'))
    // A card without processes has a line of dashes.
    if (!Number.isSafeInteger(pid) || pid <= 0) return
    const [share, megabytes] = [Number(value('sm')), Number(value('fb'))]
    const at = this.#names.indexOf('command')
    this.#coming.push({
      pid,
      name: at < 0 ? '' : cells.slice(at).join(' ').slice(0, 200),
      pciId: pciIdOf(Number(index)),
      draws: value('type').includes('G'),
      utilisationPercent: Number.isFinite(share) ? share : null,
      memoryBytes: Number.isFinite(megabytes) ? megabytes * mebibyte : null,
    })
  }

  /** Of the last whole second; undefined before the first. */
  get processes(): readonly GpuProcess[] | undefined {
    return this.#present
  }

  clear(): void {
    this.#present = undefined
    this.#coming = undefined
    this.#time = ''
  }
}

export interface NvidiaWatchOptions {
  readonly command?: string
  readonly run?: RunLines
  /** Processes of this app. */
  readonly ourPids: () => ReadonlySet<number>
  /** Milliseconds of a clock that never goes back; for tests. */
  readonly now?: () => number
}

/** The tool writes every second: what is older was said by one that hangs. */
const freshMs = 5_000

/**
 * Keeps two `nvidia-smi` running, one that writes the state of the cards every second and one for the processes on them: starting it anew each second
 * would cost more than all else. No tool or no card: no readings.
 */
export function watchNvidia({
  command = 'nvidia-smi',
  run,
  ourPids,
  now = () => performance.now(),
}: NvidiaWatchOptions): GpuWatch {
  const cards = new Map<number, { readonly reading: GpuReading; readonly atMs: number }>()
  let tableAtMs = now()
  const table = new ProcessTable()
  const common = run === undefined ? { command } : { command, run }
  const stopCards = keepRunning({
    ...common,
    args: [`--query-gpu=${columns.join(',')}`, '--format=csv,noheader,nounits', '--loop-ms=1000'],
    onLine: (line) => {
      const parsed = parseGpuLine(line)
      if (parsed !== undefined) cards.set(parsed.index, { reading: parsed.reading, atMs: now() })
    },
    onLost: () => cards.clear(),
  })
  const stopProcesses = keepRunning({
    ...common,
    args: ['pmon', '-s', 'um', '-d', '1', '-o', 'T'],
    onLine: (line) => {
      tableAtMs = now()
      table.take(line, (index) => cards.get(index)?.reading.pciId ?? null)
    },
    onLost: () => table.clear(),
  })
  const processes = (): readonly GpuProcess[] | null => (now() - tableAtMs <= freshMs ? (table.processes ?? null) : null)
  const ours = (reading: GpuReading): number | null => {
    const list = processes()?.filter(({ pciId, pid }) => pciId === reading.pciId && ourPids().has(pid))
    if (list === undefined) return null
    return list.some(({ memoryBytes }) => memoryBytes === null)
      ? null
      : list.reduce((sum, one) => sum + (one.memoryBytes ?? 0), 0)
  }
  return {
    read: () =>
      [...cards]
        .filter(([, { atMs }]) => now() - atMs <= freshMs)
        .sort(([a], [b]) => a - b)
        .map(([, { reading }]) => ({ ...reading, memoryOursBytes: ours(reading) })),
    processes,
    close: () => {
      stopCards()
      stopProcesses()
    },
  }
}
