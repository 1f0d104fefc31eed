import { describe, expect, it } from 'vitest'
import { hostAndPort, jsonText, oneOf, required, toncoin, UsageError, versionRange, wholeNumber } from './arguments.ts'
import { policyOf } from './common.ts'

it('a policy may be called as newer revisions call it', () => {
  expect(['any', 'fake_tdx', 'tdx', 'fake_tee', 'tee'].map((name) => policyOf('policy', name))).toEqual([
    ...['any', 'fake_tdx', 'tdx'],
    ...['fake_tdx', 'tdx'],
  ])
  expect(() => policyOf('policy', 'sgx')).toThrow(UsageError)
})

describe('words of a command line', () => {
  it('are read', () => {
    expect(wholeNumber('n', '0', 0, 9)).toBe(0)
    expect(toncoin('t', '5')).toBe(5_000_000_000n)
    expect(toncoin('t', '0.000000001')).toBe(1n)
    expect(toncoin('t', '12.5')).toBe(12_500_000_000n)
    expect(hostAndPort('h', '10000')).toEqual({ host: '127.0.0.1', port: 10_000 })
    expect(hostAndPort('h', '0.0.0.0:1')).toEqual({ host: '0.0.0.0', port: 1 })
    expect(hostAndPort('h', '[::1]:80')).toEqual({ host: '::1', port: 80 })
    expect(oneOf('p', 'any', ['any', 'tdx'])).toBe('any')
    expect(versionRange('v', '1-4', 1)).toEqual({ least: 1, most: 4 })
    expect(versionRange('v', '0', 0)).toEqual({ least: 0, most: 0 })
    expect(jsonText('j', '{ "gpu": 1 }')).toBe('{ "gpu": 1 }')
  })

  it.each([
    ['a number with more behind it', () => wholeNumber('n', '1x', 0, 9)],
    ['a number that is too large', () => wholeNumber('n', '10', 0, 9)],
    ['a negative number', () => wholeNumber('n', '-1', 0, 9)],
    ['an empty number', () => wholeNumber('n', '', 0, 9)],
    ['more than nine decimals', () => toncoin('t', '0.0000000001')],
    ['an amount in words', () => toncoin('t', 'five')],
    ['a negative amount', () => toncoin('t', '-1')],
    ['a host without a port', () => hostAndPort('h', 'localhost')],
    ['a port above 65535', () => hostAndPort('h', '1.2.3.4:65536')],
    ['another choice', () => oneOf('p', 'none', ['any'])],
    ['a version that is not known', () => versionRange('v', '1-5', 1)],
    ['a version below the oldest one', () => versionRange('v', '0-2', 1)],
    ['versions upside down', () => versionRange('v', '3-2', 1)],
    ['no versions', () => versionRange('v', '', 0)],
    ['text that is not JSON', () => jsonText('j', 'gpu')],
    ['what is missing', () => required('r', undefined)],
  ])('refuse %s by name', (_name, read) => {
    expect(read).toThrow(UsageError)
    expect(read).toThrow(/^--\w /)
  })
})
