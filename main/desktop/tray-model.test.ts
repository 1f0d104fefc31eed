import { describe, expect, it } from 'vitest'
import type { EarnState } from '../../preload/api/earn.ts'
import { noPrices } from '../../preload/api/electricity.ts'
import { figureTon, trayModel } from './tray-model.ts'

const noUse = {
  ...{ servingMs: 0, measuredMs: 0, drawnJ: 0, restJ: 0, socketJ: 0 },
  ...{ costMicros: null, worthMicros: null, netMicros: null },
}
const state = (change: Partial<EarnState>): EarnState => ({
  status: 'waiting',
  title: 'Ready, waiting for requests',
  line: '',
  tile: 'Waiting',
  network: 'local',
  running: 0,
  today: 0n,
  last7Days: 0n,
  lifetime: 0n,
  counted: 0n,
  pending: 0n,
  settled: 0n,
  settleable: 0n,
  settleFeeEstimate: 0n,
  todayByHalfHour: Array.from({ length: 48 }, () => 0n),
  requests: [],
  payouts: [],
  answered: 0,
  cancelled: 0,
  failed: 0,
  electricity: { prices: noPrices, source: 'nothing', today: noUse, last7Days: noUse },
  ...change,
})

const commandsOf = (change: Partial<EarnState>): string[] =>
  trayModel(state(change)).menu.flatMap((item) => (item.type === 'command' ? [item.command] : []))

describe('tray model', () => {
  it('says the state, the amount and that local coins are test coins', () => {
    const model = trayModel(state({ status: 'earning', tile: 'Earning', title: 'Earning', today: 412_000_000n }))
    expect(model.icon).toBe('earning')
    expect(model.tooltip).toBe('Cocoon, earning. Today 0.412 test TON')
    expect(model.menu[0]).toEqual({ type: 'state', label: 'Earning' })
  })

  it('calls the coins of the main network what they are, and those of the test network too', () => {
    expect(trayModel(state({ network: 'mainnet' })).tooltip).toBe('Cocoon, waiting. Today 0 TON')
    expect(trayModel(state({ network: 'testnet' })).tooltip).toBe('Cocoon, waiting. Today 0 test TON')
  })

  it('offers Resume instead of Pause while paused, and neither when there is nothing to pause', () => {
    expect(commandsOf({ status: 'paused' })).toEqual(['resume', 'new-chat', 'open', 'settings', 'quit'])
    expect(commandsOf({ status: 'waiting' })).toEqual(['pause', 'new-chat', 'open', 'settings', 'quit'])
    expect(commandsOf({ status: 'paused', pause: { reasons: ['game'], canPassOver: true } })[0]).toBe('anyway')
    expect(commandsOf({ status: 'paused', pause: { reasons: ['battery'], canPassOver: false } })[0]).toBe('new-chat')
    expect(commandsOf({ status: 'error' })).toEqual(['new-chat', 'open', 'settings', 'quit'])
  })

  it('can always be opened and quit, also before the core has spoken', () => {
    const commands = trayModel(null).menu.flatMap((item) => (item.type === 'command' ? [item.command] : []))
    expect(commands).toEqual(['new-chat', 'open', 'settings', 'quit'])
  })

  it.each([
    [412_345_678n, '0.412'],
    [41_299_999n, '0.0412'],
    [126_080n, '0.000126'],
    [12_000_000_000n, '12'],
    [1_999_999_999n, '1.999'],
    [0n, '0'],
  ])('writes %d nano as %s, never rounding up', (nano, text) => {
    expect(figureTon(nano)).toBe(text)
  })
})
