import type { CheckedBy, CheckRow, EvidenceItem, Sentence } from '../../../preload/api/privacy.ts'
import type { Words } from '../../base/failure.ts'

/** A sentence with the words by which other languages say it. */
export function said(text: string, { code, values }: Words): Sentence {
  return { text, words: { code, ...(values && { values: { ...values } }) } }
}

export const passed = (id: string, by: CheckedBy, statement: Sentence, sentence: Sentence): CheckRow => ({
  id,
  result: 'passed',
  by,
  statement,
  sentence,
})

export const rowFailed = (id: string, statement: Sentence, sentence: Sentence): CheckRow => ({
  id,
  result: 'failed',
  by: 'here',
  statement,
  sentence,
})

export const notChecked = (id: string, statement: Sentence, sentence: Sentence): CheckRow => ({
  id,
  result: 'not-checked',
  statement,
  sentence,
})

export const evidence = (id: string, form: EvidenceItem['form'], name: Sentence, value: string): EvidenceItem => ({
  id,
  form,
  name,
  value,
})
