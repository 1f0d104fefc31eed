import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { ModelState } from '../../../preload/api/system.ts'
import { TextsProvider, useTexts } from '../messages/texts.tsx'
import { leavingWords, OwnChip } from './own-file.tsx'

const model = (more: Partial<ModelState>): ModelState => ({
  ...{ id: 'own-1', name: 'mine', licence: null, parameters: null, quantization: null, sizeBytes: 1, contextTokens: null },
  ...{ origin: 'own', status: 'installed', sha256: null, path: '/home/me/mine.gguf', loaded: false },
  ...more,
})
const drawn = (shown: ModelState): string =>
  renderToStaticMarkup(<TextsProvider language="en">{<Both model={shown} />}</TextsProvider>)

function Both({ model }: { model: ModelState }) {
  const { action, title, text } = leavingWords(model, useTexts().t)
  return (
    <>
      <OwnChip model={model} />
      {[title, text, action].join('|')}
    </>
  )
}

it('says of the hash of an own file only what is known', () => {
  const sha256 = 'a'.repeat(64)
  expect(drawn(model({}))).toContain('>Own file<')
  expect(drawn(model({ sha256, own: { isInFolder: false } }))).toContain('>Own file, hash not in the catalog<')
  expect(drawn(model({ sha256, own: { isInFolder: false, sameAs: 'Qwen3 8B' } }))).toContain('>Own file, the same as Qwen3 8B<')
  expect(drawn(model({ origin: 'catalog' }))).not.toContain('Own file')
})

it('says before a deletion whether this very file goes', () => {
  expect(drawn(model({ own: { isInFolder: true } }))).toContain(
    'Delete mine?|This file is your own and lies in the models folder. It is deleted from the disk and cannot be downloaded again.|Delete',
  )
  expect(drawn(model({ own: { isInFolder: false } }))).toContain(
    'Remove mine from the list?|Your file stays where it is: /home/me/mine.gguf|Remove from the list',
  )
  expect(drawn(model({ loaded: true, own: { isInFolder: false } }))).toContain('It is in use now.')
})
