import type { Gpu } from '../../preload/api/system.ts'

/** Whose card a name speaks of, as drivers, tools and libraries write them. */
export function vendorOf(name: string): Gpu['vendor'] {
  if (/nvidia/i.test(name)) return 'nvidia'
  if (/\bamd\b|advanced micro|radeon|\bati\b/i.test(name)) return 'amd'
  if (/intel/i.test(name)) return 'intel'
  if (/apple/i.test(name)) return 'apple'
  return 'other'
}
