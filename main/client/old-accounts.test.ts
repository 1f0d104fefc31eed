import { toNano } from '@ton/core'
import { expect, it } from 'vitest'
import type { ClientState } from '../../contracts/client.ts'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal } from '../base/signal.ts'
import { localParams } from '../localnet/genesis.ts'
import { bystander } from '../localnet/testing.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { AccountRecord } from './account-store.ts'
import { OldAccounts } from './old-accounts.ts'

const network = bystander(8)
const record: AccountRecord = {
  contract: bystander(1),
  network: network.toString(),
  owner: bystander(2),
  proxyContract: bystander(3),
  endpoint: '127.0.0.1:9',
  proxyKey: new Uint8Array(32),
  params: { ...localParams, paramsVersion: 1, proxyDelaySec: 0 },
  consented: true,
  openingTopUp: 0n,
  openingAfterLt: 0n,
  signedTokens: 0n,
  signedBoc: null,
  dbTokens: 0n,
  maxTokens: 0n,
  closed: false,
} as AccountRecord

it.each(['seen before it is undone', 'not seen'] as const)(
  'a first request that the proxy contract refuses is repeated at a growing pace only: each costs fees (its effect was %s)',
  async (seen) => {
    const params = { ...localParams, paramsVersion: 2 }
    const root = new Signal<RootConfig | null>({ ...scriptedNetwork.root, address: network, readAtMs: 0, params, proxies: [] })
    const normal = { state: 'normal', balance: toNano('5'), tokensUsed: 0n, unlockAtSec: 0 } as ClientState
    const asked: number[] = []
    const accounts = {
      list: () => [record],
      read: async () => normal,
      payable: async () => 0n,
      requestRefund: async (): Promise<ClientState> => {
        asked.push(Date.now())
        if (seen === 'not seen') throw new Failure('not-confirmed', 'The contract does not show its effect.')
        return { ...normal, state: 'closing' }
      },
    }
    const old = new OldAccounts({ root, accounts, logger: silentLogger, everyMs: 5, owedPauseMs: 200 })
    const stopping = new AbortController()
    const running = old.run(stopping.signal)
    await pause(1_500)
    stopping.abort()
    await running
    expect(asked.length).toBeGreaterThanOrEqual(1)
    // After 0, 200, 600 and 1,400 ms.
    expect(asked.length).toBeLessThanOrEqual(4)
    expect(old.returning.value).toMatchObject([{ phase: 'waiting', amount: toNano('5') }])
  },
)
