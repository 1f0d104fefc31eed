import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { telemetry } from '../../preload/api/system.ts'
import { parseIoreg, watchApple } from './apple-watch.ts'
import { type GpuWatch, joinWatches } from './gpu-reading.ts'
import { keepRunning, Lines, type RunLines, runLines } from './line-process.ts'
import { ProcessTable, parseGpuLine, throttlingOf, watchNvidia } from './nvidia-watch.ts'
import { watchSysfs } from './sysfs-watch.ts'
import { readTelemetry, sharedWatch, systemTelemetry } from './telemetry.ts'
import { fakeProc, fdinfo } from './testing/fake-proc.ts'

const soon = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 60_000, interval: 10 })

/** Written by hand after the documented columns of nvidia-smi (`--help-query-gpu`): a busy card at its power limit, and one that tells little. */
const busy = '0, NVIDIA GeForce RTX 4080 SUPER, 00000000:01:00.0, 97, 16376, 9000, 71, 318.20, 320.00, 2640, 0x0000000000000004'
const quiet = '1, NVIDIA T400, 00000000:02:00.0, [N/A], 2048, 0, 40, [Not Supported], [N/A], 0, [N/A]'
/** Written by hand after the manual's description of `nvidia-smi pmon -s um -o T`. */
const processHead = [
  '#Time        gpu         pid   type     sm    mem    enc    dec    jpg    ofa     fb   ccpm    command ',
  '#HH:MM:SS    Idx           #    C/G      %      %      %      %      %      %     MB     MB    name ',
]
const second = (time: string, ...rows: readonly string[]): string[] => rows.map((row) => ` ${time} ${row}`)

describe('lines of nvidia-smi', () => {
  it('keep zeros as zeros and unknown as unknown', () => {
    expect(parseGpuLine(busy)).toEqual({
      index: 0,
      reading: {
        ...{ name: 'NVIDIA GeForce RTX 4080 SUPER', vendor: 'nvidia', pciId: '00000000:01:00.0', utilisationPercent: 97 },
        ...{ memoryTotalBytes: 16_376 * 2 ** 20, memoryUsedBytes: 9000 * 2 ** 20, memoryOursBytes: null },
        ...{ temperatureC: 71, powerW: 318.2, powerLimitW: 320, clockMHz: 2640, throttling: 'power' },
      },
    })
    expect(parseGpuLine(quiet)?.reading).toMatchObject({
      ...{ utilisationPercent: null, memoryUsedBytes: 0, powerW: null, powerLimitW: null, clockMHz: 0, throttling: null },
    })
  })

  it.each([
    '',
    'No devices were found',
    'Failed to initialize NVML: Driver/library version mismatch',
    `${busy}, 1`,
    '0, a, b, -5',
  ])('ignore %j', (line) => expect(parseGpuLine(line)).toBeUndefined())

  it.each([
    ['0x0000000000000000', 'none'],
    ['0x0000000000000001', 'none'],
    ['0x0000000000000020', 'thermal'],
    ['0x0000000000000044', 'thermal'],
    ['0x0000000000000080', 'power'],
    ['0x0000000000000008', 'other'],
    ['Active', null],
  ])('read the reasons %s as %s', (active, throttling) => expect(throttlingOf(active)).toBe(throttling))
})

describe('ProcessTable', () => {
  const take = (lines: readonly string[]): ProcessTable => {
    const table = new ProcessTable()
    for (const line of lines) table.take(line, (index) => `pci${index}`)
    return table
  }

  it('tells the processes of the last whole second by the names of the columns', () => {
    const table = take([
      ...processHead,
      ...second(
        '12:00:01',
        '0 4242 C 88 60 - - - - 8100 0 node',
        '0 900 C+G 12 3 - - - - 410 0 some game.exe',
        '1 - - - - - - - - - - -',
      ),
      ...second('12:00:02', '0 4242 C 90 60 - - - - 8100 0 node'),
    ])
    expect(table.processes).toEqual([
      { pid: 4242, name: 'node', pciId: 'pci0', draws: false, utilisationPercent: 88, memoryBytes: 8100 * 2 ** 20 },
      { pid: 900, name: 'some game.exe', pciId: 'pci0', draws: true, utilisationPercent: 12, memoryBytes: 410 * 2 ** 20 },
    ])
  })

  it('says nothing before a second is whole, and an empty list when all ended', () => {
    expect(take([...processHead, ...second('12:00:01', '0 4242 C 88 60 - - - - 8100 0 node')]).processes).toBeUndefined()
    const idle = '0 - - - - - - - - - - -'
    expect(take([...processHead, ...second('12:00:01', idle), ...second('12:00:02', idle)]).processes).toEqual([])
  })

  it('knows an older head with fewer columns, and ignores what is no row', () => {
    const head = '#Time gpu pid type sm mem enc dec fb command'
    const lines = [head, ...second('12:00:01', '0 7 G - - - - - Xorg'), 'garbage', ...second('12:00:02', '0 7 G - - - - 30 Xorg')]
    expect(take(lines).processes).toEqual([
      { pid: 7, name: 'Xorg', pciId: 'pci0', draws: true, utilisationPercent: null, memoryBytes: null },
    ])
    expect(take(second('12:00:01', '0 7 G 1 1 - - 1 Xorg')).processes).toBeUndefined()
  })
})

describe('watchNvidia', () => {
  /** A program that only the test writes for. */
  function scripted(): { run: RunLines; cards: (line: string) => void; table: (line: string) => void; ended: string[] } {
    const writers = new Map<string, (line: string) => void>()
    const ended: string[] = []
    const run: RunLines = (_, args, onLine) => {
      const kind = args[0] === 'pmon' ? 'pmon' : 'cards'
      writers.set(kind, onLine)
      return () => ended.push(kind)
    }
    return { run, cards: (line) => writers.get('cards')?.(line), table: (line) => writers.get('pmon')?.(line), ended }
  }

  it('says of each card what of its memory is ours', () => {
    const tool = scripted()
    const watch = watchNvidia({ run: tool.run, ourPids: () => new Set([4242, 4243]) })
    expect([watch.read(), watch.processes()]).toEqual([[], null])
    for (const line of [quiet, busy]) tool.cards(line)
    expect(watch.read().map(({ name, memoryOursBytes }) => [name, memoryOursBytes])).toEqual([
      ['NVIDIA GeForce RTX 4080 SUPER', null],
      ['NVIDIA T400', null],
    ])
    const rows = ['0 4242 C 88 60 - - - - 8100 0 node', '0 900 C+G 12 3 - - - - 410 0 game', '1 900 G 0 0 - - - - 5 0 game']
    for (const line of [...processHead, ...second('12:00:01', ...rows), ...second('12:00:02', ...rows)]) tool.table(line)
    expect(watch.read().map(({ memoryOursBytes }) => memoryOursBytes)).toEqual([8100 * 2 ** 20, 0])
    expect(watch.processes()).toHaveLength(3)
    watch.close()
    expect(tool.ended.sort()).toEqual(['cards', 'pmon'])
  })

  it('shows nothing that a hanging tool said long ago', () => {
    const tool = scripted()
    let nowMs = 0
    const watch = watchNvidia({ run: tool.run, ourPids: () => new Set([4242]), now: () => nowMs })
    const row = '0 4242 C 88 60 - - - - 8100 0 node'
    for (const line of [quiet, busy]) tool.cards(line)
    for (const line of [...processHead, ...second('12:00:01', row), ...second('12:00:02', row)]) tool.table(line)
    nowMs = 4_000
    tool.cards(busy)
    expect([watch.read().length, watch.processes()?.length]).toEqual([2, 1])
    nowMs = 6_000
    expect(watch.read()).toMatchObject([{ name: 'NVIDIA GeForce RTX 4080 SUPER', memoryOursBytes: null }])
    expect(watch.processes()).toBeNull()
    nowMs = 10_000
    expect(watch.read()).toEqual([])
    tool.cards(quiet)
    expect(watch.read()).toHaveLength(1)
    watch.close()
  })

  it.runIf(process.platform !== 'win32')('keeps the real kind of program running', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'cocoon-smi-')), 'nvidia-smi')
    // The shell becomes the sleeping program, so that ending it ends all.
    writeFileSync(path, `#!/bin/sh\ncase "$1" in pmon) exit 1;; esac\necho '${busy}'\nexec sleep 60\n`)
    chmodSync(path, 0o755)
    const watch = watchNvidia({ command: path, ourPids: () => new Set() })
    await soon(() => expect(watch.read()).toHaveLength(1))
    expect(watch.processes()).toBeNull()
    watch.close()
  })

  it('gives up a program that is not there after a second try', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const starts: string[] = []
      let ends = 0
      const run: RunLines = (command, args, onLine, onEnd) => {
        starts.push(args[0] === 'pmon' ? 'pmon' : 'cards')
        return runLines(command, args, onLine, () => {
          ends++
          onEnd()
        })
      }
      const none = watchNvidia({ command: join(tmpdir(), 'cocoon-no-such-tool'), run, ourPids: () => new Set() })
      for (let minute = 0; minute < 10; minute++) {
        await new Promise((resolve) => setImmediate(resolve))
        await vi.advanceTimersByTimeAsync(60_000)
      }
      expect(starts).toEqual(['cards', 'pmon', 'cards', 'pmon'])
      expect(ends).toBe(4)
      expect(none.read()).toEqual([])
      none.close()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('keepRunning', () => {
  it('starts a program again that ended, and forgets what it said meanwhile', async () => {
    vi.useFakeTimers()
    try {
      const ends: (() => void)[] = []
      const lines: string[] = []
      let lost = 0
      const run: RunLines = (_command, _args, onLine, onEnd) => {
        ends.push(onEnd)
        onLine(`start ${ends.length}`)
        return () => undefined
      }
      const stop = keepRunning({ run, command: 'x', args: [], onLine: (line) => lines.push(line), onLost: () => lost++ })
      ends[0]?.()
      expect([lines, lost]).toEqual([['start 1'], 1])
      await vi.advanceTimersByTimeAsync(1_000)
      expect(lines).toEqual(['start 1', 'start 2'])
      ends[1]?.()
      stop()
      await vi.advanceTimersByTimeAsync(100_000)
      expect(lines).toHaveLength(2)
    } finally {
      vi.useRealTimers()
    }
  })

  it('gives up a program that never says anything', async () => {
    vi.useFakeTimers()
    try {
      let starts = 0
      const run: RunLines = (_command, _args, _onLine, onEnd) => {
        starts++
        queueMicrotask(onEnd)
        return () => undefined
      }
      keepRunning({ run, command: 'x', args: [], onLine: () => undefined })
      await vi.advanceTimersByTimeAsync(600_000)
      expect(starts).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })

  it('passes no endless line on', async () => {
    const lines: string[] = []
    const script = `process.stdout.write('x'.repeat(1e6) + '\\nend\\n')`
    await new Promise<void>((resolve) => void runLines(process.execPath, ['-e', script], (line) => lines.push(line), resolve))
    await soon(() => expect(lines).toEqual(['end']))
  })

  it('holds little of a line without an end, and cuts lines wherever they come apart', () => {
    const found: string[] = []
    const lines = new Lines((line) => found.push(line))
    for (let part = 0; part < 1000; part++) {
      lines.take('x'.repeat(1000))
      expect(lines.held).toBeLessThanOrEqual(4096)
    }
    for (const part of ['\n', 'on', 'e\r', '\ntwo\n\nth', 'ree\n', 'x'.repeat(4096), '\n', 'y'.repeat(4097), '\nrest'])
      lines.take(part)
    expect(found).toEqual(['one', 'two', '', 'three', 'x'.repeat(4096)])
    expect(lines.held).toBe(4)
  })
})

function fileTree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cocoon-sysfs-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${text}\n`)
  }
  return root
}
const device = 'sys/class/drm/card0/device'

describe('watchSysfs', () => {
  /**
   * Radeon RX Vega 56 under amdgpu, as kept in tests/data/vega56 of the crate amdgpu-sysfs 0.21.0 and told in its tests/vega56.rs: ids, memory and load;
   * its sensors, and the second card, are written by hand.
   */
  const vega = {
    [`${device}/uevent`]: 'DRIVER=amdgpu\nPCI_ID=1002:687F\nPCI_SLOT_NAME=0000:03:00.0',
    [`${device}/device`]: '0x687f',
    [`${device}/gpu_busy_percent`]: '0',
    [`${device}/mem_info_vram_total`]: String(8176 * 2 ** 20),
    [`${device}/mem_info_vram_used`]: String(16_224 * 2 ** 10),
    [`${device}/hwmon/hwmon2/temp1_input`]: '31000',
    [`${device}/hwmon/hwmon2/power1_average`]: '4000000',
    [`${device}/hwmon/hwmon2/power1_cap`]: '150000000',
    [`${device}/hwmon/hwmon2/freq1_input`]: '27000000',
    'sys/class/drm/card0-DP-1/status': 'connected',
  }

  it('reads an AMD card, zeros as zeros', () => {
    const [card, ...rest] = watchSysfs({ root: fileTree(vega), ourPids: () => new Set() }).read()
    expect(rest).toEqual([])
    expect(card).toEqual({
      ...{ name: 'AMD GPU 0x687f', vendor: 'amd', pciId: '0000:03:00.0', utilisationPercent: 0, throttling: null },
      ...{ memoryTotalBytes: 8_573_157_376, memoryUsedBytes: 16_613_376, memoryOursBytes: null },
      ...{ temperatureC: 31, powerW: 4, powerLimitW: 150, clockMHz: 27 },
    })
  })

  it('tells of programs on its cards, and what of their memory is ours', () => {
    const proc = fakeProc()
    for (const [path, text] of Object.entries(vega)) proc.write(path, text)
    const file = (client: number, kib: number): readonly [string, string] => [
      '/dev/dri/renderD128',
      fdinfo('amdgpu', '0000:03:00.0', client, [`drm-memory-vram:\t${kib} KiB`]),
    ]
    proc.program(77, 'engine', { 4: file(1, 1000), 5: file(1, 1000), 6: file(2, 24) })
    proc.program(78, 'game', { 3: file(3, 9999) })
    const watch = watchSysfs({ root: proc.root, ourPids: () => new Set([77]) })
    expect(watch.read()[0]?.memoryOursBytes).toBe(1024 * 2 ** 10)
    expect(watch.processes()?.map(({ pid, name, pciId }) => [pid, name, pciId])).toEqual([
      [77, 'engine', '0000:03:00.0'],
      [78, 'game', '0000:03:00.0'],
    ])
    expect(watchSysfs({ root: fileTree({}), ourPids: () => new Set() }).processes()).toBeNull()
  })

  it('reads an Intel card under i915: power by its energy, and no load, which its driver does not tell', () => {
    /** Written by hand after the ABI documentation of i915. */
    const arc = {
      [`${device}/uevent`]: 'DRIVER=i915\nPCI_SLOT_NAME=0000:03:00.0',
      [`${device}/product_name`]: 'Intel Arc A770',
      [`${device}/hwmon/hwmon0/energy1_input`]: '1000000',
      'sys/class/drm/card0/gt_act_freq_mhz': '2400',
      'sys/class/drm/card0/gt/gt0/throttle_reason_status': '1',
      'sys/class/drm/card0/gt/gt0/throttle_reason_thermal': '1',
    }
    const root = fileTree(arc)
    let nowMs = 0
    const watch = watchSysfs({ root, ourPids: () => new Set(), now: () => nowMs })
    expect(watch.read()[0]).toMatchObject({ name: 'Intel Arc A770', powerW: null, clockMHz: 2400, throttling: 'thermal' })
    nowMs = 2000
    writeFileSync(join(root, device, 'hwmon/hwmon0/energy1_input'), '301000000\n')
    expect(watch.read()[0]).toMatchObject({ powerW: 150, utilisationPercent: null, memoryUsedBytes: null, temperatureC: null })
    // Another look right after it: the last power holds, and the next one is of the whole time since.
    const at = (ms: number, joule: number): number | null | undefined => {
      nowMs = ms
      writeFileSync(join(root, device, 'hwmon/hwmon0/energy1_input'), `${joule * 1e6}\n`)
      return watch.read()[0]?.powerW
    }
    expect([at(2_010, 304), at(2_499, 310), at(3_000, 401), at(3_000, 401), at(4_000, 1), at(5_000, 61)]).toEqual([
      150,
      150,
      100,
      100,
      null,
      60,
    ])
  })

  it('sees several cards in their order and ignores drivers without anything to compute', () => {
    const root = fileTree({
      'sys/class/drm/card10/device/uevent': 'DRIVER=amdgpu\nPCI_SLOT_NAME=0000:0a:00.0',
      'sys/class/drm/card2/device/uevent': 'DRIVER=amdgpu\nPCI_SLOT_NAME=0000:02:00.0',
      'sys/class/drm/card1/device/uevent': 'DRIVER=bochs-drm',
    })
    const cards = watchSysfs({ root, ourPids: () => new Set() }).read()
    expect(cards.map(({ pciId }) => pciId)).toEqual(['0000:02:00.0', '0000:0a:00.0'])
    expect(cards[0]).toMatchObject({ utilisationPercent: null, memoryUsedBytes: null, powerW: null })
    expect(watchSysfs({ root: fileTree({}), ourPids: () => new Set() }).read()).toEqual([])
  })
})

describe('watchApple', () => {
  /** Written by hand after the form of `ioreg -c IOAccelerator`. */
  const text = `+-o AGXAcceleratorG13X  <class AGXAcceleratorG13X, id 0x100000381>
    {
      "model" = "Apple M1 Pro"
      "PerformanceStatistics" = {"In use system memory"=1258291200,"Device Utilization %"=0,"Tiler Utilization %"=3}
    }
`
  it('reads load and memory, and claims nothing else', async () => {
    expect(parseIoreg(text)).toMatchObject([
      {
        name: 'Apple M1 Pro',
        vendor: 'apple',
        utilisationPercent: 0,
        memoryUsedBytes: 1_258_291_200,
        temperatureC: null,
        powerW: null,
      },
    ])
    expect(parseIoreg('nothing')).toEqual([])
    const watch = watchApple({ run: async () => text })
    await soon(() => expect(watch.read()).toHaveLength(1))
    watch.close()
    const without = watchApple({ run: async () => null })
    expect(without.read()).toEqual([])
    without.close()
  })
})

describe('telemetry of several cards', () => {
  const fake = (closed: () => void): GpuWatch => {
    const cards = [busy, quiet].flatMap((line) => parseGpuLine(line)?.reading ?? [])
    return { read: () => cards, processes: () => null, close: closed }
  }

  it('has the form the page takes, and closes the watch with its reader', async () => {
    let closed = 0
    const control = new AbortController()
    for await (const value of readTelemetry(
      control.signal,
      systemTelemetry(() => fake(() => closed++)),
      5,
    )) {
      expect(telemetry.parse(value).gpus.map(({ name, throttling }) => [name, throttling])).toEqual([
        ['NVIDIA GeForce RTX 4080 SUPER', 'power'],
        ['NVIDIA T400', null],
      ])
      expect(closed).toBe(0)
      control.abort()
    }
    expect(closed).toBe(1)
  })

  it('opens one watch for all who look', () => {
    const log: string[] = []
    const open = sharedWatch(() => {
      log.push('open')
      return fake(() => log.push('close'))
    })
    const [first, other] = [open(), open()]
    first.close()
    first.close()
    expect(log).toEqual(['open'])
    other.close()
    expect(log).toEqual(['open', 'close'])
    open().close()
    expect(log).toEqual(['open', 'close', 'open', 'close'])
  })

  it('joins sources; processes are unknown only where none tells of any', () => {
    const silent = fake(() => undefined)
    expect(joinWatches([silent, silent]).read()).toHaveLength(4)
    expect(joinWatches([silent]).processes()).toBeNull()
    expect(joinWatches([silent, { ...silent, processes: () => [] }]).processes()).toEqual([])
  })
})
