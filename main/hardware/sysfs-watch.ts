import { join } from 'node:path'
import { type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'
import { type DrmCard, drmCards, listFolder, readNumber, readText } from './sysfs.ts'

export interface SysfsWatchOptions {
  /** Where the file system begins; another place in tests. */
  readonly root?: string
  readonly ourPids: () => ReadonlySet<number>
  readonly now?: () => number
}

/**
 * AMD and Intel cards under Linux, read from the files of the kernel: `amdgpu` (kernel documentation, gpu/amdgpu), `i915` and `xe` (ABI documentation of
 * their hwmon and frequency files), and each client's memory from `/proc/<pid>/fdinfo` (gpu/drm-usage-stats). What a driver does not say is null;
 * Intel's drivers say neither utilisation nor used memory of the whole card.
 */
export function watchSysfs({ root = '/', ourPids, now = () => performance.now() }: SysfsWatchOptions): GpuWatch {
  const cards = drmCards(root).filter(({ driver }) => driver === 'amdgpu' || driver === 'i915' || driver === 'xe')
  const names = new Map(cards.map((card) => [card.card, nameOf(card)]))
  const energy = new Map<string, { atMs: number; joule: number }>()
  return {
    read: () =>
      cards.map((card) => {
        const name = names.get(card.card) ?? 'GPU'
        const ours = oursOn(card, root, ourPids())
        return card.driver === 'amdgpu'
          ? { ...amdReading(card, name), memoryOursBytes: ours }
          : { ...intelReading(card, name, energy, now()), memoryOursBytes: ours }
      }),
    processes: () => null,
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

function intelReading(
  { card, device, hwmon, pciId }: DrmCard,
  name: string,
  energy: Map<string, { atMs: number; joule: number }>,
  atMs: number,
): GpuReading {
  const sensor = (file: string, unit: number): number | null => (hwmon === null ? null : readNumber(join(hwmon, file), unit))
  const joule = sensor('energy1_input', 1e6)
  const before = energy.get(card)
  if (joule !== null) energy.set(card, { atMs, joule })
  const span = before === undefined ? 0 : (atMs - before.atMs) / 1000
  const throttled =
    readNumber(join(card, 'gt/gt0/throttle_reason_status')) ?? readNumber(join(device, 'tile0/gt0/freq0/throttle/status'))
  const heat =
    readNumber(join(card, 'gt/gt0/throttle_reason_thermal')) ??
    readNumber(join(device, 'tile0/gt0/freq0/throttle/reason_thermal'))
  return {
    ...unknownReading,
    ...{ name, vendor: 'intel', pciId },
    temperatureC: sensor('temp1_input', 1000) ?? sensor('temp2_input', 1000),
    // The card counts energy: power is what it took between two looks.
    powerW: joule === null || before === undefined || span <= 0 || joule < before.joule ? null : (joule - before.joule) / span,
    powerLimitW: sensor('power1_max', 1e6),
    clockMHz: readNumber(join(card, 'gt_act_freq_mhz')) ?? readNumber(join(device, 'tile0/gt0/freq0/act_freq')),
    throttling: throttled === null ? null : throttled === 0 ? 'none' : heat === 1 ? 'thermal' : 'other',
  }
}

/** Memory on the card of our processes: each open client once, however many files lead to it. Null where the kernel tells of no client. */
function oursOn({ pciId }: DrmCard, root: string, pids: ReadonlySet<number>): number | null {
  if (pciId === null) return null
  const clients = new Map<string, number>()
  for (const pid of pids) {
    const folder = join(root, 'proc', String(pid), 'fdinfo')
    for (const fd of listFolder(folder)) {
      const text = readText(join(folder, fd)) ?? ''
      if (!text.includes(`drm-pdev:\t${pciId}`) && !new RegExp(`^drm-pdev:\\s*${pciId}$`, 'm').test(text)) continue
      const client = /^drm-client-id:\s*(\d+)$/m.exec(text)?.[1]
      if (client !== undefined) clients.set(client, vramOf(text))
    }
  }
  return clients.size === 0 ? null : [...clients.values()].reduce((sum, bytes) => sum + bytes, 0)
}

const units: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20 }

function vramOf(text: string): number {
  const resident = [...text.matchAll(/^drm-resident-vram\d*:\s*(\d+) ?(KiB|MiB)?$/gm)]
  const used = resident.length > 0 ? resident : [...text.matchAll(/^drm-memory-vram:\s*(\d+) ?(KiB|MiB)?$/gm)]
  return used.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ''] ?? 1), 0)
}
