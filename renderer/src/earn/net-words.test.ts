import { expect, it } from 'vitest'
import { makeFormats } from '../format/use-format.ts'
import { makeIntl, type Say } from '../messages/texts.tsx'
import { energyWords, moneyWords, unmeasuredReason } from './net-words.ts'

const use = { servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0, socketJ: 0, costMicros: null, worthMicros: null, netMicros: null }
const intl = makeIntl('en')
const t: Say = (id, values) => String(intl.formatMessage({ id }, values)).replaceAll('\u00a0', ' ')

it('the sentence has the numbers that the energy is made of', () => {
  const format = makeFormats(t, 'en')
  const hours = 1.2
  const seconds = hours * 3_600
  const socketJ = ((214 - 21) * seconds) / 0.9
  const said = energyWords(
    { ...use, measuredMs: seconds * 1_000, drawnJ: 214 * seconds, restJ: 21 * seconds, socketJ },
    t,
    format,
  )
  for (const number of ['214 W', '21 W', '0.9', '1 h 12 min', '0.257 kWh']) expect(said).toContain(number)
  expect(energyWords(use, t, format)).not.toMatch(/\d W/)
})

it('what was not measured has a reason, and what was has none', () => {
  expect(unmeasuredReason(use, 'processor')).toBeUndefined()
  expect(unmeasuredReason({ ...use, servingMs: 9, measuredMs: 9 }, 'silent')).toBeUndefined()
  expect(unmeasuredReason({ ...use, servingMs: 9, measuredMs: 8 }, 'silent')).toBe('silent')
  expect(unmeasuredReason({ ...use, servingMs: 9 }, 'cards')).toBe('before')
})

it('what was measured in part is a bound', () => {
  const fiat = (micros: number): string => `${micros} m`
  const whole = moneyWords({ ...use, servingMs: 9, measuredMs: 9 }, fiat, t)
  const part = moneyWords({ ...use, servingMs: 9, measuredMs: 8 }, fiat, t)
  expect([whole.cost(5), whole.net(4)]).toEqual(['5 m', '4 m'])
  expect([part.cost(5), part.net(4)]).toEqual(['at least 5 m', 'at most 4 m'])
})
