import { beginCell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { OP_EXCESSES } from '../common.ts'
import { LONGEST_DELAY_SEC, type Params, storeParams } from '../params.ts'
import { ROOT_OPS, type RootRequest, type RootState, rootData, rootInit, upgradedRootData } from '../root.ts'
import { TEST_PARAMS, type Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { casesOf, type Operation } from './operation.ts'
import { rootGetterCases } from './root-getter-cases.ts'
import { rootKeyCases } from './root-key-cases.ts'
import {
  body,
  byOwner,
  code,
  codeAt,
  HASH,
  HASH_TEXT,
  here,
  MOST,
  order,
  other,
  otherText,
  rootOwner,
  rootStage,
  soon,
  there,
  to,
} from './root-stage.ts'
import { done, refused } from './stage.ts'

interface Change {
  readonly row: Operation['row']
  readonly request: (bed: Testbed) => RootRequest
  readonly structVersion?: number
  readonly formatCodes?: readonly number[]
  readonly see: (after: RootState, bed: Testbed) => void
}

const terms = {
  pricePerToken: 31n,
  workerFeePerToken: 21n,
  proxyDelaySec: 5,
  clientDelaySec: 6,
  minProxyStake: toNano('7'),
  minClientStake: toNano('8'),
}

const changes: readonly Change[] = [
  {
    row: 'root/add-worker-hash',
    request: () => ({ op: 'addWorkerHash', hash: other }),
    see: (after) => expect(after.workerHashes).toEqual(new Set([HASH_TEXT, otherText])),
  },
  {
    row: 'root/del-worker-hash',
    request: () => ({ op: 'delWorkerHash', hash: HASH }),
    see: (after) => expect(after.workerHashes).toEqual(new Set()),
  },
  {
    row: 'root/add-model-hash',
    request: () => ({ op: 'addModelHash', hash: other }),
    see: (after) => expect(after.modelHashes).toEqual(new Set([HASH_TEXT, otherText])),
  },
  {
    row: 'root/del-model-hash',
    request: () => ({ op: 'delModelHash', hash: HASH }),
    see: (after) => expect(after.modelHashes).toEqual(new Set()),
  },
  {
    row: 'root/add-proxy-hash',
    request: () => ({ op: 'addProxyHash', hash: other }),
    see: (after) => expect(after.proxyHashes).toEqual(new Set([HASH_TEXT, otherText])),
  },
  {
    row: 'root/del-proxy-hash',
    request: () => ({ op: 'delProxyHash', hash: HASH }),
    see: (after) => expect(after.proxyHashes).toEqual(new Set()),
  },
  {
    row: 'root/register-proxy',
    request: () => ({ op: 'registerProxy', endpoints: { forWorkers: here, forClients: there } }),
    see: (after) => {
      expect(after.lastProxySeqno).toBe(2)
      expect(after.proxies[1]).toEqual({ seqno: 2, forWorkers: here, forClients: there })
    },
  },
  {
    row: 'root/unregister-proxy',
    request: () => ({ op: 'unregisterProxy', seqno: 1 }),
    see: (after) => expect([after.proxies, after.lastProxySeqno]).toEqual([[], 1]),
  },
  {
    row: 'root/update-proxy',
    request: () => ({ op: 'updateProxy', seqno: 1, endpoints: { forWorkers: there, forClients: there } }),
    see: (after) => expect(after.proxies).toEqual([{ seqno: 1, forWorkers: there, forClients: there }]),
  },
  {
    row: 'root/change-price',
    request: () => ({ op: 'changePrice', pricePerToken: 30n, workerFeePerToken: 30n }),
    see: ({ params }) => expect(params).toMatchObject({ pricePerToken: 30n, workerFeePerToken: 30n, paramsVersion: 2 }),
  },
  {
    row: 'root/change-params',
    request: () => ({ op: 'changeParams', ...terms }),
    see: ({ params }) => expect(params).toMatchObject({ ...terms, paramsVersion: 2 }),
  },
  {
    row: 'root/upgrade-contracts',
    request: () => ({ op: 'upgradeContracts', proxy: code(1), worker: code(2), client: code(3) }),
    see: ({ params }) => {
      const { proxy, worker, client } = params.codes
      expect([proxy, worker, client].map((cell) => cell?.beginParse().loadUint(8))).toEqual([1, 2, 3])
      expect(params.paramsVersion).toBe(2)
    },
  },
  {
    row: 'root/upgrade-code',
    request: () => ({ op: 'upgradeCode', code: code(4) }),
    see: (after) => expect(after.params.paramsVersion).toBe(1),
  },
  {
    row: 'root/reset',
    request: () => ({ op: 'reset' }),
    see: (after) => {
      const { proxyHashes, workerHashes, modelHashes, proxies, lastProxySeqno } = after
      expect([proxyHashes.size, workerHashes.size, modelHashes.size, proxies.length, lastProxySeqno]).toEqual([0, 0, 0, 0, 1])
    },
  },
  {
    row: 'root/change-owner',
    request: (bed) => ({ op: 'changeOwner', owner: bed.stranger }),
    see: (after, bed) => expect(after.owner.equals(bed.stranger)).toBe(true),
  },
  {
    row: 'root/add-public-key',
    structVersion: 4,
    request: (bed) => ({ op: 'addPublicKey', publicKey: other, type: 1, expiresAtSec: soon(bed) }),
    see: ({ keyManager }, bed) => {
      expect(keyManager?.keys).toEqual([{ publicKey: otherText, type: 1, expiresAtSec: soon(bed) }])
    },
  },
  {
    row: 'root/change-key-manager',
    structVersion: 5,
    request: () => ({
      op: 'changeKeyManager',
      publicKey: other,
      imageHash: other,
      endpoints: { forWorkers: here, forClients: here },
    }),
    see: ({ keyManager }) => {
      const endpoints = { forWorkers: here, forClients: here }
      expect(keyManager).toMatchObject({ publicKey: otherText, imageHash: otherText, endpoints })
    },
  },
]

function operationOf({ row, request, structVersion, formatCodes, see }: Change): Operation {
  return {
    row,
    stage: () => rootStage(structVersion),
    to,
    owner: () => rootOwner,
    body: (bed) => body(request(bed)),
    ...(formatCodes === undefined ? {} : { formatCodes }),
    effect: async (bed, outcome, value) => {
      const after = await bed.rootState()
      expect(after.version).toBe(structVersion === undefined ? 5 : 6)
      expect(outcome.arrivedAt(rootOwner)).toMatchObject([{ op: OP_EXCESSES, value: value - outcome.fees }])
      see(after, bed)
    },
  }
}

const entry = (type: number, length: number, text: string) =>
  beginCell().storeUint(ROOT_OPS.registerProxy, 32).storeUint(1, 64).storeBit(type).storeUint(length, 7).storeStringTail(text)

const asEveryVersion = [0, 1, 2, 3, 4, 5]

const upgrades: readonly Case[] = [
  ...casesOf({
    row: 'root/full-upgrade',
    stage: rootStage,
    to,
    owner: () => rootOwner,
    body: () =>
      body({ op: 'fullUpgrade', data: rootData({ owner: rootOwner, params: TEST_PARAMS, version: 40 }), code: code(9) }),
    effect: async (bed, outcome, value) => {
      expect((await bed.rootState()).version).toBe(40)
      expect((await codeAt(bed, to(bed)))?.equals(code(9))).toBe(true)
      expect(outcome.arrivedAt(rootOwner)).toMatchObject([{ value: value - outcome.fees }])
    },
  }),
  accepts('root/full-upgrade', 'to every struct version, and on with it', async () => {
    const now = await codeAt(await rootStage(), (await rootStage()).root.address)
    if (!now) throw new Error('no code')
    for (const structVersion of asEveryVersion) {
      const bed = await rootStage()
      const { params } = await rootStage(structVersion)
      await rootStage()
      const data = rootData({ owner: rootOwner, params, version: 7 })
      await order(bed, { op: 'fullUpgrade', data, code: now })
      await order(bed, { op: 'changePrice', pricePerToken: 9n, workerFeePerToken: 8n })
      const after = await bed.rootState()
      expect(after).toMatchObject({ version: 8, params: { structVersion, pricePerToken: 9n, paramsVersion: 2 } })
      expect([after.keyManager !== null, after.verifiedKeys !== null]).toEqual([structVersion >= 4, structVersion >= 5])
    }
  }),
  accepts('root/full-upgrade', 'of the multipliers alone: everything else stays', async () => {
    const bed = await rootStage(4)
    const before = await bed.rootState()
    const now = await codeAt(bed, to(bed))
    if (!now) throw new Error('no code')
    const params: Params = { ...before.params, multipliers: { ...before.params.multipliers, reasoning: 1 } }
    await order(bed, { op: 'fullUpgrade', data: upgradedRootData(await bed.data(to(bed)), { params }), code: now })
    const after = await bed.rootState()
    expect(after.params.multipliers.reasoning).toBe(1)
    expect(after.version).toBe(before.version + 1)
    const unchanged = (state: RootState) => ({ ...state, owner: null, version: 0, params: null })
    expect(unchanged(after)).toEqual(unchanged(before))
  }),
  refuses('root/full-upgrade', 'by the builder: an older struct version, a version that does not fit', async () => {
    const data = await (await rootStage(4)).data((await rootStage(4)).root.address)
    expect(() => upgradedRootData(data, { params: TEST_PARAMS })).toThrow('structVersion must be 4..5, not 3')
    expect(() => upgradedRootData(data, { version: -1 })).toThrow('version must be 0..2^32-1, not -1')
  }),
]

const others: readonly Case[] = [
  accepts('root/del-worker-hash', 'one that is not there', async () => {
    const bed = await rootStage()
    for (const op of ['delWorkerHash', 'delModelHash', 'delProxyHash'] as const) await order(bed, { op, hash: other })
    expect((await bed.rootState()).workerHashes.size).toBe(1)
  }),
  accepts('root/add-worker-hash', 'one that is there already', async () => {
    const bed = await rootStage()
    await order(bed, { op: 'addWorkerHash', hash: HASH })
    expect(await bed.rootState()).toMatchObject({ version: 5, workerHashes: new Set([HASH_TEXT]) })
  }),
  refuses('root/unregister-proxy', 'a number that is not listed', async () => {
    const bed = await rootStage()
    await refused(bed, to(bed), body({ op: 'unregisterProxy', seqno: 2 }), 2000, byOwner)
  }),
  refuses('root/update-proxy', 'a number that is not listed', async () => {
    const bed = await rootStage()
    const request = { op: 'updateProxy', seqno: 0, endpoints: { forWorkers: here, forClients: here } } as const
    await refused(bed, to(bed), body(request), 2000, byOwner)
  }),
  refuses(
    'root/register-proxy',
    'an entry of the other type, or of another length',
    async () => {
      const bed = await rootStage()
      await refused(bed, to(bed), entry(1, 3, 'abc').endCell(), 1004, byOwner)
      await refused(bed, to(bed), entry(0, 4, 'abc').endCell(), 9, byOwner)
      await refused(bed, to(bed), entry(0, 2, 'abc').endCell(), 1004, byOwner)
    },
    'format',
  ),
  refuses('root/change-price', 'a fee above the price: no worker could be paid', async () => {
    const bed = await rootStage()
    const request = beginCell().storeUint(ROOT_OPS.changePrice, 32).storeUint(1, 64).storeCoins(5n).storeCoins(6n).endCell()
    await refused(bed, to(bed), request, 1004, byOwner)
    expect(() => body({ op: 'changePrice', pricePerToken: 5n, workerFeePerToken: 6n })).toThrow(
      'workerFeePerToken must be 0..5 (the price), not 6',
    )
  }),
  accepts(
    'root/change-price',
    'the largest price, and nothing',
    async () => {
      const bed = await rootStage()
      await order(bed, { op: 'changePrice', pricePerToken: MOST, workerFeePerToken: MOST })
      expect((await bed.rootState()).params.workerFeePerToken).toBe(MOST)
      await order(bed, { op: 'changePrice', pricePerToken: 0n, workerFeePerToken: 0n })
      expect((await bed.rootState()).params.pricePerToken).toBe(0n)
    },
    'maximum',
  ),
  accepts(
    'root/change-params',
    'the largest values',
    async () => {
      const bed = await rootStage()
      const most = {
        pricePerToken: MOST,
        workerFeePerToken: 0n,
        proxyDelaySec: LONGEST_DELAY_SEC,
        clientDelaySec: LONGEST_DELAY_SEC,
        minProxyStake: MOST,
        minClientStake: MOST,
      }
      await order(bed, { op: 'changeParams', ...most })
      expect((await bed.rootState()).params).toMatchObject(most)
    },
    'maximum',
  ),
  accepts('root/change-params', 'in every struct version', async () => {
    for (const structVersion of asEveryVersion) {
      const bed = await rootStage(structVersion)
      const stakes = structVersion === 0 ? { minProxyStake: toNano('1'), minClientStake: toNano('1') } : {}
      const { params } = await bed.rootState()
      await order(bed, { op: 'changeParams', ...terms, ...stakes })
      const after = (await bed.rootState()).params
      expect(after).toMatchObject({ ...terms, ...stakes, structVersion, multipliers: params.multipliers })
      expect(storeParams(after, 'root').refs).toHaveLength(3)
    }
  }),
  refuses('root/change-params', 'a delay of more than a year: what is never over cannot be waited for', async () => {
    const bed = await rootStage()
    for (const name of ['proxyDelaySec', 'clientDelaySec'] as const) {
      for (const seconds of [LONGEST_DELAY_SEC + 1, 2 ** 32 - 1]) {
        const wrong = { ...terms, [name]: seconds }
        const request = beginCell().storeUint(ROOT_OPS.changeParams, 32).storeUint(1, 64).storeCoins(31n).storeCoins(21n)
        request.storeUint(wrong.proxyDelaySec, 32).storeUint(wrong.clientDelaySec, 32).storeCoins(7n).storeCoins(8n)
        await refused(bed, to(bed), request.endCell(), 1004, byOwner)
        const sentence = `${name} must be 0..31536000 (a year), not ${seconds}`
        expect(() => body({ op: 'changeParams', ...wrong })).toThrow(sentence)
        const { params } = await bed.rootState()
        const never = { ...params, [name]: seconds }
        expect(() => upgradedRootData(bed.root.init.data, { params: never })).toThrow(sentence)
        expect(() => rootInit(code(1), { owner: rootOwner, params: never, proxies: [] })).toThrow(sentence)
      }
    }
  }),
  refuses('root/change-params', 'other stakes than 1 TON in struct version 0: there is no room for them', async () => {
    const bed = await rootStage(0)
    await refused(bed, to(bed), body({ op: 'changeParams', ...terms }), 1004, byOwner)
  }),
  accepts('root/upgrade-code', 'the new code runs from the next message on', async () => {
    const bed = await rootStage()
    await order(bed, { op: 'upgradeCode', code: code(4) })
    expect((await codeAt(bed, to(bed)))?.equals(code(4))).toBe(true)
  }),
  refuses('root/change-owner', 'the old owner afterwards', async () => {
    const bed = await rootStage()
    await order(bed, { op: 'changeOwner', owner: bed.stranger })
    await refused(bed, to(bed), body({ op: 'reset' }), 1010, byOwner)
    await done(bed, to(bed), body({ op: 'reset' }))
  }),
  refuses(
    'root/change-owner',
    'nobody',
    async () => {
      const bed = await rootStage()
      const nobody = beginCell().storeUint(ROOT_OPS.changeOwner, 32).storeUint(1, 64).storeUint(0, 2).endCell()
      await refused(bed, to(bed), nobody, [9, 1004], byOwner)
    },
    'format',
  ),
  refuses('root/change-params-full', 'it', async () => {
    const bed = await rootStage()
    await refused(bed, to(bed), beginCell().storeUint(0x9f1e69dc, 32).storeUint(1, 64).endCell(), 1012, byOwner)
  }),
]

export const rootCases: readonly Case[] = [
  ...changes.flatMap((change) => casesOf(operationOf(change))),
  ...upgrades,
  ...others,
  ...rootKeyCases,
  ...rootGetterCases,
]
