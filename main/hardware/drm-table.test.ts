import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DrmTable } from './drm-table.ts'
import { fakeProc, fdinfo } from './testing/fake-proc.ts'

// All trees here are written by hand; the last test reads this computer's own.

const pciId = '0000:03:00.0'
const node = '/dev/dri/renderD128'
const mib = 2 ** 20

function scene(ours: readonly number[] = []) {
  const proc = fakeProc()
  const now = { ms: 0 }
  const table = new DrmTable({ root: proc.root, pciIds: new Set([pciId]), ourPids: () => new Set(ours), now: () => now.ms })
  /** A second later. */
  const later = (seconds = 1) => {
    now.ms += seconds * 1000
    return table.processes()
  }
  const amd = (client: number, mebibytes: number, gfxNs: number, computeNs = 0): readonly [string, string] => [
    node,
    fdinfo('amdgpu', pciId, client, [
      `drm-resident-vram:\t${mebibytes} MiB`,
      `drm-engine-gfx:\t${gfxNs} ns`,
      `drm-engine-compute:\t${computeNs} ns`,
    ]),
  ]
  return { proc, now, table, later, amd }
}

describe('DrmTable', () => {
  it('tells which programs use a card, how much of it, and which of them draw', () => {
    const { proc, later, table, amd } = scene()
    proc.program(900, 'game.exe', { 0: ['/dev/null'], 7: amd(1, 100, 5e9), 8: amd(2, 20, 0) })
    proc.program(901, 'train', { 3: amd(3, 2048, 0, 1e9) })
    proc.program(902, 'editor', { 3: ['/home/someone/notes'], 4: ['socket:[12345]'] })
    expect(table.processes()).toEqual([
      { pid: 900, name: 'game.exe', pciId, draws: false, utilisationPercent: null, memoryBytes: 120 * mib },
      { pid: 901, name: 'train', pciId, draws: false, utilisationPercent: null, memoryBytes: 2048 * mib },
    ])
    proc.program(900, 'game.exe', { 0: ['/dev/null'], 7: amd(1, 100, 5.5e9), 8: amd(2, 20, 1e8) })
    proc.program(901, 'train', { 3: amd(3, 2048, 0, 1.95e9) })
    expect(later()).toEqual([
      { pid: 900, name: 'game.exe', pciId, draws: true, utilisationPercent: 60, memoryBytes: 120 * mib },
      { pid: 901, name: 'train', pciId, draws: false, utilisationPercent: 95, memoryBytes: 2048 * mib },
    ])
  })

  it('counts a client once, whoever holds it: at the process that was there first, and among ours when one of ours holds it', () => {
    const { proc, table, amd } = scene([51])
    proc.program(50, 'parent', { 4: amd(1, 100, 0), 5: amd(1, 100, 0) })
    proc.program(51, 'child', { 4: amd(1, 100, 0), 6: amd(2, 7, 0) })
    const sizes = table.processes()?.map(({ pid, memoryBytes }) => [pid, memoryBytes])
    expect(sizes).toEqual([
      [50, 100 * mib],
      [51, 7 * mib],
    ])
    expect([table.oursBytes(pciId), table.oursBytes('0000:99:00.0')]).toEqual([107 * mib, null])
  })

  it('knows nothing before it saw a program on a card, and that there is none after the last has ended', () => {
    const { proc, later, amd } = scene()
    expect(later()).toBeNull()
    proc.program(7, 'other card', { 3: [node, fdinfo('nouveau', '0000:01:00.0', 1, [])] })
    proc.program(8, 'no word of the driver', { 3: [node] })
    expect(later()).toBeNull()
    proc.program(9, 'game', { 3: amd(1, 1, 0) })
    expect(later()?.map(({ name }) => name)).toEqual(['game'])
    proc.end(9)
    expect(later()).toEqual([])
  })

  it('leaves out a program that opened a card and never uses it', () => {
    const { proc, later, amd } = scene()
    proc.program(9, 'panel', { 3: amd(1, 0, 0) })
    later()
    expect(later()).toEqual([])
  })

  it('sees a program that begins at the next look, and an old one that opens a card within a minute', () => {
    const { proc, later, amd } = scene()
    proc.program(5, 'old', { 1: ['/dev/null'] })
    later()
    proc.program(5, 'old', { 1: ['/dev/null'], 2: amd(1, 1, 0) })
    proc.program(6, 'young', { 1: ['/dev/null'] })
    expect(later()).toBeNull()
    proc.program(6, 'young', { 1: ['/dev/null'], 2: amd(2, 1, 0) })
    expect(later()?.map(({ name }) => name)).toEqual(['young'])
    expect(later(57)?.map(({ name }) => name)).toEqual(['young'])
    expect(later(1)?.map(({ name }) => name)).toEqual(['old', 'young'])
  })

  it('looks at so many files in one go and no more, ours first, and comes to all of them', () => {
    const { proc, later, table, amd } = scene([999])
    const files = Object.fromEntries(Array.from({ length: 39 }, (_, at) => [at, ['/dev/null'] as const]))
    for (let pid = 100; pid < 110; pid++) proc.program(pid, `p${pid}`, { ...files, 77: amd(pid, 1, 0) })
    proc.program(999, 'us', { ...files, 77: amd(999, 3, 0) })
    const first = table.processes() ?? []
    expect(first.length).toBeLessThan(8)
    expect(table.oursBytes(pciId)).toBe(3 * mib)
    later()
    expect(later()).toHaveLength(11)
  })

  it('comes to old processes also while young ones keep coming', () => {
    const { proc, later, amd } = scene()
    proc.program(5, 'old', { 1: ['/dev/null'] })
    later()
    proc.program(5, 'old', { 1: ['/dev/null'], 2: amd(1, 1, 0) })
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [at, ['/dev/null'] as const]))
    let seen: string[] = []
    for (let second = 0; second < 65; second++) {
      for (let at = 0; at < 8; at++) {
        proc.end(1000 + second * 8 + at - 16)
        proc.program(1000 + second * 8 + at, 'cc', files)
      }
      seen = later()?.map(({ name }) => name) ?? []
    }
    expect(seen).toEqual(['old'])
  })

  it('looks once a second, however many ask', () => {
    const { proc, now, table, amd } = scene()
    proc.program(9, 'game', { 3: amd(1, 1, 0) })
    table.processes()
    proc.program(9, 'game', { 3: amd(1, 2, 0) })
    now.ms = 500
    expect(table.processes()?.[0]?.memoryBytes).toBe(mib)
    now.ms = 1000
    expect(table.processes()?.[0]?.memoryBytes).toBe(2 * mib)
  })

  it('is not broken by files that vanish, cannot be read, are huge, or lie', () => {
    const { proc, later, table, amd } = scene()
    proc.program(10, 'game\u0007\u001b[31m', { 3: amd(1, 1, 0) })
    // Ended between two looks: the link is there, what it tells is not.
    proc.program(11, 'gone', {})
    symlinkSync(node, join(proc.root, 'proc/11/fd/3'))
    // Not readable: the kernel refuses, here by not being a folder.
    proc.write('proc/12/fd', '')
    // What should be a file is none.
    proc.program(13, 'folder', {})
    symlinkSync(node, join(proc.root, 'proc/13/fd/3'))
    mkdirSync(join(proc.root, 'proc/13/fdinfo/3'), { recursive: true })
    proc.program(14, 'huge', { 3: amd(2, 5, 0) })
    truncateSync(join(proc.root, 'proc/14/fdinfo/3'), 2 ** 31)
    proc.program(15, 'liar', { 3: [node, fdinfo('amdgpu', pciId, 3, ['drm-resident-vram:\t99999999999999999999 KiB'])] })
    proc.program(16, 'closed since', { 3: amd(4, 1, 0) })
    writeFileSync(join(proc.root, 'proc/99999999999'), 'no process')
    const names = (list: ReturnType<typeof later>) => list?.map(({ name, memoryBytes }) => [name, memoryBytes])
    const all = [
      ['game  [31m', mib],
      ['huge', 5 * mib],
      ['liar', null],
      ['closed since', mib],
    ]
    expect(names(table.processes())).toEqual(all)
    proc.write('proc/16/fdinfo/3', 'pos:\t0\neventfd-count: 0\n')
    expect(names(later())).toEqual(all.slice(0, 3))
  })

  it.runIf(process.platform === 'linux')('reads the processes of this computer while some of them come and go', async () => {
    const root = mkdtempSync(join(tmpdir(), 'cocoon-real-proc-'))
    symlinkSync('/proc', join(root, 'proc'))
    writeFileSync(join(root, 'renderD128'), '')
    let nowMs = 0
    const table = new DrmTable({ root, pciIds: new Set([pciId]), ourPids: () => new Set([process.pid]), now: () => nowMs })
    // It has a file of that name open, of which the kernel has nothing of a card to tell.
    const script = `exec 5<${root}/renderD128; echo ready; read line`
    const children = Array.from({ length: 5 }, () => spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] }))
    await Promise.all(children.map(({ stdout }) => new Promise((resolve) => stdout.once('data', resolve))))
    for (const child of children) {
      nowMs += 1000
      expect(table.processes()).toBeNull()
      child.kill('SIGKILL')
    }
    expect(table.oursBytes(pciId)).toBeNull()
  })
})
