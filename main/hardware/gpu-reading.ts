import type { Gpu } from '../../preload/api/system.ts'

/** What one GPU does now. Unknown is null; a zero is a zero. */
export interface GpuReading {
  readonly name: string
  readonly vendor: Gpu['vendor']
  /** Place on the bus, as the source writes it; tells equal cards apart. */
  readonly pciId: string | null
  readonly utilisationPercent: number | null
  readonly memoryTotalBytes: number | null
  readonly memoryUsedBytes: number | null
  /** Of the memory in use, by processes of this app. */
  readonly memoryOursBytes: number | null
  readonly temperatureC: number | null
  readonly powerW: number | null
  readonly powerLimitW: number | null
  readonly clockMHz: number | null
  /** The card holds itself back: because it is hot, because of its power limit, or for another reason. */
  readonly throttling: 'none' | 'thermal' | 'power' | 'other' | null
}

/** A process of another program that computes or draws on a GPU. */
export interface GpuProcess {
  readonly pid: number
  readonly name: string
  readonly pciId: string | null
  /** Draws on a screen (a game, a browser), not only computes. */
  readonly draws: boolean
  /** Of the whole GPU. */
  readonly utilisationPercent: number | null
  readonly memoryBytes: number | null
}

/** A source of readings that is kept open while somebody looks. */
export interface GpuWatch {
  /** The newest readings; empty without a card of this kind. Never throws. */
  read(): readonly GpuReading[]
  /** Processes on the cards; null where the source does not tell of any. */
  processes(): readonly GpuProcess[] | null
  close(): void
}

export const unknownReading: Omit<GpuReading, 'name' | 'vendor'> = {
  pciId: null,
  utilisationPercent: null,
  memoryTotalBytes: null,
  memoryUsedBytes: null,
  memoryOursBytes: null,
  temperatureC: null,
  powerW: null,
  powerLimitW: null,
  clockMHz: null,
  throttling: null,
}

/** Several sources as one. */
export function joinWatches(watches: readonly GpuWatch[]): GpuWatch {
  return {
    read: () => watches.flatMap((watch) => watch.read()),
    processes: () => {
      const known = watches.map((watch) => watch.processes()).filter((list) => list !== null)
      return known.length === 0 ? null : known.flat()
    },
    close: () => {
      for (const watch of watches) watch.close()
    },
  }
}
