import { Tooltip } from 'radix-ui'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { TurnSeal } from '../../../preload/api/seal.ts'
import type { Language } from '../format/number.ts'
import { TextsProvider } from '../messages/texts.tsx'
import { TurnSealMark } from './turn-seal.tsx'

const drawn = (seal: TurnSeal, language: Language = 'en'): string =>
  renderToStaticMarkup(
    <TextsProvider language={language}>
      <Tooltip.Provider>
        <TurnSealMark seal={seal} />
      </Tooltip.Provider>
    </TextsProvider>,
  )

const all = [
  'stated-above-worker',
  'adjusted-wrongly',
  'coefficient-above-limit',
  'completion-beyond-tolerance',
  'prompt-beyond-tolerance',
] as const
const direct = {
  scheme: 'direct',
  keyId: 'a'.repeat(64),
  owner: `0:${'b'.repeat(64)}`,
  attestation: 'none',
} as const

it('a bill that does not fit is told with its numbers, and without them where nobody stated any', () => {
  const bill = { statedTokens: '900', workerTokens: '800', answerTokens: 700, expectedTokens: 60, toleratedTokens: 122 }
  const whole = drawn({ ...direct, deviations: [...all], bill })
  expect(whole).toContain('Billed are 700 answer tokens. The text has about 60, and up to 122 are tolerated.')
  const unstated: TurnSeal[] = [
    { scheme: 'v1', receiverKey: 'c'.repeat(64), deviations: [...all] },
    { ...direct, deviations: [...all] },
  ]
  for (const seal of unstated) {
    const html = drawn(seal)
    expect(html).toContain('The bill does not fit to what came')
    expect(html).toContain('More tokens are billed for the question than it can have.')
    for (const gap of ['Billed are', 'The proxy billed', 'adjusted tokens']) expect(html).not.toContain(gap)
    expect(drawn(seal, 'ru')).toContain('Счёт не сходится с тем, что пришло')
    expect(drawn(seal, 'ru')).not.toContain('токенов ответа')
  }
  const only = drawn({ scheme: 'v1', receiverKey: 'c'.repeat(64), deviations: ['completion-beyond-tolerance'] })
  expect(only).toContain('The bill does not fit to what came')
  expect(only).toContain('The receipt keeps the numbers as evidence.')
  expect(drawn({ ...direct, deviations: [] })).not.toContain('The bill')
})
