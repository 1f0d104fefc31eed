import { createIntl } from 'react-intl'
import type { Words } from '../../../preload/api/scalars.ts'
import type { Language } from '../format/number.ts'
import { isolated } from '../format/plain-label.ts'
import type { Formats } from '../format/use-format.ts'
import ru from './core.ru.json'

/**
 * What the core says, in other languages: by code with values, or, for sentences that never vary, by the English sentence itself. English is the
 * core's own text.
 */
interface CoreWords {
  say(words: Words, values: Record<string, string | number>): string | undefined
  sentence(text: string): string | undefined
}

function coreWords(
  locale: string,
  { codes, sentences }: { codes: Record<string, string>; sentences: Record<string, string> },
): CoreWords {
  let complete = true
  const intl = createIntl({
    locale,
    messages: codes,
    // A value that the sentence needs and the core did not send.
    onError: () => {
      complete = false
    },
  })
  return {
    say: (words, values) => {
      if (!Object.hasOwn(codes, words.code)) return undefined
      complete = true
      const text = String(intl.formatMessage({ id: words.code }, values))
      return complete ? narrowGroups(text) : undefined
    },
    sentence: (text) => (Object.hasOwn(sentences, text) ? sentences[text] : undefined),
  }
}

const catalogues: Partial<Record<Language, CoreWords>> = { ru: coreWords('ru', ru) }

/** Amounts (those of money of the world beside their `currency`) and times by the ends of their names; names of strangers cannot move the words beside them. */
function shown(name: string, value: string | number, format: Formats, currency: string): string | number {
  if (name.endsWith('Nano') && /^-?\d{1,30}$/.test(String(value))) return format.exact(BigInt(value))
  if (name.endsWith('Micros') && typeof value === 'number' && /^[A-Z]{3}$/.test(currency)) return format.fiat(value, currency)
  if (name.endsWith('Ms') && typeof value === 'number') return format.clock(value, true)
  return typeof value === 'string' ? isolated(value) : value
}

/** Counts have their groups of three parted by a narrow space (ui.md §9); the plural rules of the messages write a wide one. */
const narrowGroups = (text: string): string => text.replace(/(?<=\d)\u00A0(?=\d)/g, '\u202F')

/** A sentence of the core in the reader's language; the core's English where no other words are known. */
export function sayOfCore(text: string, words: Words | undefined, language: Language, format: Formats): string {
  const catalogue = catalogues[language]
  if (catalogue === undefined) return text
  const currency = String(words?.values?.currency ?? '')
  const values = Object.entries(words?.values ?? {}).map(([name, value]) => [name, shown(name, value, format, currency)] as const)
  return (words && catalogue.say(words, Object.fromEntries(values))) ?? catalogue.sentence(text) ?? text
}
