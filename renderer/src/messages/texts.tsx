import { useMemo } from 'react'
import { createIntl, createIntlCache, type IntlShape, RawIntlProvider, useIntl } from 'react-intl'
import type { Language } from '../format/number.ts'
import { isolated } from '../format/plain-label.ts'
import en from './en.json'
import ru from './ru.json'

export type MessageId = keyof typeof en

export const catalogues: Record<Language, Record<MessageId, string>> = { en, ru }

const cache = createIntlCache()

export function makeIntl(language: Language): IntlShape {
  return createIntl({ locale: language, messages: catalogues[language] }, cache)
}

export function TextsProvider({ language, children }: { language: Language; children: React.ReactNode }) {
  const intl = useMemo(() => makeIntl(language), [language])
  return <RawIntlProvider value={intl}>{children}</RawIntlProvider>
}

export type TextValues = Record<string, string | number>
export type Say = (id: MessageId, values?: TextValues) => string

const isolatedValues = (values: TextValues | undefined): TextValues | undefined =>
  values &&
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? isolated(value) : value]))

/**
 * The only way to text: an id of the catalogue, and named values that are formatted already (plurals take the bare number). A value may be a
 * stranger's text: it cannot move the words around it.
 */
export function useTexts(): { readonly t: Say; readonly language: Language } {
  const intl = useIntl()
  return useMemo(
    () => ({
      t: (id, values) => String(intl.formatMessage({ id }, isolatedValues(values))),
      language: intl.locale === 'ru' ? 'ru' : 'en',
    }),
    [intl],
  )
}
