import { expect, it } from 'vitest'
import { csvTon } from '../../format/ton.ts'
import { parseTon } from './ton-input.ts'

it.each([
  ['0', 0n],
  ['10', 10_000_000_000n],
  ['0.5', 500_000_000n],
  [' 1,25 ', 1_250_000_000n],
  ['1\u202F000.000000001', 1_000_000_000_001n],
])('reads %s', (text, nano) => {
  expect(parseTon(text)).toBe(nano)
  expect(parseTon(csvTon(nano))).toBe(nano)
})

it.each(['', '.', '-1', '1e3', '1.2.3', '0.0000000001', '1,000.5', 'ten', '1 TON', '10000000000'])('refuses %s', (text) => {
  expect(parseTon(text)).toBeNull()
})
