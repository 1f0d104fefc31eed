import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { Bar } from './bar.tsx'

const parts = (percent: number, second?: number): Array<readonly [part: string, width: string]> =>
  [
    ...renderToStaticMarkup(<Bar percent={percent} {...(second === undefined ? {} : { second })} />).matchAll(
      /<i data-part="(\d)" style="width:([\d.]+)%/g,
    ),
  ].map(([, part = '', width = '']) => [part, width])

describe('a bar of two parts', () => {
  it('is whole when one part is everything: nothing is drawn that would part it', () => {
    expect(parts(100, 0)).toEqual([['1', '100']])
    expect(parts(0, 100)).toEqual([['2', '100']])
    expect(parts(0, 0)).toEqual([])
  })

  it('shows both parts, and never more than the whole', () => {
    expect(parts(30, 70)).toEqual([
      ['1', '30'],
      ['2', '70'],
    ])
    expect(parts(140)).toEqual([['1', '100']])
  })
})
