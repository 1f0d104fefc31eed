import { Address, toNano } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { parseRootState, rootData } from '../../contracts/root.ts'
import { wishFromWords } from './operator-words.ts'
import { amount, amountText, duration, durationText, factor, factorText } from './quantities.ts'
import { tonAddress } from './scalars.ts'
import { modelHash, readTerms, rootSeed, warningsOf } from './terms.ts'

const payer = new Address(0, Buffer.alloc(32, 7))
const real = {
  name: 'Mine',
  isTest: true,
  price: '20 nano',
  workerFee: '15 nano',
  proxyDelay: '1 d',
  clientDelay: '1 h',
  minProxyStake: '1 TON',
  minClientStake: '15 TON',
}

describe('amounts and times in words', () => {
  it.each<[string, bigint]>([
    ['20 nano', 20n],
    ['20nano', 20n],
    ['0.5 TON', 500_000_000n],
    ['5 ton', toNano('5')],
    ['0.000000001 TON', 1n],
  ])('reads %s exactly', (text, nano) => {
    expect(amount.parse(text)).toBe(nano)
  })

  it.each(['20', '0.5', '20.5 nano', '-1 TON', '1e9 nano', '1,5 TON', 'TON', '0.0000000001 TON', '20000000000 TON', ''])(
    'refuses %j: an amount without a unit, or that cannot be exact, is a slip',
    (text) => {
      expect(amount.safeParse(text).success).toBe(false)
    },
  )

  it('reads times and factors, and writes them so that they can be read back', () => {
    for (const [text, seconds] of [
      ['60 s', 60],
      ['10 min', 600],
      ['24 h', 86_400],
      ['7d', 604_800],
    ] as const)
      expect(duration.parse(text)).toBe(seconds)
    for (const text of ['60', '2 y', '366 d', '-1 s', '1.5 h']) expect(duration.safeParse(text).success).toBe(false)
    for (const seconds of [1, 59, 60, 90, 3600, 86_400, 100_000]) expect(duration.parse(durationText(seconds))).toBe(seconds)
    for (const [value, parts] of [
      [8, 80_000],
      ['0.1', 1000],
      ['1', 10_000],
      ['0.0001', 1],
    ] as const)
      expect(factor.parse(value)).toBe(parts)
    for (const value of ['80000', 0, -1, '0.00001', 'x8']) expect(factor.safeParse(value).success).toBe(false)
    expect(factorText(1000)).toBe('0.1x')
    expect(amountText(20n)).toBe('20 nano (0.00000002 TON)')
    expect(amountText(toNano('15'))).toBe('15 TON')
  })
})

describe('the terms of a network', () => {
  it('become the first state of its contract', () => {
    const name = 'a/b-Q4@0123:4567'
    const config = {
      ...real,
      multipliers: { prompt: 1, cached: '0.5', completion: 4, reasoning: '4' },
      proxyHashes: ['11'.repeat(32)],
      workerHashes: [Buffer.alloc(32, 0x22).toString('base64')],
      models: [name],
      proxies: ['1.2.3.4:10', '1.2.3.4:10 5.6.7.8:20'],
    }
    const state = parseRootState(rootData(rootSeed(readTerms(config, 'mainnet'), payer)))
    expect(state.owner.equals(payer)).toBe(true)
    expect(state).toMatchObject({
      version: 0,
      lastProxySeqno: 2,
      proxyHashes: new Set(['11'.repeat(32)]),
      workerHashes: new Set(['22'.repeat(32)]),
      modelHashes: new Set([Buffer.from(modelHash(name)).toString('hex')]),
      proxies: [{ seqno: 1 }, { seqno: 2, forWorkers: { host: '1.2.3.4', port: 10 }, forClients: { host: '5.6.7.8', port: 20 } }],
      params: {
        structVersion: 3,
        paramsVersion: 1,
        isTest: true,
        pricePerToken: 20n,
        workerFeePerToken: 15n,
        multipliers: { prompt: 10_000, cached: 5000, completion: 40_000, reasoning: 40_000 },
        proxyDelaySec: 86_400,
        clientDelaySec: 3600,
        minClientStake: toNano('15'),
      },
    })
  })

  it('give the same contract for the same words, and another for another name', () => {
    const data = (config: Record<string, unknown>) => rootData(rootSeed(readTerms(config, 'mainnet'), payer))
    expect(data(real).equals(data({ ...real }))).toBe(true)
    expect(data(real).equals(data({ ...real, name: 'Yours' }))).toBe(false)
  })

  it('have to be complete where coins are real, and have values of their own on the local chain', () => {
    expect(() => readTerms({ name: 'Mine' }, 'mainnet')).toThrow(/isTest.*price.*workerFee/)
    expect(readTerms({ name: 'Mine' }, 'local')).toMatchObject({ price: 200_000n, isTest: true })
    expect(readTerms({ name: 'Mine', price: '7 nano', workerFee: '6 nano' }, 'local').price).toBe(7n)
  })

  it.each<[string, object, RegExp]>([
    ['a fee above the price', { workerFee: '21 nano' }, /more than clients pay/],
    ['no price', { price: '0 nano', workerFee: '0 nano' }, /price of 0/],
    ['a bare number', { price: '20' }, /price: write an amount with its unit/],
    ['an unknown key', { prize: '20 nano' }, /prize/],
    ['a hash that is too short', { modelHashes: ['abcd'] }, /modelHashes.0: write a hash/],
    ['a model without its hash', { models: ['a/b'] }, /models.0: write a full model name/],
    ['a proxy by name', { proxies: ['example.org:1'] }, /proxies.0: write ip:port/],
    ['too many proxies for one message', { proxies: Array.from({ length: 201 }, () => '1.2.3.4:5') }, /proxies/],
    ['a struct version of the future', { structVersion: 6 }, /structVersion/],
  ])('refuse %s', (_what, change, words) => {
    expect(() => readTerms({ ...real, ...change }, 'mainnet')).toThrow(words)
  })

  it('warn of what is allowed but harmful', () => {
    expect(warningsOf(readTerms({ ...real, proxies: ['1.2.3.4:5'] }, 'mainnet'), 'mainnet')).toEqual([])
    expect(warningsOf(readTerms({ ...real, minProxyStake: '0 TON' }, 'mainnet'), 'mainnet').join()).toMatch(
      /pays nothing in its first 30 days.*No proxy is listed/,
    )
    expect(warningsOf(readTerms({ ...real, minClientStake: '0 TON' }, 'mainnet'), 'mainnet').join()).toMatch(
      /no client gets credit/,
    )
    expect(warningsOf(readTerms({ ...real, reserve: '0.02 TON' }, 'mainnet'), 'mainnet').join()).toMatch(/reserve is small/)
    expect(() => readTerms({ ...real, price: `${'9'.repeat(30)} nano` }, 'mainnet')).toThrow(/more Toncoin than there is/)
    expect(warningsOf(readTerms({ ...real, isTest: false }, 'mainnet'), 'mainnet').join()).toMatch(/without image hashes/)
    const hasty = { ...real, clientDelay: '59 s', proxies: ['1.2.3.4:5'] }
    expect(warningsOf(readTerms(hasty, 'testnet'), 'testnet')).toEqual([expect.stringMatching(/59 s after they ask.*60 s later/)])
    expect(warningsOf(readTerms({ ...hasty, clientDelay: '60 s' }, 'testnet'), 'testnet')).toEqual([])
    expect(warningsOf(readTerms(hasty, 'local'), 'local')).toEqual([])
  })
})

describe('wishes in words', () => {
  it('name what is missing or wrong', () => {
    expect(() => wishFromWords('set-price', { price: '1 nano' }, 'testnet')).toThrow(/set-price needs --worker-fee/)
    expect(() => wishFromWords('unregister-proxy', {}, 'testnet')).toThrow(/needs <seqno>/)
    expect(() => wishFromWords('add-hash', { kind: 'gpu', hash: '11'.repeat(32) }, 'testnet')).toThrow(/--kind/)
    expect(() => wishFromWords('change-owner', { owner: 'EQabc' }, 'testnet')).toThrow(/checksum/)
    expect(() => wishFromWords('set-multipliers', { multipliers: '1,2,3' }, 'testnet')).toThrow(/four factors/)
  })

  it('take a model by its full name', () => {
    const name = 'a/b-Q4@0123:4567'
    expect(wishFromWords('add-hash', { kind: 'model', hash: name }, 'testnet')).toEqual({
      kind: 'add-hash',
      of: 'model',
      hash: modelHash(name),
      name,
    })
    for (const hash of ['a@b', 'a b@1:2', '@1:2', 'a@1:2@3:4'])
      expect(() => wishFromWords('add-hash', { kind: 'model', hash }, 'testnet')).toThrow(/NAME@COMMIT:HASH/)
  })

  it('take a new owner only with the flag of its network, with its checksum, and not nobody', () => {
    const address = new Address(0, Buffer.alloc(32, 9))
    const test = address.toString({ testOnly: true })
    const wish = (owner: string, on: 'local' | 'testnet' | 'mainnet') => () => wishFromWords('change-owner', { owner }, on)
    for (const [text, on] of [
      [test, 'testnet'],
      [address.toString(), 'mainnet'],
    ] as const)
      expect(JSON.stringify(wish(text, on)())).toBe(JSON.stringify({ kind: 'change-owner', owner: address }))
    expect(wish(test, 'mainnet')).toThrow(/address of a test network/)
    expect(wish(address.toString(), 'testnet')).toThrow(/no address of a test network/)
    expect(wish(address.toRawString(), 'mainnet')).toThrow(/checksum/)
    expect(wish(new Address(0, Buffer.alloc(32)).toString(), 'mainnet')).toThrow(/nobody/)
    expect(() => readTerms({ ...real, owner: address.toString() }, 'testnet')).toThrow(/no address of a test network/)
  })

  it.each(['0junk:HEXzz', '0x0:HEX', '00:HEX', '0:HEX0', ' 0:HEX', '-1:HEX'])(
    'take no raw address with rubbish around it: %s',
    (form) => {
      const hex = '11'.repeat(32)
      expect(tonAddress.safeParse(`0:${hex}`).success).toBe(true)
      expect(tonAddress.safeParse(form.replace('HEX', hex)).success).toBe(false)
    },
  )
})
