import { join } from 'node:path'
import { DrmTable } from './drm-table.ts'
import { type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'
import { type DrmCard, drmCards, readNumber, readText } from './sysfs.ts'

export interface SysfsWatchOptions {
  /** Where the file system begins; another place in tests. */
  readonly root?: string
  readonly ourPids: () => ReadonlySet<number>
  readonly now?: () => number
}

/**
 * AMD and Intel cards under Linux, read from the files of the kernel: `amdgpu` (kernel documentation, gpu/amdgpu), `i915` and `xe` (ABI documentation of
 * their hwmon and frequency files), and programs from `/proc/<pid>/fdinfo` (`DrmTable`). What a driver does not say is null; Intel's drivers say neither
 * utilisation nor used memory of the whole card.
 */
export function watchSysfs({ root = '/', ourPids, now = () => performance.now() }: SysfsWatchOptions): GpuWatch {
  const cards = drmCards(root).filter(({ driver }) => driver === 'amdgpu' || driver === 'i915' || driver === 'xe')
  const names = new Map(cards.map((card) => [card.card, nameOf(card)]))
  const energy = new Map<string, EnergyCount>()
  const pciIds = new Set(cards.flatMap(({ pciId }) => (pciId === null ? [] : [pciId])))
  const table = new DrmTable({ root, pciIds, ourPids, now })
  return {
    read: () =>
      cards.map((card) => {
        const name = names.get(card.card) ?? 'GPU'
        const ours = card.pciId === null ? null : table.oursBytes(card.pciId)
        return card.driver === 'amdgpu'
          ? { ...amdReading(card, name), memoryOursBytes: ours }
          : { ...intelReading(card, name, energy, now()), memoryOursBytes: ours }
      }),
    processes: () => (pciIds.size === 0 ? null : table.processes()),
    close: () => undefined,
  }
}

function nameOf({ device, driver }: DrmCard): string {
  const product = readText(join(device, 'product_name'))
  if (product) return product
  const id = readText(join(device, 'device'))
  return `${driver === 'amdgpu' ? 'AMD' : 'Intel'} GPU${id ? ` ${id}` : ''}`
}

function amdReading({ device, hwmon, pciId }: DrmCard, name: string): GpuReading {
  const sensor = (file: string, unit: number): number | null => (hwmon === null ? null : readNumber(join(hwmon, file), unit))
  return {
    ...unknownReading,
    ...{ name, vendor: 'amd', pciId },
    utilisationPercent: readNumber(join(device, 'gpu_busy_percent')),
    memoryTotalBytes: readNumber(join(device, 'mem_info_vram_total')),
    memoryUsedBytes: readNumber(join(device, 'mem_info_vram_used')),
    temperatureC: sensor('temp1_input', 1000),
    // Older cards tell an average, newer ones the present value.
    powerW: sensor('power1_average', 1e6) ?? sensor('power1_input', 1e6),
    powerLimitW: sensor('power1_cap', 1e6),
    clockMHz: sensor('freq1_input', 1e6),
  }
}

/** Several look at one card, and one may come right after another: a shorter time says little of what it draws. */
const leastSpanMs = 500

/** What a card counted at a moment, and the power that follows from the count before. */
interface EnergyCount {
  readonly atMs: number
  readonly joule: number
  readonly powerW: number | null
}

/** The card counts energy: power is what it took between two moments. A count that fell began anew. */
function countedOn(before: EnergyCount | undefined, atMs: number, joule: number): EnergyCount {
  if (before === undefined || joule < before.joule) return { atMs, joule, powerW: null }
  const spanMs = atMs - before.atMs
  return spanMs < leastSpanMs ? before : { atMs, joule, powerW: (1_000 * (joule - before.joule)) / spanMs }
}

function intelReading(
  { card, device, hwmon, pciId }: DrmCard,
  name: string,
  energy: Map<string, EnergyCount>,
  atMs: number,
): GpuReading {
  const sensor = (file: string, unit: number): number | null => (hwmon === null ? null : readNumber(join(hwmon, file), unit))
  const joule = sensor('energy1_input', 1e6)
  const before = energy.get(card)
  const count = joule === null ? undefined : countedOn(before, atMs, joule)
  if (count !== undefined) energy.set(card, count)
  const throttled =
    readNumber(join(card, 'gt/gt0/throttle_reason_status')) ?? readNumber(join(device, 'tile0/gt0/freq0/throttle/status'))
  const heat =
    readNumber(join(card, 'gt/gt0/throttle_reason_thermal')) ??
    readNumber(join(device, 'tile0/gt0/freq0/throttle/reason_thermal'))
  return {
    ...unknownReading,
    ...{ name, vendor: 'intel', pciId },
    temperatureC: sensor('temp1_input', 1000) ?? sensor('temp2_input', 1000),
    powerW: count?.powerW ?? null,
    powerLimitW: sensor('power1_max', 1e6),
    clockMHz: readNumber(join(card, 'gt_act_freq_mhz')) ?? readNumber(join(device, 'tile0/gt0/freq0/act_freq')),
    throttling: throttled === null ? null : throttled === 0 ? 'none' : heat === 1 ? 'thermal' : 'other',
  }
}
