import { type GpuProcess, type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'
import { keepRunning, type RunLines } from './line-process.ts'

/**
 * What the system's own PowerShell is told to write: every two seconds a line for each card (`A`, once in a while), for the memory in use on it (`M`),
 * for each engine of it that a process uses (`E`) and for the memory of each process on it (`P`), then `.`. The classes are those of the counters
 * "GPU Engine", "GPU Adapter Memory" and "GPU Process Memory", whose own names are in the language of the system; these are not. Cards are told apart by
 * their LUID, which the registry gives the names of.
 * @param parent process that it ends with: a program whose output goes nowhere does not end by itself
 */
export const script = (parent: number): string => `
$ErrorActionPreference = 'SilentlyContinue'
[Console]::OutputEncoding = [System.Text.Encoding]::UTF8
$class = 'Win32_PerfFormattedData_GPUPerformanceCounters_GPU'
$turn = 0
while (Get-Process -Id ${parent}) {
  if ($turn % 30 -eq 0) {
    $root = Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\DirectX'
    Get-ChildItem 'HKLM:\\SOFTWARE\\Microsoft\\DirectX' | ForEach-Object { Get-ItemProperty $_.PSPath } |
      Where-Object { $_.AdapterLuid -ne $null -and $_.LastSeen -eq $root.LastSeen } |
      ForEach-Object { "A|$($_.AdapterLuid)|$($_.VendorId)|$($_.DedicatedVideoMemory)|$($_.Description)" }
  }
  $turn++
  $names = @{}
  Get-CimInstance ($class + 'AdapterMemory') | ForEach-Object { "M|$($_.Name)|$($_.DedicatedUsage)|$($_.SharedUsage)" }
  Get-CimInstance ($class + 'Engine') -Filter 'UtilizationPercentage > 0' | ForEach-Object { "E|$($_.Name)|$($_.UtilizationPercentage)" }
  Get-Process | ForEach-Object { $names["$($_.Id)"] = $_.ProcessName }
  Get-CimInstance ($class + 'ProcessMemory') -Filter 'DedicatedUsage > 0 OR SharedUsage > 0' | ForEach-Object {
    "P|$($_.Name)|$($_.DedicatedUsage)|$($_.SharedUsage)|$($names[($_.Name -split '_')[1]])"
  }
  '.'
  [Console]::Out.Flush()
  Start-Sleep -Seconds 2
}
`

const vendors: Readonly<Record<number, GpuReading['vendor']>> = { 4098: 'amd', 32902: 'intel', 4318: 'nvidia' }
/** The system draws by itself where there is no card. */
const softwareVendor = 5140

interface Card {
  readonly luid: string
  readonly name: string
  readonly vendor: GpuReading['vendor']
  /** Memory of its own; a card in the processor has little or none and uses the computer's. */
  readonly memoryBytes: number | null
}

interface OnCard {
  memoryUsedBytes: number | null
  /** By engine, of all processes. */
  readonly engines: Map<string, number>
  readonly processes: Map<number, { name: string; memoryBytes: number | null; utilisation: Map<string, number>; draws: boolean }>
}

const whole = (text: string | undefined): number | null => (/^\d{1,18}$/.test(text ?? '') ? Number(text) : null)

/** `luid_0x00000000_0x0000D1B4` of an instance name as the number that the registry has. */
function luidOf(instance: string): string | undefined {
  const [, high, low] = /luid_0x([0-9a-f]{8})_0x([0-9a-f]{8})/i.exec(instance) ?? []
  return high === undefined || low === undefined ? undefined : String((BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`))
}

/** Takes the lines of `script`. A round counts when its last line is there. */
export class CounterTable {
  #cards: ReadonlyMap<string, Card> = new Map()
  /** Of the round that is coming, where it names cards. */
  #named = new Map<string, Card>()
  #coming = new Map<string, OnCard>()
  #present: ReadonlyMap<string, OnCard> | undefined

  take(line: string): void {
    const [kind, instance = '', ...rest] = line.split('|')
    if (kind === '.') {
      // A card that is not named any more was unplugged.
      if (this.#named.size > 0) this.#cards = this.#named
      this.#named = new Map()
      this.#present = this.#coming
      this.#coming = new Map()
      return
    }
    if (kind === 'A') return this.#takeCard(instance, rest)
    const luid = luidOf(instance)
    if (luid === undefined) return
    const card = this.#on(luid)
    if (kind === 'M') card.memoryUsedBytes = add(card.memoryUsedBytes, this.#usage(luid, whole(rest[0]), whole(rest[1])))
    const pid = Number(/^pid_(\d{1,10})_/.exec(instance)?.[1])
    if (!Number.isSafeInteger(pid)) return
    const process = card.processes.get(pid) ?? { name: '', memoryBytes: null, utilisation: new Map(), draws: false }
    if (kind === 'P') {
      process.memoryBytes = add(process.memoryBytes, this.#usage(luid, whole(rest[0]), whole(rest[1])))
      process.name = rest.slice(2).join('|').slice(0, 200)
    } else if (kind === 'E') {
      const share = whole(rest[0])
      const [, engine = '', type = ''] = /_phys_\d+_eng_(\d+)_engtype_(.*)$/.exec(instance) ?? []
      if (share === null || engine === '') return
      process.utilisation.set(engine, (process.utilisation.get(engine) ?? 0) + share)
      card.engines.set(engine, (card.engines.get(engine) ?? 0) + share)
      if (type === '3D') process.draws = true
    } else return
    card.processes.set(pid, process)
  }

  readings(ourPids: ReadonlySet<number>): GpuReading[] {
    const present = this.#present
    if (present === undefined) return []
    return [...this.#cards.values()].map(({ luid, name, vendor, memoryBytes }) => {
      const now = present.get(luid)
      const ours = [...(now?.processes ?? [])].filter(([pid]) => ourPids.has(pid))
      const memoryUsedBytes = now?.memoryUsedBytes ?? null
      return {
        ...unknownReading,
        ...{ name, vendor, pciId: `luid ${luid}`, memoryTotalBytes: memoryBytes, memoryUsedBytes },
        // As the Task Manager has it: the busiest engine. Engines that nobody uses are not told.
        utilisationPercent: now === undefined ? null : Math.min(100, Math.max(0, ...now.engines.values())),
        memoryOursBytes: memoryUsedBytes === null ? null : ours.reduce((sum, [, one]) => sum + (one.memoryBytes ?? 0), 0),
      }
    })
  }

  processes(): GpuProcess[] | null {
    if (this.#present === undefined) return null
    return [...this.#present].flatMap(([luid, { processes }]) =>
      [...processes].map(([pid, { name, memoryBytes, utilisation, draws }]) => ({
        ...{ pid, name, pciId: `luid ${luid}`, draws, memoryBytes },
        utilisationPercent: Math.min(100, Math.max(0, ...utilisation.values())),
      })),
    )
  }

  clear(): void {
    this.#cards = new Map()
    this.#named = new Map()
    this.#present = undefined
    this.#coming = new Map()
  }

  #takeCard(luid: string, [vendorId, memory, ...name]: readonly string[]): void {
    const vendor = whole(vendorId)
    if (!/^\d{1,20}$/.test(luid) || vendor === null || vendor === softwareVendor || this.#named.size >= 32) return
    const bytes = whole(memory)
    this.#named.set(luid, {
      luid,
      name: name.join('|').slice(0, 200) || 'GPU',
      vendor: vendors[vendor] ?? 'other',
      memoryBytes: bytes === 0 ? null : bytes,
    })
  }

  #on(luid: string): OnCard {
    const known = this.#coming.get(luid)
    if (known !== undefined) return known
    const fresh: OnCard = { memoryUsedBytes: null, engines: new Map(), processes: new Map() }
    if (this.#coming.size < 64) this.#coming.set(luid, fresh)
    return fresh
  }

  /** Of a card without memory of its own what it uses of the computer's. */
  #usage(luid: string, dedicated: number | null, shared: number | null): number | null {
    return ((this.#named.get(luid) ?? this.#cards.get(luid))?.memoryBytes ?? null) === null ? add(dedicated, shared) : dedicated
  }
}

function add(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b
}

export interface WindowsWatchOptions {
  readonly ourPids: () => ReadonlySet<number>
  readonly run?: RunLines
  /** Milliseconds of a clock that never goes back; for tests. */
  readonly now?: () => number
}

/** Rounds come every two seconds and a little: what is older was written by one that hangs. */
const freshMs = 10_000

/** All cards under Windows by the counters of the system. It tells neither temperature nor power nor clocks. */
export function watchWindows({ ourPids, run, now = () => performance.now() }: WindowsWatchOptions): GpuWatch {
  const table = new CounterTable()
  let atMs = now()
  const encoded = Buffer.from(script(process.pid), 'utf16le').toString('base64')
  const stop = keepRunning({
    ...(run && { run }),
    command: 'powershell.exe',
    args: ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
    onLine: (line) => {
      atMs = now()
      table.take(line)
    },
    onLost: () => table.clear(),
  })
  const isFresh = (): boolean => now() - atMs <= freshMs
  return {
    read: () => (isFresh() ? table.readings(ourPids()) : []),
    processes: () => (isFresh() ? table.processes() : null),
    close: stop,
  }
}

/**
 * Cards that two sources tell of, once: what the first does not know is filled in from the second, where one card there has the name of exactly one
 * here. Processes are the second's, which tells of all cards and of the memory of each; those of the first where the second is silent.
 */
export function fillFrom(first: GpuWatch, second: GpuWatch): GpuWatch {
  return {
    read: () => {
      const [known, others] = [first.read(), second.read()]
      const only = (list: readonly GpuReading[], name: string): GpuReading | undefined => {
        const named = list.filter((one) => one.name === name)
        return named.length === 1 ? named[0] : undefined
      }
      const filled = known.map((reading) => {
        const other = only(known, reading.name) && only(others, reading.name)
        if (other === undefined) return reading
        const { utilisationPercent, memoryTotalBytes, memoryUsedBytes, memoryOursBytes } = reading
        return {
          ...reading,
          utilisationPercent: utilisationPercent ?? other.utilisationPercent,
          memoryTotalBytes: memoryTotalBytes ?? other.memoryTotalBytes,
          memoryUsedBytes: memoryUsedBytes ?? other.memoryUsedBytes,
          memoryOursBytes: memoryOursBytes ?? other.memoryOursBytes,
        }
      })
      const names = new Set(known.map(({ name }) => name))
      // A maker whose own tool runs is told by that alone.
      const makers = new Set(known.map(({ vendor }) => vendor))
      return [...filled, ...others.filter(({ name, vendor }) => !names.has(name) && !makers.has(vendor))]
    },
    processes: () => second.processes() ?? first.processes(),
    close: () => {
      first.close()
      second.close()
    },
  }
}
