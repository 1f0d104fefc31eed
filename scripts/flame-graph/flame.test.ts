import { describe, expect, it } from 'vitest'
import { flameOf, type Profile, svgOf } from './flame.ts'

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber })
const profile: Profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 7] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('onread', 'node:net'), children: [4] },
    { id: 4, callFrame: frame('emit', 'node:net'), children: [5, 6] },
    { id: 5, callFrame: frame('push', 'file:///anywhere/main/main/protocol/wire/frames.ts', 9) },
    { id: 6, callFrame: frame('', 'file:///anywhere/main/proxy/<relay>.ts', 41) },
    { id: 7, callFrame: frame('sum', 'file:///anywhere/main/node_modules/@ton/core/dist/x.js') },
  ],
  startTime: 0,
  endTime: 10_000,
  samples: [7, 5, 2, 6, 5, 5],
  timeDeltas: [1_000, 1_000, 2_000, 1_000, 3_000, 2_000],
}

describe('flame graph', () => {
  it('adds up what was called from one place, without idle time and what lies outside the window', () => {
    const flame = flameOf(profile, { lastMs: 7, endMs: 2 })
    expect(flame.us).toBe(6_000)
    const net = flame.calls.get('onread node:net')
    expect(net?.us).toBe(5_000)
    // `emit` of the same module is not a frame of its own.
    expect([...(net?.calls ?? [])].map(([name, { us, kind }]) => [name, us, kind])).toEqual([
      ['push protocol/wire/frames.ts', 4_000, 'own'],
      ['(anonymous:42) <relay>.ts', 1_000, 'own'],
    ])
    expect(flame.calls.get('sum @ton/core')?.us).toBe(1_000)
  })

  it('draws the same bytes whatever order the samples came in, and no letters that end a tag', () => {
    const window = { lastMs: 10, endMs: 0 }
    const drawn = svgOf(flameOf(profile, window), 'a <b>')
    const turned = { ...profile, samples: profile.samples.toReversed(), timeDeltas: profile.timeDeltas.toReversed() }
    expect(svgOf(flameOf(turned, window), 'a <b>')).toBe(drawn)
    expect(drawn).toContain('push protocol/wire/frames.ts: 75.0 %')
    expect(drawn).toContain('&lt;relay&gt;.ts')
    expect(drawn).not.toContain('<relay>')
    expect(drawn).not.toContain('anywhere')
  })
})
