import { describe, expect, it } from 'vitest'
import { payoutsCsv } from './payouts-csv.ts'

describe('the CSV of payouts', () => {
  it('holds exact amounts, received by the owner and lost by the node wallet apart', () => {
    const csv = payoutsCsv([
      {
        id: 'p1',
        startedAtMs: Date.UTC(2026, 10, 22, 21, 42, 7),
        state: 'settled',
        adjustedTokens: 850,
        expected: 127_500_000n,
        ownerReceived: 127_500_000n,
        nodeWalletChange: -8_412_345n,
        transactionHash: '7f3a',
      },
      { id: 'p2', startedAtMs: 0, state: 'failed', adjustedTokens: 1, expected: 1n, transactionHash: '=HYPER("x")' },
    ])
    const lines = csv.split('\r\n')
    expect(lines[1]).toBe('p1,2026-11-22T21:42:07.000Z,settled,850,0.1275,0.1275,-0.008412345,7f3a')
    expect(lines[2]).toBe('p2,1970-01-01T00:00:00.000Z,failed,1,0.000000001,,,"\'=HYPER(""x"")"')
    expect(lines).toHaveLength(4)
  })
})
