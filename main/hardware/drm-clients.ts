/** How busy an engine of a card was for one client, since the client came. */
export interface EngineUse {
  /** Nanoseconds, or cycles out of `cycles`. */
  readonly busy: number
  /** All cycles that the engine had until now; null where the driver counts nanoseconds. */
  readonly cycles: number | null
  /** Equal engines under one name. */
  readonly capacity: number
}

/** One opening of a card by a program, as `/proc/<pid>/fdinfo/<fd>` tells of it. */
export interface DrmClient {
  /** Unique on its card. */
  readonly id: string
  readonly pciId: string
  /** On the card; of a card without memory of its own what it takes of the computer's. Null where the driver does not say. */
  readonly memoryBytes: number | null
  readonly engines: ReadonlyMap<string, EngineUse>
}

/** Draw on a screen, under the names that amdgpu, i915 and xe give them. */
export const drawingEngines: ReadonlySet<string> = new Set(['gfx', 'render', 'rcs'])

const pciForm = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i
const units: Readonly<Record<string, number>> = { '': 1, ns: 1, KiB: 2 ** 10, MiB: 2 ** 20 }
/** Memory regions of a card, and those of one that has none of its own. */
const ownRegion = /^(?:vram|local)\d*$/
const sharedRegion = /^(?:system|gtt)\d*$/
const longestKey = 64

/** A whole number with its unit; undefined for anything else. Without a pattern: this is read dozens of times a second. */
function amount(text: string): number | undefined {
  const space = text.indexOf(' ')
  const end = space < 0 ? text.length : space
  if (end === 0 || end > 19) return undefined
  let value = 0
  for (let at = 0; at < end; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  const unit = units[space < 0 ? '' : text.slice(space + 1)]
  return unit === undefined ? undefined : value * unit
}

/**
 * Reads a file of the form of the kernel's gpu/drm-usage-stats; undefined for one that names no client of a PCI card. Memory is what is resident; `memory-`
 * is its former name, and where neither is there the total counts.
 */
export function parseFdinfo(text: string): DrmClient | undefined {
  const values = new Map<string, number>()
  let id: string | undefined
  let pciId: string | undefined
  for (const row of text.split('\n')) {
    if (!row.startsWith('drm-')) continue
    const colon = row.indexOf(':')
    if (colon < 0 || colon > longestKey) continue
    const key = row.slice(4, colon)
    const value = row.slice(colon + 1).trim()
    if (key === 'client-id') id = amount(value) === undefined ? undefined : value
    else if (key === 'pdev') pciId = pciForm.test(value) ? value.toLowerCase() : undefined
    else {
      const number = amount(value)
      if (number !== undefined) values.set(key, number)
    }
  }
  if (id === undefined || pciId === undefined) return undefined
  return { id, pciId, memoryBytes: memoryOf(values), engines: enginesOf(values) }
}

function memoryOf(values: ReadonlyMap<string, number>): number | null {
  for (const prefix of ['resident-', 'memory-', 'total-']) {
    const regions = [...values].filter(([key]) => key.startsWith(prefix) && isRegion(key.slice(prefix.length)))
    const own = regions.filter(([key]) => ownRegion.test(key.slice(prefix.length)))
    if (regions.length > 0) return (own.length > 0 ? own : regions).reduce((sum, [, bytes]) => sum + bytes, 0)
  }
  return null
}

const isRegion = (name: string): boolean => ownRegion.test(name) || sharedRegion.test(name)

function enginesOf(values: ReadonlyMap<string, number>): Map<string, EngineUse> {
  const engines = new Map<string, EngineUse>()
  for (const [key, busy] of values) {
    const inCycles = key.startsWith('cycles-')
    if (!inCycles && (!key.startsWith('engine-') || key.startsWith('engine-capacity-'))) continue
    const name = key.slice(7)
    if (inCycles && values.has(`engine-${name}`)) continue
    const cycles = inCycles ? values.get(`total-cycles-${name}`) : null
    // Cycles without how many there were say nothing.
    if (cycles === undefined) continue
    engines.set(name, { busy, cycles, capacity: Math.max(1, values.get(`engine-capacity-${name}`) ?? 1) })
  }
  return engines
}

/**
 * Share of an engine between two looks, 0 to 1. Null where the second look says nothing new. Counters may stand still or go back for a while, which the
 * kernel allows: that is taken for no use, as is a card that sleeps and counts no cycles.
 */
export function shareBetween(before: EngineUse, after: EngineUse, spanMs: number): number | null {
  if (spanMs <= 0 || (before.cycles === null) !== (after.cycles === null)) return null
  const whole = after.cycles === null ? spanMs * 1e6 : after.cycles - (before.cycles ?? 0)
  const busy = Math.max(0, after.busy - before.busy)
  if (whole <= 0) return busy === 0 ? 0 : null
  return Math.min(1, busy / whole / after.capacity)
}
