import { Address, beginCell, Cell, contractAddress, Dictionary, toNano } from '@ton/core'
import { expect } from 'vitest'
import { contractInit, LayoutError } from '../cells.ts'
import { clientInit, parseClientState } from '../client.ts'
import { EXAMPLE_PARAMS } from '../example-params.ts'
import { formatEndpoints, parseEndpoints } from '../net-address.ts'
import { NEWEST_STRUCT_VERSION, type Params, parseParams, storeParams } from '../params.ts'
import { parseProxyState, proxyInit } from '../proxy.ts'
import { type KeyManager, parseRootState, rootData, rootRequest, upgradedRootData } from '../root.ts'
import { publicKeyOfSeed } from '../signed.ts'
import { actor } from '../testbed.ts'
import { parseWorkerState, workerInit } from '../worker.ts'
import { accepts, type Case, refuses } from './case.ts'
import type { RowId } from './rows.ts'
import { misshapen } from './stage.ts'

// The example of protocol 60 §2, and its limits.

const owner = Address.parse('UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m')
const code = (n: number) => beginCell().storeUint(n, 8).endCell()
const example = EXAMPLE_PARAMS
const plain = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
const U32 = 2 ** 32 - 1
const COINS = 2n ** 120n - 1n

/** These params in one of the older or newer struct versions. */
function inVersion(structVersion: number): Params {
  const stakes = structVersion === 0 ? { minProxyStake: toNano('1'), minClientStake: toNano('1') } : {}
  const multipliers =
    structVersion >= 3 ? {} : { multipliers: structVersion === 2 ? { ...plain, cached: 7, reasoning: 9 } : plain }
  return { ...example, ...stakes, ...multipliers, structVersion }
}

function roundTrip(params: Params): void {
  const back = parseParams(storeParams(params, 'root'))
  expect({ ...back, codes: null }).toEqual({ ...params, codes: null })
  for (const name of ['proxy', 'worker', 'client'] as const)
    expect(back.codes[name]?.equals(params.codes[name] ?? Cell.EMPTY)).toBe(true)
}

interface Field {
  readonly row: RowId
  readonly good: readonly Partial<Params>[]
  readonly bad: readonly (readonly [change: Partial<Params>, sentence: string])[]
}

const fields: readonly Field[] = [
  {
    row: 'params/struct-version',
    good: [{}, { structVersion: 5 }],
    bad: [
      [{ structVersion: 6 }, 'structVersion must be 0..5, not 6'],
      [{ structVersion: 256 }, 'structVersion must be 0..2^8-1, not 256'],
      [{ structVersion: 2.5 }, 'structVersion must be a whole number, not 2.5'],
    ],
  },
  {
    row: 'params/params-version',
    good: [{ paramsVersion: 0 }, { paramsVersion: U32 }],
    bad: [[{ paramsVersion: U32 + 1 }, 'paramsVersion must be 0..2^32-1, not 4294967296']],
  },
  {
    row: 'params/unique-id',
    good: [{ uniqueId: 0 }, { uniqueId: U32 }],
    bad: [[{ uniqueId: -1 }, 'uniqueId must be 0..2^32-1, not -1']],
  },
  {
    row: 'params/price',
    good: [{ pricePerToken: 0n }, { pricePerToken: COINS }],
    bad: [
      [{ pricePerToken: -1n }, 'pricePerToken must be 0..2^120-1, not -1'],
      [{ pricePerToken: COINS + 1n }, `pricePerToken must be 0..2^120-1, not ${COINS + 1n}`],
    ],
  },
  {
    row: 'params/fee',
    good: [{ workerFeePerToken: 0n }, { workerFeePerToken: COINS }],
    bad: [[{ workerFeePerToken: COINS + 1n }, `workerFeePerToken must be 0..2^120-1, not ${COINS + 1n}`]],
  },
  {
    row: 'params/multipliers',
    good: [{ multipliers: { prompt: 0, cached: U32, completion: 1, reasoning: U32 } }],
    bad: (['prompt', 'cached', 'completion', 'reasoning'] as const).map((name) => [
      { multipliers: { ...plain, [name]: U32 + 1 } },
      `multipliers.${name} must be 0..2^32-1, not 4294967296`,
    ]),
  },
  {
    row: 'params/proxy-delay',
    good: [{ proxyDelaySec: 0 }, { proxyDelaySec: U32 }],
    bad: [[{ proxyDelaySec: U32 + 1 }, 'proxyDelaySec must be 0..2^32-1, not 4294967296']],
  },
  {
    row: 'params/client-delay',
    good: [{ clientDelaySec: 0 }, { clientDelaySec: U32 }],
    bad: [[{ clientDelaySec: -5 }, 'clientDelaySec must be 0..2^32-1, not -5']],
  },
  {
    row: 'params/stakes',
    good: [
      { minProxyStake: 0n, minClientStake: COINS },
      { minProxyStake: COINS, minClientStake: 0n },
    ],
    bad: [
      [{ minProxyStake: -1n }, 'minProxyStake must be 0..2^120-1, not -1'],
      [{ minClientStake: COINS + 1n }, `minClientStake must be 0..2^120-1, not ${COINS + 1n}`],
    ],
  },
]

function casesOfField({ row, good, bad }: Field): Case[] {
  return [
    accepts(row, 'from the smallest to the largest', () => {
      for (const change of good) roundTrip({ ...example, ...change })
    }),
    refuses(
      row,
      'what does not fit, by name',
      () => {
        for (const [change, sentence] of bad) expect(() => storeParams({ ...example, ...change }, 'root')).toThrow(sentence)
      },
      'maximum',
    ),
  ]
}

const versions: readonly Case[] = [
  ...([0, 1, 2, 4, 5] as const).map((version) =>
    accepts(`params/version-${version}`, 'is written and read back', () => roundTrip(inVersion(version))),
  ),
  refuses('params/version-0', 'multipliers and stakes that it has no room for', () => {
    const params = { ...inVersion(0), multipliers: { ...plain, prompt: 1 } }
    expect(() => storeParams(params, 'root')).toThrow('multipliers.prompt must be 10000 in struct version 0, not 1')
    expect(() => storeParams({ ...inVersion(0), minProxyStake: 5n }, 'root')).toThrow(
      'minProxyStake must be 1 TON in struct version 0, not 5 nanoton',
    )
  }),
  refuses('params/version-1', 'any multiplier', () => {
    for (const name of ['prompt', 'cached', 'completion', 'reasoning'] as const) {
      const params = { ...inVersion(1), multipliers: { ...plain, [name]: 2 } }
      expect(() => storeParams(params, 'root')).toThrow(`multipliers.${name} must be 10000 in struct version 1, not 2`)
    }
  }),
  refuses('params/version-2', 'prompt and completion multipliers', () => {
    for (const name of ['prompt', 'completion'] as const) {
      const params = { ...inVersion(2), multipliers: { ...plain, [name]: 2 } }
      expect(() => storeParams(params, 'root')).toThrow(`multipliers.${name} must be 10000 in struct version 2, not 2`)
    }
  }),
  ...([4, 5] as const).map((version) =>
    refuses(`params/version-${version}`, 'nothing but the version byte differs, and with it every address', () => {
      const three = storeParams(inVersion(3), 'plain')
      const newer = storeParams(inVersion(version), 'plain')
      expect(newer.bits.substring(8, newer.bits.length - 8).toString()).toBe(
        three.bits.substring(8, three.bits.length - 8).toString(),
      )
      expect(newer.equals(three)).toBe(false)
      const identity = { owner, proxy: owner, publicKey: new Uint8Array(32) }
      const at = (params: Params) => clientInit({ ...identity, params }).address
      expect(at(inVersion(version)).equals(at(inVersion(3)))).toBe(false)
    }),
  ),
  accepts('params/is-test', 'both values', () => {
    for (const isTest of [true, false]) roundTrip({ ...example, isTest })
  }),
  refuses('params/is-test', 'the two are not the same network', () => {
    expect(storeParams(example, 'plain').equals(storeParams({ ...example, isTest: false }, 'plain'))).toBe(false)
  }),
  accepts('params/codes', 'each may be there or not', () => {
    const codes = { proxy: null, worker: code(2), client: null }
    expect(parseParams(storeParams({ ...example, codes }, 'root')).codes).toMatchObject({ proxy: null, client: null })
    expect(storeParams({ ...example, codes }, 'root').refs).toHaveLength(1)
  }),
  refuses('params/codes', 'a reference that no bit announces, and the other way round', () => {
    const cell = storeParams(example, 'plain')
    expect(() => parseParams(beginCell().storeSlice(cell.beginParse()).storeRef(code(1)).endCell())).toThrow(LayoutError)
    const whole = storeParams(example, 'root')
    expect(() => parseParams(beginCell().storeBits(whole.bits).endCell())).toThrow(LayoutError)
  }),
  accepts('code-refs/root', 'three', () => expect(storeParams(example, 'root').refs).toHaveLength(3)),
  accepts('code-refs/proxy', 'worker and client', () => {
    const { codes } = parseParams(storeParams(example, 'proxy'))
    expect([codes.proxy, codes.worker?.equals(code(2)), codes.client?.equals(code(3))]).toEqual([null, true, true])
  }),
  accepts('code-refs/worker-client', 'none, with the hash of the protocol', () => {
    const cell = storeParams(example, 'plain')
    expect(cell.refs).toHaveLength(0)
    expect(cell.hash().toString('hex')).toBe('cd9077a5040834e018396c044f0121e8c74aa8519a69798a3aa72e67f3d435f5')
  }),
  ...(['code-refs/root', 'code-refs/proxy', 'code-refs/worker-client'] as const).map((row) =>
    refuses(row, 'nothing is derived from params that lack the code', () => {
      const form = { 'code-refs/root': 'root', 'code-refs/proxy': 'proxy', 'code-refs/worker-client': 'plain' } as const
      const params = parseParams(storeParams(example, form[row]))
      const derive = () => proxyInit({ owner, publicKey: new Uint8Array(32), root: owner, params })
      if (row === 'code-refs/root') expect(derive().init.code.equals(code(1))).toBe(true)
      else expect(derive).toThrow('carry no proxy code')
      const none = { ...params, codes: { proxy: null, worker: null, client: null } }
      expect(() => workerInit({ owner, proxy: owner, publicKey: new Uint8Array(32), params: none })).toThrow(LayoutError)
    }),
  ),
]

const publicKey = publicKeyOfSeed(new Uint8Array(32).fill(1))
const inits = {
  'init/proxy': {
    make: (params: Params) => proxyInit({ owner, publicKey, root: actor('root'), params }),
    read: parseProxyState,
    fresh: { state: 'normal', balance: 0n, stake: 0n, unlockAtSec: 0, publicKey },
  },
  'init/worker': {
    make: (params: Params) => workerInit({ owner, proxy: actor('proxy'), publicKey, params }),
    read: parseWorkerState,
    fresh: { state: 'normal', tokens: 0n, publicKey },
  },
  'init/client': {
    make: (params: Params) => clientInit({ owner, proxy: actor('proxy'), publicKey, params }),
    read: parseClientState,
    fresh: { state: 'normal', balance: 0n, tokensUsed: 0n, unlockAtSec: 0, secretHash: new Uint8Array(32), publicKey },
  },
} as const

const initial: readonly Case[] = (Object.keys(inits) as (keyof typeof inits)[]).flatMap((row) => {
  const { make, read, fresh } = inits[row]
  return [
    accepts(row, 'in every struct version', () => {
      for (const version of [0, 1, 2, 3, 4, 5]) {
        const params = inVersion(version)
        const { address, init } = make(params)
        const state = read(init.data)
        expect(state).toMatchObject(fresh)
        expect(state.params).toMatchObject({ structVersion: version, minClientStake: params.minClientStake })
        expect(state.owner.equals(owner)).toBe(true)
        expect(address.equals(contractAddress(0, init))).toBe(true)
        if ('stake' in state && row === 'init/client') expect(state.stake).toBe(params.minClientStake)
      }
    }),
    refuses(row, 'keys of another length, data with anything behind or missing', () => {
      const { init } = make(example)
      for (const shape of Object.values(misshapen(init.data))) expect(() => read(shape)).toThrow(LayoutError)
      const short = new Uint8Array(31)
      expect(() => proxyInit({ owner, publicKey: short, root: owner, params: example })).toThrow(
        'publicKey must be 32 bytes, not 31',
      )
      expect(() => workerInit({ owner, publicKey: short, proxy: owner, params: example })).toThrow('publicKey must be 32')
      expect(() => clientInit({ owner, publicKey: short, proxy: owner, params: example })).toThrow('publicKey must be 32')
    }),
  ]
})

const here = { host: '10.1.2.3', port: 11_001 }
const there = { host: '10.1.2.4', port: 11_002 }
const manager: KeyManager = {
  keys: [{ publicKey: '07'.repeat(32), type: 1, expiresAtSec: 1_900_000_000 }],
  publicKey: '05'.repeat(32),
  imageHash: '06'.repeat(32),
  endpoints: { forWorkers: here, forClients: here },
}
const verified = { proxy: new Set(['01'.repeat(32)]), worker: new Set<string>(), keyManager: new Set(['02'.repeat(32)]) }
const four = rootData({ owner, params: inVersion(4), keyManager: manager })
const five = rootData({ owner, params: inVersion(5), keyManager: manager, verifiedKeys: verified })

/** The data with one of its references replaced. */
function withRef(data: Cell, at: number, ref: Cell): Cell {
  const cell = beginCell().storeBits(data.bits)
  for (const [index, old] of data.refs.entries()) cell.storeRef(index === at ? ref : old)
  return cell.endCell()
}

const rootLayouts: readonly Case[] = [
  accepts('state-init/address', 'hash of 00, code, data, 0 in workchain 0', () => {
    const [c, d] = [code(7), code(8)]
    const state = beginCell().storeUint(0, 2).storeBit(1).storeRef(c).storeBit(1).storeRef(d).storeBit(0).endCell()
    expect(contractInit(c, d).address.equals(new Address(0, state.hash()))).toBe(true)
  }),
  refuses('state-init/address', 'other code, other data, other address', () => {
    const all = [contractInit(code(1), code(2)), contractInit(code(2), code(1)), contractInit(code(1), code(1))]
    expect(new Set(all.map(({ address }) => address.toRawString())).size).toBe(3)
  }),
  accepts('root/storage', 'in every struct version', () => {
    for (const version of [0, 1, 2, 3, 4, 5]) {
      const state = parseRootState(rootData({ owner, params: inVersion(version), version: U32, lastProxySeqno: U32 }))
      expect(state).toMatchObject({ version: U32, lastProxySeqno: U32, params: { structVersion: version } })
      expect([state.keyManager !== null, state.verifiedKeys !== null]).toEqual([version >= 4, version >= 5])
    }
  }),
  refuses(
    'root/storage',
    'anything behind or missing',
    () => {
      for (const version of [0, 3, 4, 5]) {
        const shapes = misshapen(rootData({ owner, params: inVersion(version) }))
        for (const shape of Object.values(shapes)) expect(() => parseRootState(shape)).toThrow(LayoutError)
      }
      expect(() => rootData({ owner, params: example, version: U32 + 1 })).toThrow('version must be 0..2^32-1')
      expect(() => rootData({ owner, params: example, modelHashes: [new Uint8Array(5)] })).toThrow(
        'modelHashes must be 32 bytes, not 5',
      )
    },
    'format',
  ),
  accepts('root/newer', 'versions 4 and 5', () => {
    expect(NEWEST_STRUCT_VERSION).toBe(5)
    expect(parseRootState(four).keyManager).toEqual(manager)
    expect(parseRootState(five).verifiedKeys).toEqual(verified)
  }),
  refuses('root/newer', 'version 6 asks for an update', () => {
    const params = storeParams(inVersion(5), 'root').beginParse().skip(8)
    const six = withRef(five, 1, beginCell().storeUint(6, 8).storeSlice(params).endCell())
    const error = thrownBy(() => parseRootState(six))
    expect(error).toBeInstanceOf(LayoutError)
    expect(error).toMatchObject({ newer: true, message: expect.stringContaining('struct version 6') })
  }),
  accepts('root/key-manager', 'kept by a full upgrade, dropped by none', () => {
    const params = inVersion(5)
    const after = parseRootState(upgradedRootData(four, { params }))
    expect([after.keyManager, after.verifiedKeys?.proxy.size]).toEqual([manager, 0])
    const fresh = parseRootState(upgradedRootData(rootData({ owner, params: example }), { params }))
    expect(fresh.keyManager).toMatchObject({ keys: [], publicKey: '0'.repeat(64), endpoints: null })
  }),
  refuses(
    'root/key-manager',
    'hex that is none, a type or time that does not fit, an older struct version',
    () => {
      const make = (change: Partial<KeyManager>) => () =>
        rootData({ owner, params: inVersion(4), keyManager: { ...manager, ...change } })
      expect(make({ publicKey: 'zz' })).toThrow('keyManager.publicKey must be 64 hex digits, not "zz"')
      expect(make({ imageHash: '' })).toThrow('keyManager.imageHash must be 64 hex digits')
      const key = { publicKey: '07'.repeat(32), type: 1, expiresAtSec: 1 }
      expect(make({ keys: [{ ...key, type: 256 }] })).toThrow('type must be 0..2^8-1, not 256')
      expect(make({ keys: [{ ...key, expiresAtSec: -1 }] })).toThrow('expiresAtSec must be 0..2^32-1, not -1')
      expect(() => rootData({ owner, params: example, keyManager: manager })).toThrow('keyManager needs structVersion 4 or 5')
      for (const shape of Object.values(misshapen(four.refs[2] ?? Cell.EMPTY))) {
        expect(() => parseRootState(withRef(four, 2, shape))).toThrow(LayoutError)
      }
    },
    'format',
  ),
  accepts('root/verified-keys', 'three lists', () => expect(parseRootState(five).verifiedKeys).toEqual(verified)),
  accepts('root/verified-keys', 'kept by a full upgrade with everything that is said of a key, unless it brings others', () => {
    const said = Dictionary.empty(Dictionary.Keys.BigUint(256), Dictionary.Values.Uint(32)).set(7n, 1_900_000_000)
    const lists = beginCell().storeDict(said).storeDict(null).storeDict(null).endCell()
    const data = withRef(five, 3, lists)
    expect(upgradedRootData(data, { owner }).refs[3]?.equals(lists)).toBe(true)
    expect(parseRootState(upgradedRootData(data, { verifiedKeys: verified })).verifiedKeys).toEqual(verified)
  }),
  refuses(
    'root/verified-keys',
    'an older struct version, a list too few',
    () => {
      expect(() => rootData({ owner, params: inVersion(4), verifiedKeys: verified })).toThrow(
        'verifiedKeys needs structVersion 5',
      )
      for (const shape of Object.values(misshapen(five.refs[3] ?? Cell.EMPTY))) {
        expect(() => parseRootState(withRef(five, 3, shape))).toThrow(LayoutError)
      }
    },
    'format',
  ),
  accepts('root/proxy-entry', 'one address for both, or workers first', () => {
    expect(parseEndpoints('10.1.2.3:11001')).toEqual({ forWorkers: here, forClients: here })
    expect(parseEndpoints('[10.1.2.3:11001] [10.1.2.4:11002]')).toEqual({ forWorkers: here, forClients: there })
    const longest = { host: '255.255.255.255', port: 65_535 }
    const text = formatEndpoints({ forWorkers: longest, forClients: { ...longest, port: 65_534 } })
    expect(text).toHaveLength(43)
    expect(parseEndpoints(text)?.forClients.port).toBe(65_534)
  }),
  refuses(
    'root/proxy-entry',
    'what nobody could connect to',
    () => {
      for (const text of [
        '',
        'host:1',
        '1.2.3.4',
        '1.2.3.4:0',
        '1.2.3.4:65536',
        '1.2.3.256:1',
        '1.2.3.4:1 2',
        '1.2.3.4:1  1.2.3.4:1',
      ]) {
        expect(parseEndpoints(text)).toBeNull()
      }
      const bad = { host: 'example.org', port: 80 }
      const request = (forClients: typeof bad) =>
        rootRequest(1n, { op: 'registerProxy', endpoints: { forWorkers: here, forClients } })
      expect(() => request(bad)).toThrow('forClients must be an IPv4 address and a port, got example.org:80')
      expect(() => request({ host: '1.2.3.4', port: 70_000 })).toThrow('forClients must be')
    },
    'format',
  ),
  accepts(
    'root/proxy-entry',
    'entries that do not parse are skipped, and counted',
    () => {
      const entries = Dictionary.empty(Dictionary.Keys.Uint(32), {
        serialize: (text: string, builder) => {
          builder.storeUint(0, 1).storeUint(text.length, 7).storeBuffer(Buffer.from(text))
        },
        parse: () => '',
      })
      entries.set(1, 'x'.repeat(110)).set(2, '10.1.2.3:11001')
      const lists = beginCell().storeDict(null).storeDict(entries).storeUint(2, 32).storeDict(null).storeDict(null).endCell()
      const state = parseRootState(withRef(rootData({ owner, params: example }), 0, lists))
      expect(state).toMatchObject({ unreadableProxies: [1], proxies: [{ seqno: 2 }] })
    },
    'maximum',
  ),
]

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (thrown) {
    return thrown
  }
}

export const layoutCases: readonly Case[] = [...fields.flatMap(casesOfField), ...versions, ...initial, ...rootLayouts]
