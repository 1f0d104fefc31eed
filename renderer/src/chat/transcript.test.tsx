import { Tooltip } from 'radix-ui'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { Conversation, Turn } from '../../../preload/api/chat.ts'
import type { Language } from '../format/number.ts'
import { TextsProvider } from '../messages/texts.tsx'
import { Transcript } from './transcript.tsx'

const turn = (id: string, more: Partial<Turn> = {}): Turn => ({
  ...{ id, question: `q-${id}`, answer: `a-${id}`, status: 'done', level: 'computer', model: 'small', createdAtMs: 1 },
  ...more,
})

function drawn(turns: Turn[], language: Language): string {
  const head = { id: 'c', title: 'Chat', level: 'computer', widestLevel: 'computer', pinned: false, updatedAtMs: 1 } as const
  const conversation: Conversation = { ...head, turns }
  return renderToStaticMarkup(
    <TextsProvider language={language}>
      <Tooltip.Provider>
        <Transcript
          conversation={conversation}
          levels={[]}
          onRetry={() => undefined}
          onThisComputer={() => undefined}
          onReceipt={() => undefined}
        />
      </Tooltip.Provider>
    </TextsProvider>,
  )
}

it('what the model did not get is said above the question that it was left out of', () => {
  const turns = [turn('one'), turn('two'), turn('three', { leftOut: 2 })]
  const html = drawn(turns, 'en')
  const at = html.indexOf('Earlier messages were not sent to the model: 2 questions with their answers.')
  expect(at).toBeGreaterThan(html.indexOf('a-two'))
  expect(at).toBeLessThan(html.indexOf('q-three'))
  expect(html.match(/class="left-out/g)).toHaveLength(1)
  expect(drawn(turns, 'ru')).toContain('Прежние сообщения не отправлены модели: 2 вопроса с ответами.')
  expect(drawn(turns.slice(0, 2), 'en')).not.toContain('left-out')
})

it('an answer that was cut says so, and how many tokens it has', () => {
  const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 2_048, reasoningTokens: 0 }
  expect(drawn([turn('one', { cut: true, usage })], 'en')).toContain('Cut off after 2,048 tokens')
  expect(drawn([turn('one', { usage })], 'en')).not.toContain('Cut off')
})

it('what earlier answers to a question cost is told beside the one that stands', () => {
  const html = drawn([turn('one', { earlierCost: 27_600_000n })], 'en')
  expect(html).toContain('for earlier answers')
  expect(html).toContain('0.0276')
})

it('how a question left is marked below its answer, and a bill that does not fit is said in words', () => {
  const left = { scheme: 'direct' as const, keyId: '1'.repeat(64), owner: `0:${'2'.repeat(64)}`, attestation: 'none' as const }
  const bill = { statedTokens: '990', workerTokens: '330', answerTokens: 3, expectedTokens: 3, toleratedTokens: 36 }
  const sealed = (deviations: readonly 'stated-above-worker'[], language: Language = 'en'): string =>
    drawn([turn('one', { level: 'practice', seal: { ...left, deviations: [...deviations], bill } })], language)
  expect(sealed([])).toContain('Sealed to worker 0:2222222222…222222222222; who that is was not checked.')
  expect(sealed([])).not.toContain('The bill does not fit')
  expect(sealed(['stated-above-worker'])).toContain('The proxy billed 990 adjusted tokens, and the worker stated 330.')
  expect(sealed(['stated-above-worker'], 'ru')).toContain('Счёт не сходится с тем, что пришло')
  const readable = drawn([turn('one', { level: 'practice', seal: { scheme: 'none', reason: 'proxy-without' } })], 'en')
  expect(readable).toContain('Sent readable for the proxy')
  const unsent = drawn([turn('one', { level: 'practice', seal: { scheme: 'none', reason: 'not-sent' } })], 'en')
  expect(unsent).not.toContain('Sent ')
})

it('receipts of answers that were asked anew are offered with the newest', () => {
  const receipt = {} as NonNullable<Turn['receipt']>
  expect(drawn([turn('one', { receipt })], 'en')).toContain('"Save the receipt"')
  expect(drawn([turn('one', { receipt, earlierReceipts: [receipt, receipt] })], 'en')).toContain('receipts of all 3 answers')
  expect(drawn([turn('one')], 'en')).not.toContain('receipt')
})

it('a stop costs nothing where nothing is paid', () => {
  const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 12, reasoningTokens: 0 }
  const stopped = (level: Turn['level']): string => drawn([turn('one', { status: 'stopped', stop: 'ended', level, usage })], 'en')
  for (const level of ['computer', 'devices'] as const) expect(stopped(level)).toContain('You paid nothing')
  expect(stopped('practice')).toContain('You pay for 12 tokens')
})
