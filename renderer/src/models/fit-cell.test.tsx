import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import { TextsProvider } from '../messages/texts.tsx'
import { FitCell } from './fit-cell.tsx'

it('promises nothing of a download for a file that is here', () => {
  const drawn = (isHere: boolean): string =>
    renderToStaticMarkup(<TextsProvider language="en">{<FitCell fit={undefined} isHere={isHere} />}</TextsProvider>)
  expect(drawn(false)).toContain('Known after the download')
  expect(drawn(true)).toContain('>–<')
})
