import { type Address, beginCell, type Cell, toNano } from '@ton/core'
import { type RootRequest, rootRequest } from '../root.ts'
import { publicKeyOfSeed } from '../signed.ts'
import { actor, createTestbed, TEST_PARAMS, type Testbed } from '../testbed.ts'
import { done, QUERY_ID, staged, VALUE } from './stage.ts'

export const rootOwner = actor('root owner')
export const HASH = new Uint8Array(32).fill(0xab)
export const HASH_TEXT = 'ab'.repeat(32)
export const here = { host: '127.0.0.1', port: 21_001 }
export const there = { host: '255.255.255.255', port: 65_535 }
export const MOST = 2n ** 120n - 1n
export const managerSeed = new Uint8Array(32).fill(0x44)
const managerKey = publicKeyOfSeed(managerSeed)

export const to = (bed: Testbed) => bed.root.address
export const byOwner = { from: rootOwner } as const
export const body = (request: RootRequest) => rootRequest(QUERY_ID, request)
export const order = (bed: Testbed, request: RootRequest) => done(bed, to(bed), body(request), byOwner)
export const code = (n: number) => beginCell().storeUint(n, 8).endCell()

/** A root contract with a hash in every list, one proxy, and a key manager where the version has one. */
export const rootStage = (structVersion = 3) =>
  staged(`root ${structVersion}`, async () => {
    const plain = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
    const stakes = structVersion === 0 ? { minProxyStake: toNano('1'), minClientStake: toNano('1') } : {}
    const multipliers = structVersion >= 3 ? {} : { multipliers: plain }
    const bed = await createTestbed({ ...TEST_PARAMS, ...multipliers, ...stakes, structVersion })
    await bed.send({ from: rootOwner, to: to(bed), value: VALUE, deploy: bed.root })
    for (const op of ['addWorkerHash', 'addModelHash', 'addProxyHash'] as const) await order(bed, { op, hash: HASH })
    await order(bed, { op: 'registerProxy', endpoints: { forWorkers: here, forClients: here } })
    if (structVersion >= 4) {
      await order(bed, { op: 'changeKeyManager', publicKey: managerKey, imageHash: HASH, endpoints: null })
    }
    return bed
  })

export const soon = (bed: Testbed) => (bed.chain.now ?? 0) + 86_400

export const other = new Uint8Array(32).fill(0xcd)
export const otherText = 'cd'.repeat(32)

export async function codeAt(bed: Testbed, address: Address): Promise<Cell | null | undefined> {
  const { accountState } = await bed.chain.getContract(address)
  return accountState?.type === 'active' ? accountState.state.code : null
}
