import { describe, expect, it } from 'vitest'
import { parseFdinfo, shareBetween } from './drm-clients.ts'
import { fdinfo } from './testing/fake-proc.ts'

// All files here are written by hand after the kernel's gpu/drm-usage-stats and the drivers' own pages. No such card was at hand.

const pciId = '0000:03:00.0'
const mib = 2 ** 20

describe('parseFdinfo', () => {
  it('reads amdgpu: memory of the card, nanoseconds of its engines', () => {
    const text = fdinfo('amdgpu', pciId, 185, [
      'drm-total-vram:\t60060 KiB',
      'drm-shared-vram:\t0',
      'drm-resident-vram:\t51200 KiB',
      'drm-resident-gtt:\t2 MiB',
      'drm-memory-vram:\t60060 KiB',
      'drm-memory-gtt: \t2048 KiB',
      'drm-engine-gfx:\t8000000000 ns',
      'drm-engine-compute:\t0 ns',
    ])
    expect(parseFdinfo(text)).toEqual({
      ...{ id: '185', pciId, memoryBytes: 50 * mib },
      engines: new Map([
        ['gfx', { busy: 8e9, cycles: null, capacity: 1 }],
        ['compute', { busy: 0, cycles: null, capacity: 1 }],
      ]),
    })
  })

  it('reads xe: cycles out of all cycles, several tiles, equal engines', () => {
    const text = fdinfo('xe', pciId, 9, [
      'drm-total-vram0:\t700 MiB',
      'drm-resident-vram0:\t512 MiB',
      'drm-resident-vram1:\t64 MiB',
      'drm-resident-system:\t4096 KiB',
      'drm-cycles-rcs:\t500',
      'drm-total-cycles-rcs:\t1000',
      'drm-cycles-ccs:\t40',
      'drm-total-cycles-ccs:\t1000',
      'drm-engine-capacity-ccs:\t4',
      'drm-cycles-bcs:\t7',
    ])
    expect(parseFdinfo(text)).toMatchObject({ memoryBytes: 576 * mib })
    expect([...(parseFdinfo(text)?.engines ?? [])]).toEqual([
      ['rcs', { busy: 500, cycles: 1000, capacity: 1 }],
      ['ccs', { busy: 40, cycles: 1000, capacity: 4 }],
    ])
  })

  it.each([
    ['i915 with memory of its own', ['drm-resident-local0:\t128 MiB', 'drm-resident-system0:\t64 MiB'], 128 * mib],
    ['i915 in the processor', ['drm-resident-system0:\t64 MiB', 'drm-resident-stolen-system0:\t1 MiB'], 64 * mib],
    ['xe in the processor', ['drm-resident-system:\t4096 KiB', 'drm-resident-gtt:\t2 MiB'], 6 * mib],
    ['a kernel that only knows the former name', ['drm-memory-vram:\t12 KiB', 'drm-memory-gtt:\t9 MiB'], 12 * 1024],
    ['a kernel that only knows totals', ['drm-total-vram:\t5'], 5],
    ['nothing in use', ['drm-resident-vram:\t0'], 0],
    ['a driver that does not say', ['drm-engine-render:\t1 ns'], null],
  ])('memory of %s', (_, lines, bytes) => expect(parseFdinfo(fdinfo('x', pciId, 1, lines))?.memoryBytes).toBe(bytes))

  it.each([
    ['no client', fdinfo('amdgpu', pciId, 1, []).replace('client-id', 'client')],
    ['no card', fdinfo('amdgpu', pciId, 1, []).replace('drm-pdev', 'drm-dev')],
    ['a card of another form', fdinfo('amdgpu', '../../etc', 1, [])],
    ['another file', 'pos:\t0\nflags:\t02\neventfd-count: 0\n'],
    ['nothing', ''],
  ])('takes none from a file with %s', (_, text) => expect(parseFdinfo(text)).toBeUndefined())

  it('leaves out values that are no numbers', () => {
    const lines = [
      'drm-resident-vram:\t-5 KiB',
      'drm-engine-gfx:\tNaN ns',
      'drm-engine-enc:\t1e9 ns',
      `drm-engine-${'x'.repeat(99)}:\t1 ns`,
    ]
    expect(parseFdinfo(fdinfo('amdgpu', pciId, 1, lines))).toMatchObject({ memoryBytes: null, engines: new Map() })
  })
})

describe('shareBetween', () => {
  const ns = (busy: number, capacity = 1) => ({ busy, cycles: null, capacity })
  const cycles = (busy: number, all: number) => ({ busy, cycles: all, capacity: 1 })
  it.each([
    ['half of a second', ns(0), ns(5e8), 1000, 0.5],
    ['two engines of four', ns(0, 4), ns(2e9, 4), 1000, 0.5],
    ['more than the clock allows', ns(0), ns(2e9), 1000, 1],
    ['a counter that went back', ns(9e9), ns(1e9), 1000, 0],
    ['no time between', ns(0), ns(1), 0, null],
    ['cycles', cycles(100, 1000), cycles(600, 2000), 1, 0.5],
    ['cycles that stand still: the card sleeps', cycles(100, 1000), cycles(100, 1000), 1000, 0],
    ['work without cycles', cycles(100, 1000), cycles(200, 1000), 1000, null],
    ['nanoseconds after cycles', cycles(100, 1000), ns(200), 1000, null],
  ])('%s', (_, before, after, ms, share) => expect(shareBetween(before, after, ms)).toBe(share))
})
