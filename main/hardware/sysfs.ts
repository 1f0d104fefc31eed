import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Contents of a small file, trimmed; null for one that is not there or cannot be read: sensors come and go. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

/** A number of a sensor file divided by `unit`; null where there is none. A zero is a zero. */
export function readNumber(path: string, unit = 1): number | null {
  const text = readText(path)
  if (text === null || !/^-?\d{1,19}$/.test(text)) return null
  return Number(text) / unit
}

export function listFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

export interface DrmCard {
  /** `/sys/class/drm/cardN`. */
  readonly card: string
  /** The device behind it. */
  readonly device: string
  /** Name of the kernel driver, e.g. `amdgpu`. */
  readonly driver: string
  /** `0000:03:00.0`. */
  readonly pciId: string | null
  readonly hwmon: string | null
}

/** The graphics cards that the kernel knows. @param root where the file system begins; another place in tests */
export function drmCards(root = '/'): DrmCard[] {
  const base = join(root, 'sys/class/drm')
  return listFolder(base)
    .filter((name) => /^card\d+$/.test(name))
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
    .map((name) => {
      const card = join(base, name)
      const device = join(card, 'device')
      const event = readText(join(device, 'uevent')) ?? ''
      const value = (key: string): string | null => new RegExp(`^${key}=(.+)$`, 'm').exec(event)?.[1] ?? null
      const sensors = listFolder(join(device, 'hwmon')).find((one) => one.startsWith('hwmon'))
      return {
        card,
        device,
        driver: value('DRIVER') ?? driverOf(device),
        pciId: value('PCI_SLOT_NAME'),
        hwmon: sensors === undefined ? null : join(device, 'hwmon', sensors),
      }
    })
}

function driverOf(device: string): string {
  try {
    return basename(realpathSync(join(device, 'driver')))
  } catch {
    return ''
  }
}
