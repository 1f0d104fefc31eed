import { describe, expect, it } from 'vitest'
import { type LinkView, rankLinks } from './link-choice.ts'

interface Named extends LinkView {
  readonly name: string
}
const worker = (coefficient: number, running = 0) => ({ coefficient, running, mostRunning: 4 })
const link = (name: string, change: Partial<LinkView> = {}): Named => ({
  name,
  offers: [{ model: 'm', workers: [worker(1000)] }],
  spendable: undefined,
  running: 0,
  firstWordMs: 300,
  successRate: 1,
  ...change,
})
const order = (...links: Named[]): string =>
  rankLinks(links, { model: 'm', reserve: 500n, maxCoefficient: 2000 })
    .map(({ name }) => name)
    .join(' ')

describe('the order in which proxies are asked', () => {
  it.each([
    ['quicker first', 'b a', [link('a', { firstWordMs: 900 }), link('b')]],
    [
      'cheaper first among equally quick',
      'b a',
      [link('a'), link('b', { offers: [{ model: 'm', workers: [worker(800)] }], firstWordMs: 330 })],
    ],
    [
      'speed before price when it differs much',
      'a b',
      [link('a'), link('b', { offers: [{ model: 'm', workers: [worker(1)] }], firstWordMs: 2_000 })],
    ],
    ['reliable first', 'b a', [link('a', { successRate: 0.2 }), link('b')]],
    ['less busy first', 'b a', [link('a', { running: 3 }), link('b')]],
    ['without the model last', 'b a', [link('a', { offers: [] }), link('b', { firstWordMs: 5_000 })]],
    ['too dear last', 'b a', [link('a', { offers: [{ model: 'm', workers: [worker(2001)] }] }), link('b')]],
    ['full last', 'b a', [link('a', { offers: [{ model: 'm', workers: [worker(900, 4)] }] }), link('b')]],
    ['without the money last', 'b a', [link('a', { spendable: 499n }), link('b', { spendable: 500n })]],
    [
      'unknown ones are met',
      'b a',
      [link('a', { firstWordMs: 3_000 }), link('b', { firstWordMs: undefined, offers: undefined })],
    ],
    ['the same order when nothing differs', 'a b', [link('a'), link('b')]],
  ])('%s', (_name, expected, links) => {
    expect(order(...links)).toBe(expected)
  })
})
