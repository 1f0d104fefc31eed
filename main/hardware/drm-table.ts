import { closeSync, opendirSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type DrmClient, drawingEngines, parseFdinfo, shareBetween } from './drm-clients.ts'
import type { GpuProcess } from './gpu-reading.ts'

export interface DrmTableOptions {
  /** Where the file system begins; another place in tests. */
  readonly root: string
  /** The cards that count. */
  readonly pciIds: ReadonlySet<string>
  readonly ourPids: () => ReadonlySet<number>
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** What is known of a process between two looks at its open files. */
interface Looked {
  /** Open files that lead to a card, with what was last read of them: most stay as they are. */
  files: ReadonlyMap<string, Read>
  name: string
  readonly sinceMs: number
  lookMs: number
}

interface Read {
  text: string | null
  client: DrmClient | undefined
}

interface Held {
  readonly client: DrmClient
  readonly atMs: number
  /** Holders, by their numbers. */
  readonly pids: number[]
}

interface OnCard {
  readonly pid: number
  readonly pciId: string
  memoryBytes: number | null
  /** By engine, of all that the process has open. */
  readonly shares: Map<string, number>
}

/** Looks come at most so often, however many ask. */
const sampleMs = 900
/** Open files that are looked at in one go, which bounds what a look costs: 400 processes with 30 files each have their turn once a minute. */
const mostFiles = 200
/** So many of them are for old processes, also while a build starts young ones all the time. */
const filesForOld = 50
/** Of one process: the kernel counts files up from zero, and a card is opened early. */
const mostFilesOfOne = 4_096
/** Longer than any such file of a driver. */
const mostBytes = 16_384
/** A young process is looked at often, for it may be a game that begins; an old one that has no card hardly opens one. */
const soonestMs = 1_000
const latestMs = 60_000
const oursMs = 2_000
/** How old a process is taken to be that was there before the first look. */
const oldMs = 4 * latestMs

/**
 * Which programs have the cards open, with what they hold and use there: the kernel tells each open file of a card by `/proc/<pid>/fdinfo`. Reading all open
 * files of all processes each second would cost more than all other telemetry, so which files lead to a card is learned bit by bit and remembered. Files of
 * other users are not readable: their programs are not seen. A process that ends meanwhile is one that is not there.
 */
export class DrmTable {
  readonly #options: DrmTableOptions
  readonly #processes = new Map<number, Looked>()
  readonly #buffer = Buffer.alloc(mostBytes)
  readonly #proc: string
  #before: ReadonlyMap<string, Held> = new Map()
  #present: ReadonlyMap<string, Held> = new Map()
  #atMs: number | undefined
  #everSeen = false

  constructor(options: DrmTableOptions) {
    this.#options = options
    this.#proc = join(options.root, 'proc')
  }

  /** Null while no program was ever seen on a card: the kernel does not tell, or all of them are other users'. */
  processes(): GpuProcess[] | null {
    this.#sample()
    if (!this.#everSeen) return null
    const found = new Map<string, OnCard>()
    for (const [key, held] of this.#present) {
      const pid = held.pids[0]
      if (pid === undefined) continue
      const { pciId, memoryBytes } = held.client
      const place = `${pid} ${pciId}`
      const one = found.get(place) ?? { pid, pciId, memoryBytes: null, shares: new Map() }
      one.memoryBytes = add(one.memoryBytes, memoryBytes)
      this.#addShares(one.shares, key, held)
      found.set(place, one)
    }
    const told = [...found.values()].map(({ pid, pciId, memoryBytes, shares }): GpuProcess => {
      // The busiest engine, as for other systems.
      const share = shares.size === 0 ? null : Math.max(...shares.values())
      return {
        ...{ pid, pciId, memoryBytes, name: this.#processes.get(pid)?.name ?? '' },
        draws: [...shares].some(([name, part]) => part > 0 && drawingEngines.has(name)),
        utilisationPercent: share === null ? null : Math.min(100, Math.round(share * 100)),
      }
    })
    // Many a program opens a card at its start and never uses it.
    return told.filter(({ utilisationPercent, memoryBytes }) => utilisationPercent !== 0 || memoryBytes !== 0)
  }

  /** Memory of our processes on a card, each client once, however many files lead to it. Null where the kernel tells of none. */
  oursBytes(pciId: string): number | null {
    this.#sample()
    const ours = this.#options.ourPids()
    let sum: number | null = null
    for (const { client, pids } of this.#present.values()) {
      if (client.pciId === pciId && pids.some((pid) => ours.has(pid))) sum = add(sum, client.memoryBytes)
    }
    return sum
  }

  #addShares(shares: Map<string, number>, key: string, { client, atMs }: Held): void {
    const before = this.#before.get(key)
    if (before === undefined) return
    for (const [name, use] of client.engines) {
      const last = before.client.engines.get(name)
      const part = last === undefined ? null : shareBetween(last, use, atMs - before.atMs)
      if (part !== null) shares.set(name, (shares.get(name) ?? 0) + part)
    }
  }

  #sample(): void {
    const nowMs = this.#options.now()
    if (this.#atMs !== undefined && nowMs - this.#atMs < sampleMs) return
    this.#findFiles(nowMs)
    this.#atMs = nowMs
    const present = new Map<string, Held>()
    for (const [pid, { files }] of this.#processes) {
      for (const [file, read] of files) {
        const text = this.#read(`${this.#proc}/${pid}/fdinfo/${file}`)
        if (text !== read.text) {
          read.text = text
          read.client = text === null ? undefined : parseFdinfo(text)
        }
        const { client } = read
        if (client === undefined || !this.#options.pciIds.has(client.pciId)) continue
        const key = `${client.pciId} ${client.id}`
        const known = present.get(key)
        if (known === undefined) present.set(key, { client, atMs: nowMs, pids: [pid] })
        else if (!known.pids.includes(pid)) known.pids.push(pid)
      }
    }
    this.#before = this.#present
    this.#present = present
    this.#everSeen ||= present.size > 0
  }

  /** Notices who came and went, and looks at the open files of those whose turn it is. */
  #findFiles(nowMs: number): void {
    const pids = this.#pids()
    for (const pid of this.#processes.keys()) if (!pids.has(pid)) this.#processes.delete(pid)
    const sinceMs = this.#atMs === undefined ? nowMs - oldMs : nowMs
    for (const pid of pids) {
      if (!this.#processes.has(pid)) this.#processes.set(pid, { files: new Map(), name: '', sinceMs, lookMs: nowMs })
    }
    const ours = this.#options.ourPids()
    const isYoung = ({ sinceMs }: Looked): boolean => nowMs - sinceMs < latestMs
    const due = [...this.#processes].filter(([, { lookMs }]) => lookMs <= nowMs)
    due.sort(([a, one], [b, other]) => Number(ours.has(b)) - Number(ours.has(a)) || one.lookMs - other.lookMs)
    const young = due.filter(([pid, one]) => ours.has(pid) || isYoung(one))
    const old = due.filter(([pid, one]) => !ours.has(pid) && !isYoung(one))
    const lookAt = (line: Array<[number, Looked]>, mostOfThem: number): number => {
      let left = mostOfThem
      for (let next = left > 0 && line.shift(); next; next = left > 0 && line.shift()) {
        const [pid, one] = next
        left -= this.#look(pid, one)
        const pause = Math.min(latestMs, Math.max(soonestMs, (nowMs - one.sinceMs) / 4))
        one.lookMs = nowMs + (ours.has(pid) ? Math.min(pause, oursMs) : pause)
      }
      return Math.max(0, left)
    }
    const left = lookAt(young, mostFiles - filesForOld)
    lookAt(young, lookAt(old, left + filesForOld))
  }

  #pids(): Set<number> {
    const pids = new Set<number>()
    try {
      for (const name of readdirSync(this.#proc)) {
        const pid = Number(name)
        if (pid > 0 && pid < 2 ** 32) pids.add(pid)
      }
    } catch {
      // No such folder: no process is known.
    }
    return pids
  }

  /** @returns how many files that took, one at least */
  #look(pid: number, one: Looked): number {
    const folder = `${this.#proc}/${pid}`
    const files = new Map<string, Read>()
    let count = 1
    try {
      const open = opendirSync(`${folder}/fd`, { bufferSize: 128 })
      try {
        for (let entry = open.readSync(); entry !== null && count < mostFilesOfOne; entry = open.readSync()) {
          count++
          if (!leadsToCard(`${folder}/fd/${entry.name}`)) continue
          files.set(entry.name, one.files.get(entry.name) ?? { text: null, client: undefined })
        }
      } finally {
        open.closeSync()
      }
    } catch {
      // Another user's, or it has just ended.
    }
    one.files = files
    if (files.size > 0) one.name = nameIn(this.#read(`${folder}/comm`))
    return count
  }

  #read(path: string): string | null {
    let file: number | undefined
    try {
      file = openSync(path, 'r')
      const length = readSync(file, this.#buffer, 0, mostBytes, 0)
      return this.#buffer.toString('utf8', 0, length)
    } catch {
      return null
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }
}

/** In a container the folder before the name may be another. */
function leadsToCard(link: string): boolean {
  try {
    return /(?:^|\/)(?:card|renderD)\d+$/.test(readlinkSync(link))
  } catch {
    return false
  }
}

/** A program chooses its own name. */
const nameIn = (text: string | null): string => (text ?? '').replaceAll(/\p{C}/gu, ' ').trim().slice(0, 200)

function add(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b
}
