import { describe, expect, it } from 'vitest'
import { type GpuReading, type GpuWatch, unknownReading } from './gpu-reading.ts'
import type { RunLines } from './line-process.ts'
import { CounterTable, fillFrom, script, watchWindows } from './windows-watch.ts'

/**
 * Written by hand: an AMD Radeon RX 7900 XTX and an Intel UHD Graphics 770 under Windows 11, in the form that the script writes. The names of instances
 * are those of the counters "GPU Engine", "GPU Process Memory" and "GPU Adapter Memory" as PDH has them; no such computer was at hand.
 */
const radeon = 'luid_0x00000000_0x0000D1B4_phys_0'
const uhd = 'luid_0x00000000_0x0000E22F_phys_0'
const cards = [
  `A|${0xd1b4}|4098|25753026560|AMD Radeon RX 7900 XTX`,
  `A|${0xe22f}|32902|134217728|Intel(R) UHD Graphics 770`,
  'A|58000|5140|0|Microsoft Basic Render Driver',
]
const busy = [
  `M|${radeon}|9663676416|268435456`,
  `M|${uhd}|0|104857600`,
  `E|pid_4242_${radeon}_eng_0_engtype_3D|11`,
  `E|pid_900_${radeon}_eng_0_engtype_3D|62`,
  `E|pid_4242_${radeon}_eng_4_engtype_Compute 0|95`,
  `P|pid_4242_${radeon}|8589934592|1048576|node`,
  `P|pid_900_${radeon}|1073741824|0|some game`,
  '.',
]

function tableOf(...lines: readonly string[]): CounterTable {
  const table = new CounterTable()
  for (const line of lines) table.take(line)
  return table
}

describe('counters of Windows', () => {
  it('tell load, memory in use, and what of it is ours, card by card', () => {
    const [first, second, ...more] = tableOf(...cards, ...busy).readings(new Set([4242]))
    expect(more).toEqual([])
    expect(first).toEqual({
      ...unknownReading,
      ...{ name: 'AMD Radeon RX 7900 XTX', vendor: 'amd', pciId: `luid ${0xd1b4}`, utilisationPercent: 95 },
      ...{ memoryTotalBytes: 25_753_026_560, memoryUsedBytes: 9_663_676_416, memoryOursBytes: 8_589_934_592 },
    })
    // Nobody uses it: zeros are zeros, and what no counter tells is unknown.
    expect(second).toMatchObject({
      vendor: 'intel',
      utilisationPercent: 0,
      memoryUsedBytes: 0,
      memoryOursBytes: 0,
      temperatureC: null,
    })
  })

  it('tell the programs on the cards, and which of them draw', () => {
    expect(tableOf(...cards, ...busy).processes()).toEqual([
      { pid: 4242, name: 'node', pciId: `luid ${0xd1b4}`, draws: true, utilisationPercent: 95, memoryBytes: 8_589_934_592 },
      { pid: 900, name: 'some game', pciId: `luid ${0xd1b4}`, draws: true, utilisationPercent: 62, memoryBytes: 1_073_741_824 },
    ])
    expect(tableOf(...cards, `P|pid_7_${radeon}|5|0|compute only`, '.').processes()).toMatchObject([
      { draws: false, utilisationPercent: 0 },
    ])
  })

  it('of a card without memory of its own tell what it uses of the computer’s', () => {
    const lines = [`A|${0xe22f}|32902|0|Intel(R) Iris(R) Xe Graphics`, `M|${uhd}|0|104857600`, `P|pid_5_${uhd}|0|4096|node`, '.']
    expect(tableOf(...lines).readings(new Set([5]))).toMatchObject([
      { memoryTotalBytes: null, memoryUsedBytes: 104_857_600, memoryOursBytes: 4096 },
    ])
  })

  it('forget a card that was unplugged, and all when they are lost', () => {
    const names = (table: CounterTable): string[] => table.readings(new Set()).map(({ name }) => name)
    const table = tableOf(...cards, ...busy)
    table.take('.')
    expect(names(table)).toHaveLength(2)
    for (const line of [cards[1] ?? '', '.']) table.take(line)
    expect(names(table)).toEqual(['Intel(R) UHD Graphics 770'])
    table.clear()
    table.take('.')
    expect(names(table)).toEqual([])
  })

  it('say nothing before a round is whole, nor of a card without counters', () => {
    expect(tableOf(...cards, ...busy.slice(0, -1)).readings(new Set())).toEqual([])
    expect(tableOf(...cards, ...busy.slice(0, -1)).processes()).toBeNull()
    expect(tableOf(...cards, '.').readings(new Set())).toMatchObject([
      { utilisationPercent: null, memoryUsedBytes: null, memoryOursBytes: null },
      { utilisationPercent: null },
    ])
  })

  it.each([
    'A|x|4098|1|card',
    'A|1|card',
    'M|luid_0xZZ_0x1|5|5',
    `E|pid_1_${radeon}_eng_0_engtype_3D|-5`,
    `E|pid_1_${radeon}|5`,
    `P|pid_99999999999999_${radeon}|1|1|x`,
    'P',
    '',
    'Get-CimInstance : Invalid class',
  ])('ignore %j', (line) => {
    const table = tableOf(...cards, line, '.')
    expect(table.readings(new Set([1]))).toHaveLength(2)
    expect(table.processes()).toEqual([])
  })
})

describe('watchWindows', () => {
  it('keeps the system’s PowerShell running, and shows nothing that it said long ago', () => {
    let write: (line: string) => void = () => undefined
    const started: string[] = []
    let ended = 0
    const run: RunLines = (command, args, onLine) => {
      started.push(command, Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le'))
      write = onLine
      return () => ended++
    }
    let nowMs = 0
    const watch = watchWindows({ run, ourPids: () => new Set([4242]), now: () => nowMs })
    expect(started).toEqual(['powershell.exe', script(process.pid)])
    expect([watch.read(), watch.processes()]).toEqual([[], null])
    for (const line of [...cards, ...busy]) write(line)
    expect([watch.read().length, watch.processes()?.length]).toEqual([2, 2])
    nowMs = 10_001
    expect([watch.read(), watch.processes()]).toEqual([[], null])
    watch.close()
    expect(ended).toBe(1)
  })

  const of = (...readings: readonly Partial<GpuReading>[]): GpuWatch => ({
    read: () => readings.map((reading) => ({ ...unknownReading, name: 'x', vendor: 'nvidia', ...reading })),
    processes: () => null,
    close: () => undefined,
  })

  it('fills in what the tool of the maker does not know, and tells no card twice', () => {
    const tool = of({ name: 'RTX 4080', temperatureC: 60, memoryUsedBytes: 10 })
    const counters = of(
      { name: 'RTX 4080', memoryUsedBytes: 99, memoryOursBytes: 7 },
      { name: 'Radeon', vendor: 'amd', memoryOursBytes: 1 },
    )
    expect(fillFrom(tool, counters).read()).toMatchObject([
      { name: 'RTX 4080', temperatureC: 60, memoryUsedBytes: 10, memoryOursBytes: 7 },
      { name: 'Radeon', memoryOursBytes: 1 },
    ])
    expect(fillFrom(of(), counters).read()).toHaveLength(2)
  })

  it('guesses nothing with two cards of one name', () => {
    const two = of({ name: 'RTX 4080' }, { name: 'RTX 4080' })
    const filled = fillFrom(two, of({ name: 'RTX 4080', memoryOursBytes: 7 }, { name: 'RTX 4080', memoryOursBytes: 8 })).read()
    expect(filled.map(({ memoryOursBytes }) => memoryOursBytes)).toEqual([null, null])
  })
})
