import { expect, it } from 'vitest'
import { type LimitsState, pauseReasons } from '../../../../preload/api/limits.ts'
import { limits } from '../../../dev/sample-data.ts'
import { makeFormats } from '../../format/use-format.ts'
import { makeIntl, type Say } from '../../messages/texts.tsx'
import { nowOf } from './now-words.ts'

const silent: LimitsState = { ...limits, gpu: { known: false, program: null, percent: null }, gpuTemperatureC: null }
const said = (language: 'en' | 'ru', hasNoCard: boolean, state = silent): unknown[] => {
  const intl = makeIntl(language)
  const t: Say = (id, values) => String(intl.formatMessage({ id }, values))
  return pauseReasons
    .filter((reason) => ['game', 'other-app', 'thermal'].includes(reason))
    .map((reason) => nowOf(state, hasNoCard, reason, t, makeFormats(t, language)))
}

it('tells a computer without a graphics card from a card that does not tell', () => {
  expect(said('en', true)).toEqual(new Array(3).fill('There is no graphics card.'))
  expect(said('ru', true)).toEqual(new Array(3).fill('Видеокарты нет.'))
  for (const text of said('en', false)) expect(text).toMatch(/^Not known: /)
})

it('tells what the computer tells all the same', () => {
  for (const text of said('en', true, limits)) expect(text).toMatch(/Doom|61/)
})
