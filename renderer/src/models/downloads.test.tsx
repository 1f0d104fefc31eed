import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { ModelState } from '../../../preload/api/system.ts'
import { ApiProvider } from '../api/api-context.tsx'
import type { ApiClient } from '../api/client.ts'
import { TextsProvider } from '../messages/texts.tsx'
import { DownloadWords } from './downloads.tsx'
import { RowDownload } from './row-download.tsx'

const loading = (progress?: Partial<NonNullable<ModelState['progress']>>): ModelState => ({
  ...{ id: 'm', name: 'M', licence: null, parameters: null, quantization: null, sizeBytes: null, contextTokens: null },
  ...{ origin: 'catalog', status: 'downloading', sha256: null, path: null, loaded: false },
  ...(progress && { progress: { receivedBytes: 0, totalBytes: null, bytesPerSecond: 2e6, source: 'mirror', ...progress } }),
})
/** Nobody clicks here. */
const nobody: ApiClient = {
  call: () => Promise.reject(new Error('nobody is there')),
  subscribe: () => () => undefined,
  onStatus: () => () => undefined,
  onConnection: () => () => undefined,
  close: () => undefined,
}
const drawn = (shown: React.ReactNode): string =>
  renderToStaticMarkup(
    <ApiProvider client={nobody}>
      <TextsProvider language="en">{shown}</TextsProvider>
    </ApiProvider>,
  ).replaceAll(/[\u00a0\u202f]/g, ' ')

it('shows what came also from a source that does not say how much it sends', () => {
  const words = (progress?: Parameters<typeof loading>[0]) => drawn(<DownloadWords model={loading(progress)} />)
  expect(words()).toBe('Connecting')
  expect(words({})).toBe('Connecting')
  expect(words({ receivedBytes: 3e8 })).toBe('300 MB, 2 MB/s, whole size not told')
  expect(words({ receivedBytes: 3e8, totalBytes: 4e8 })).toMatch(/^300 MB of 400 MB, 2 MB\/s, about 50/)
})

it('has the progress of a download, its pause and its end in the row of the model', () => {
  const row = drawn(<RowDownload model={loading({ receivedBytes: 3e8, totalBytes: 4e8 })} />)
  expect(row).toContain('75% loaded')
  expect(row).toContain('aria-label="Pause"')
  expect(row).toContain('aria-label="Cancel"')
  expect(drawn(<RowDownload model={loading({ receivedBytes: 3e8 })} />)).toContain('Downloading')
  expect(drawn(<RowDownload model={{ ...loading(), status: 'installed' }} />)).toBe('')
})
