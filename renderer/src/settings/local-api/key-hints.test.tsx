import type { ReactNode } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { GatewayDay } from '../../../../preload/api/gateway.ts'
import { TextsProvider } from '../../messages/texts.tsx'
import { LimitHint, UnknownModels } from './key-hints.tsx'
import { shortModel } from './short-model.ts'
import { Spent } from './spent.tsx'

/** Its text, without the spaces that keep an amount together. */
const drawn = (children: ReactNode, language: 'en' | 'ru' = 'en'): string =>
  renderToStaticMarkup(<TextsProvider language={language}>{children}</TextsProvider>).replaceAll(/[\u00a0\u202f]/g, ' ')

const today: GatewayDay = { requests: 3, promptTokens: 9, completionTokens: 9, spent: 0n, unsure: 0n, reserved: 0n }
const dailyLimit = 10_000_000_000n

it('a key that pays for nothing shows no limit, unless it spent something today', () => {
  for (const level of ['computer', 'external'] as const) {
    expect(drawn(<Spent of={{ level, dailyLimit, today }} />)).toBe('Free')
    expect(drawn(<Spent of={{ level, dailyLimit, today }} />, 'ru')).toBe('Бесплатно')
    const paid = { ...today, spent: 200_000_000n }
    expect(drawn(<Spent of={{ level, dailyLimit, today: paid }} />)).toContain('0.200 TON of 10.000 TON')
  }
  expect(drawn(<Spent of={{ level: 'practice', dailyLimit, today }} />)).toContain('0 TON of 10.000 TON')
  const held = { ...today, reserved: 314_000_000n, unsure: 1_000_000_000n }
  expect(drawn(<Spent of={{ level: 'practice', dailyLimit, today: held }} />)).toMatch(
    /0\.314 TON held back.*up to 1\.000 TON more/,
  )
})

it('a limit that lets no request through is told before it is kept', () => {
  const least = 300_000_000n
  expect(drawn(<LimitHint limit={299_999_999n} least={least} />)).toMatch(/role="alert".*0\.300 TON at least.*none is answered/)
  for (const limit of [least, null]) {
    const html = drawn(<LimitHint limit={limit} least={least} />)
    expect(html).toContain('0.300 TON at least. It usually costs far less.')
    expect(html).not.toContain('alert')
  }
  expect(drawn(<LimitHint limit={0n} least={undefined} />)).toBe('')
})

it('names that no model has are told', () => {
  const known = ['local/a', 'network/a']
  expect(drawn(<UnknownModels names={['local/a', 'network/a']} known={known} />)).toBe('')
  expect(drawn(<UnknownModels names={[]} known={known} />)).toBe('')
  expect(drawn(<UnknownModels names={['local/a', 'lokal/a']} known={known} />)).toContain('No model has this name now: lokal/a')
  expect(drawn(<UnknownModels names={['x', 'y']} known={known} />)).toContain('No models have these names now: x, y')
})

it.each([
  ['local/model', 'local/model'],
  ['network/maker/series/model', 'network/model'],
  ['local/maker/series/model', 'local/model'],
  ['external/hostile/endless', 'external/hostile/endless'],
  ['external/llamacpp/data/models/a.gguf', 'external/llamacpp/a.gguf'],
  [null, ''],
])('%s is listed as %s', (name, short) => {
  expect(shortModel(name)).toBe(short)
})
