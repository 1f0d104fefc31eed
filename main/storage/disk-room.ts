import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Signal, type Watchable } from '../base/signal.ts'

export type DiskState = { readonly full: false } | { readonly full: true; readonly folder: string; readonly sinceMs: number }

/** So much has to fit before the disk counts as usable again. */
const probe = new Uint8Array(1 << 20)

/** Whether a file of a megabyte can be written in `folder`. An error that is not about room says nothing about it. */
export function hasRoom(folder: string): boolean {
  const path = join(folder, '.room')
  try {
    const file = openSync(path, 'w', 0o600)
    try {
      for (let written = 0; written < probe.length; ) written += writeSync(file, probe, written)
      fsyncSync(file)
    } finally {
      closeSync(file)
      rmSync(path, { force: true })
    }
    return true
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code !== 'ENOSPC' && code !== 'EDQUOT'
  }
}

/**
 * Whether the disk of the data folder takes what the app has to keep. It counts as full from the first write that finds no room until
 * a file of a megabyte fits again; that is tried only while it is full.
 */
export class DiskRoom {
  readonly #folder: string
  readonly #checkMs: number
  readonly #hasRoom: (folder: string) => boolean
  readonly #state = new Signal<DiskState>({ full: false })
  #timer: NodeJS.Timeout | undefined

  constructor(folder: string, options: { readonly checkMs?: number; readonly hasRoom?: (folder: string) => boolean } = {}) {
    this.#folder = folder
    this.#checkMs = options.checkMs ?? 2_000
    this.#hasRoom = options.hasRoom ?? hasRoom
  }

  get state(): Watchable<DiskState> {
    return this.#state
  }

  /** A write has found no room. */
  report(): void {
    if (this.#timer !== undefined) return
    this.#state.set({ full: true, folder: this.#folder, sinceMs: Date.now() })
    this.#timer = setInterval(() => {
      if (!this.#hasRoom(this.#folder)) return
      this.close()
      this.#state.set({ full: false })
    }, this.#checkMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
