import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import type { LevelView, PrivacyLevel, Turn } from '../../../preload/api/chat.ts'
import type { CheckRow, SealState } from '../../../preload/api/privacy.ts'
import { ApiProvider } from '../api/api-context.tsx'
import type { ApiClient } from '../api/client.ts'
import { TextsProvider, useTexts } from '../messages/texts.tsx'
import { FailedNote } from './failed-note.tsx'
import { readingAt, summaryOf, wereOthersReading } from './level.ts'
import { Path } from './path.tsx'

const sealed = (result: CheckRow['result']): SealState => ({
  phase: 'earned',
  report: {
    ...{ connection: 'c', checkedAtMs: 1, evidence: [] },
    rows: [{ id: 'sealed', result, statement: { text: '' }, sentence: { text: '' } }],
  },
})

describe('who could read at the Open network', () => {
  it.each<[string, SealState | undefined, RegExp]>([
    ['the worker’s owner alone where questions are sealed past the proxy', sealed('passed'), /Passes it on.*Owner could read it/],
    [
      'both where they are not',
      sealed('not-checked'),
      /a proxy whose owner could read it.*Owner could read it.*Owner could read it/,
    ],
    ['both while nothing is known', { phase: 'checking' }, /a proxy whose owner could read it/],
    ['both before anything is known', undefined, /a proxy whose owner could read it/],
  ])('%s', (_name, seal, words) => {
    const reading = readingAt('open', seal && { seal })
    const html = renderToStaticMarkup(
      <TextsProvider language="en">
        <Path level="open" reading={reading} tone="open" />
      </TextsProvider>,
    )
    expect(html).toMatch(words)
  })
})

describe.each(['en', 'ru'] as const)('what row and sheet say of the Open network in %s', (language) => {
  function Words({ seal }: { seal: SealState }) {
    const { t } = useTexts()
    const reading = readingAt('open', { seal }) === 'openReadable' ? 'openReadable' : 'open'
    return `${t(`seal.${reading}`, { ago: '', device: '', name: '', host: '' })} ${t(`sheet.${reading}.summary`)}`
  }
  it.each(['passed', 'not-checked'] as const)(
    'is said of the next question alone: earlier ones may have left otherwise (%s)',
    (result) => {
      const html = renderToStaticMarkup(
        <TextsProvider language={language}>
          <Words seal={sealed(result)} />
        </TextsProvider>,
      )
      expect(html.match(/your next question|ваш следующий вопрос/g)).toHaveLength(2)
      expect(html).not.toMatch(/conversation|этот чат/)
    },
  )
})

describe.each(['en', 'ru'] as const)('what the sheet says of a chat that others could read before, in %s', (language) => {
  const answered: Turn = { id: 'a', question: 'q', answer: 'a', status: 'done', level: 'open', model: 'm', createdAtMs: 1 }
  const here: Turn = { ...answered, level: 'computer' }
  const said = (level: PrivacyLevel, widestLevel: PrivacyLevel, turns: Turn[]): string => {
    const Summary = () =>
      useTexts().t(summaryOf(level, undefined, wereOthersReading({ widestLevel, turns })), { device: '', date: '' })
    return renderToStaticMarkup(
      <TextsProvider language={language}>
        <Summary />
      </TextsProvider>,
    )
  }
  const whole = /this conversation|этот (?:чат|разговор)/
  const next = /your next question.*Others could read|ваш следующий вопрос.*могли прочитать и другие/

  it.each<[PrivacyLevel]>([['computer'], ['devices'], ['attested']])(
    'promises nothing of its earlier messages at %s',
    (level) => {
      for (const text of [
        said(level, 'open', [answered, here]),
        said(level, 'external', [here]),
        said(level, 'practice', [{ ...here, level: 'practice', engine: '127.0.0.1:1' }, here]),
      ]) {
        expect(text).toMatch(next)
        expect(text).not.toMatch(whole)
      }
      expect(said(level, 'attested', [here])).toMatch(whole)
      expect(said(level, 'open', [])).toMatch(whole)
    },
  )
})

describe('the note of a check that failed', () => {
  const failed: SealState = { phase: 'failed', reason: { text: 'No quote.' } }
  const drawn = (state: LevelView['state']): string =>
    renderToStaticMarkup(
      <TextsProvider language="en">
        <ApiProvider client={{} as ApiClient}>
          <FailedNote
            state={{ level: 'attested', state, seal: failed } as LevelView}
            onWhy={() => undefined}
            onThisComputer={() => undefined}
          />
        </ApiProvider>
      </TextsProvider>,
    )

  it('is there where the level could be used, and not where it cannot be used at all', () => {
    expect(drawn('ready')).toContain('No quote.')
    for (const state of ['unavailable', 'starting'] as const) expect(drawn(state)).toBe('')
  })
})
