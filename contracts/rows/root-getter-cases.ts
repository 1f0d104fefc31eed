import { beginCell, Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { storeParams } from '../params.ts'
import { rootData } from '../root.ts'
import type { Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { codeAt, HASH_TEXT, here, order, rootOwner, rootStage, to } from './root-stage.ts'

const hashGetters = {
  'root/proxy-hash-is-valid': 'proxy_hash_is_valid',
  'root/worker-hash-is-valid': 'worker_hash_is_valid',
  'root/model-hash-is-valid': 'model_hash_is_valid',
} as const

async function numbers(bed: Testbed, name: string, args: readonly bigint[] = []): Promise<bigint[]> {
  const { stackReader } = await bed.chain.runGetMethod(
    to(bed),
    name,
    args.map((value) => ({ type: 'int' as const, value })),
  )
  const values: bigint[] = []
  while (stackReader.remaining > 0 && stackReader.peek().type === 'int') values.push(stackReader.readBigNumber())
  return values
}

export const rootGetterCases: readonly Case[] = [
  accepts('root/get-cocoon-data', 'nine numbers and the owner, in every struct version', async () => {
    for (const structVersion of [0, 3, 5]) {
      const bed = await rootStage(structVersion)
      const { params, version } = await bed.rootState()
      const { pricePerToken, workerFeePerToken, minProxyStake, minClientStake } = params
      const expected = [BigInt(version), 1n, 1n, 77n, -1n, pricePerToken, workerFeePerToken, minProxyStake, minClientStake]
      expect(await numbers(bed, 'get_cocoon_data')).toEqual(expected)
      const { stackReader } = await bed.chain.runGetMethod(to(bed), 'get_cocoon_data')
      stackReader.skip(9)
      expect(stackReader.readAddress().equals(rootOwner)).toBe(true)
      expect(stackReader.remaining).toBe(0)
    }
  }),
  accepts('root/get-cur-params', 'fourteen numbers', async () => {
    const bed = await rootStage()
    const { params } = await bed.rootState()
    const hash = (name: 'proxy' | 'worker' | 'client') => BigInt(`0x${params.codes[name]?.hash().toString('hex')}`)
    expect(await numbers(bed, 'get_cur_params')).toEqual([
      ...[1n, 77n, -1n, 200_000n, 150_000n, 1_000n, 80_000n, 60n, 30n, toNano('1'), toNano('5')],
      ...[hash('proxy'), hash('worker'), hash('client')],
    ])
  }),
  accepts('root/last-proxy-seqno', 'counts registrations', async () => {
    const bed = await rootStage()
    expect(await numbers(bed, 'last_proxy_seqno')).toEqual([1n])
    await order(bed, { op: 'unregisterProxy', seqno: 1 })
    await order(bed, { op: 'registerProxy', endpoints: { forWorkers: here, forClients: here } })
    expect(await numbers(bed, 'last_proxy_seqno')).toEqual([2n])
  }),
  ...(['root/get-cocoon-data', 'root/get-cur-params', 'root/last-proxy-seqno'] as const).map((row) =>
    refuses(row, 'data of a root that is newer than this code', async () => {
      const bed = await rootStage()
      const { owner, params, version } = await bed.rootState()
      const now = await codeAt(bed, to(bed))
      if (!now) throw new Error('no code')
      const data = rootData({ owner, params, version }).asSlice()
      const newer = beginCell().storeBits(data.loadBits(data.remainingBits)).storeRef(data.loadRef())
      const cell = newer.storeRef(beginCell().storeUint(6, 8).storeSlice(storeParams(params, 'root').beginParse().skip(8)))
      await order(bed, { op: 'fullUpgrade', data: row === 'root/last-proxy-seqno' ? Cell.EMPTY : cell.endCell(), code: now })
      const name = { 'root/get-cocoon-data': 'get_cocoon_data', 'root/get-cur-params': 'get_cur_params' }[row as string]
      await expect(numbers(bed, name ?? 'last_proxy_seqno')).rejects.toThrow()
    }),
  ),
  ...(Object.keys(hashGetters) as (keyof typeof hashGetters)[]).flatMap((row) => [
    accepts(row, '-1 for a hash in the list', async () => {
      expect(await numbers(await rootStage(), hashGetters[row], [BigInt(`0x${HASH_TEXT}`)])).toEqual([-1n])
    }),
    refuses(row, '0 for any other, and for all after a reset', async () => {
      const bed = await rootStage()
      expect(await numbers(bed, hashGetters[row], [1n])).toEqual([0n])
      await order(bed, { op: 'reset' })
      expect(await numbers(bed, hashGetters[row], [BigInt(`0x${HASH_TEXT}`)])).toEqual([0n])
    }),
  ]),
]
