import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import type { NetworkState } from '../../../../preload/api/system.ts'
import { ApiProvider } from '../../api/api-context.tsx'
import type { ApiClient } from '../../api/client.ts'
import { TextsProvider } from '../../messages/texts.tsx'
import { ElectricityCard } from './electricity-card.tsx'

/** Drawing calls nobody. */
const nobody = {} as ApiClient
const drawn = (chain: NetworkState['chain'], readOnly: boolean): string =>
  renderToStaticMarkup(
    <ApiProvider client={nobody}>
      <TextsProvider language="en">
        <ElectricityCard prices={undefined} network={{ chain, readOnly }} held={false} passedOver={false} arrived={false} />
      </TextsProvider>
    </ApiProvider>,
  )

it('says that coins of every network but the main one are test coins', () => {
  for (const chain of ['local', 'testnet'] as const) expect(drawn(chain, false)).toContain('coins are test coins')
  expect(drawn('mainnet', false)).not.toContain('test coins')
})

it('says where nothing is served, so that nothing can come of the prices', () => {
  expect(drawn('mainnet', true)).toContain('serves nothing on this network')
  expect(drawn('local', false)).not.toContain('serves nothing')
})
