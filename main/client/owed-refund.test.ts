import { describe, expect, it } from 'vitest'
import { EmptyContracts, payableNow, RefundPace } from './owed-refund.ts'

const ton = 1_000_000_000n
const day = 86_400
const client = { balance: 4n * ton, unlockAtSec: 1_000 }

describe('what a closed contract would be paid', () => {
  it.each([
    ['as much as the stake covers', { state: 'normal', balance: ton, stake: 2n * ton }, 10n * ton, 2_000, 2n * ton],
    ['not more than it owes', { state: 'normal', balance: ton, stake: 9n * ton }, 20n * ton, 2_000, 4n * ton],
    ['not more than there is', { state: 'normal', balance: ton, stake: 9n * ton }, 3n * ton, 2_000, 2n * ton],
    ['all from a closed proxy', { state: 'closed', balance: 0n, stake: 0n }, 10n * ton, 2_000, 4n * ton],
    ['all from one that is gone', { state: 'normal', balance: 0n, stake: 0n }, 10n * ton, 1_000 + 30 * day, 4n * ton],
    ['nothing a moment earlier', { state: 'normal', balance: 0n, stake: 0n }, 10n * ton, 999 + 30 * day, 0n],
    ['nothing where fees would eat it', { state: 'normal', balance: 0n, stake: ton / 20n }, 10n * ton, 2_000, 0n],
    ['nothing from an empty one', { state: 'closing', balance: 5n * ton, stake: ton }, 4n * ton, 2_000, 0n],
  ] as const)('%s', (_name, proxy, held, nowSec, expected) => {
    expect(payableNow(client, proxy, held, nowSec)).toBe(expected)
  })

  it('nothing without a proxy contract', () => expect(payableNow(client, undefined, 9n * ton, 2_000)).toBe(0n))
})

describe('the pace of asking', () => {
  it('doubles while nothing comes, and begins anew when something came', () => {
    const pace = new RefundPace(1_000)
    expect(pace.mayAsk('c', 0)).toBe(true)
    pace.asked('c', 4n, 0)
    expect([pace.mayAsk('c', 999), pace.mayAsk('c', 1_000), pace.mayAsk('other', 0)]).toEqual([false, true, true])
    pace.asked('c', 4n, 1_000)
    expect([pace.mayAsk('c', 2_999), pace.mayAsk('c', 3_000)]).toEqual([false, true])
    pace.asked('c', 3n, 3_000)
    expect([pace.mayAsk('c', 3_999), pace.mayAsk('c', 4_000)]).toEqual([false, true])
    for (let i = 0; i < 20; i++) pace.asked('c', 3n, 0)
    expect([pace.mayAsk('c', 127_999), pace.mayAsk('c', 128_000)]).toEqual([false, true])
  })
})

describe('a contract that is closed and empty', () => {
  it('is done when it stays so: what could not be paid comes back a moment later', () => {
    const empty = new EmptyContracts()
    const [gone, owes] = [
      { state: 'closed', balance: 0n },
      { state: 'closed', balance: 3n * ton },
    ] as const
    expect(empty.saw('c', gone, 'mainnet', 0)).toBe(false)
    expect(empty.saw('c', owes, 'mainnet', 10_000)).toBe(false)
    expect(empty.saw('c', gone, 'mainnet', 70_000)).toBe(false)
    expect(empty.saw('c', gone, 'mainnet', 129_999)).toBe(false)
    expect(empty.saw('c', gone, 'mainnet', 130_000)).toBe(true)
    expect(empty.saw('d', gone, 'local', 0)).toBe(true)
    expect(empty.saw('d', { state: 'closing', balance: 0n }, 'local', 0)).toBe(false)
  })
})
