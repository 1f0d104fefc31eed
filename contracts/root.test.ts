import { beginCell, type Cell, toNano } from '@ton/core'
import { beforeEach, expect, it } from 'vitest'
import { OP_EXCESSES } from './common.ts'
import type { Params } from './params.ts'
import { type RootRequest, rootData, rootRequest } from './root.ts'
import { actor, createTestbed, TEST_PARAMS, type Testbed } from './testbed.ts'

const VALUE = toNano('0.2')
const hash = new Uint8Array(32).fill(0xab)
const hashText = 'ab'.repeat(32)
const here = { host: '127.0.0.1', port: 21_001 }
const there = { host: '10.1.2.3', port: 31_002 }

let bed: Testbed
const rootOwner = actor('root owner')

const byOwner = (body: Cell) => bed.send({ from: rootOwner, to: bed.root.address, value: VALUE, body })

/** Sends one request of the owner and expects success, one version more and the surplus back. */
async function ask(request: RootRequest) {
  const { version } = await bed.rootState()
  const outcome = await byOwner(rootRequest(11n, request))
  expect(outcome.failures).toEqual([])
  expect(outcome.arrivedAt(rootOwner)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
  const state = await bed.rootState()
  expect(state.version).toBe(version + 1)
  return state
}

beforeEach(async () => {
  bed = await createTestbed()
  await bed.send({ from: rootOwner, to: bed.root.address, value: toNano('0.5'), deploy: bed.root })
})

it('keeps lists of hashes', async () => {
  expect([...(await ask({ op: 'addProxyHash', hash })).proxyHashes]).toEqual([hashText])
  expect([...(await ask({ op: 'addWorkerHash', hash })).workerHashes]).toEqual([hashText])
  expect([...(await ask({ op: 'addModelHash', hash })).modelHashes]).toEqual([hashText])
  const valid = async (name: string, value: bigint) => {
    const { stackReader } = await bed.chain.runGetMethod(bed.root.address, name, [{ type: 'int', value }])
    return stackReader.readBigNumber()
  }
  for (const name of ['proxy_hash_is_valid', 'worker_hash_is_valid', 'model_hash_is_valid']) {
    expect([await valid(name, BigInt(`0x${hashText}`)), await valid(name, 1n)]).toEqual([-1n, 0n])
  }
  await ask({ op: 'delProxyHash', hash })
  await ask({ op: 'delWorkerHash', hash })
  const state = await ask({ op: 'delModelHash', hash })
  expect([state.proxyHashes.size, state.workerHashes.size, state.modelHashes.size]).toEqual([0, 0, 0])
})

it('keeps the list of proxies', async () => {
  await ask({ op: 'registerProxy', endpoints: { forWorkers: here, forClients: here } })
  const two = await ask({ op: 'registerProxy', endpoints: { forWorkers: here, forClients: there } })
  expect(two.lastProxySeqno).toBe(2)
  expect(two.proxies).toEqual([
    { seqno: 1, forWorkers: here, forClients: here },
    { seqno: 2, forWorkers: here, forClients: there },
  ])
  const changed = await ask({ op: 'updateProxy', seqno: 1, endpoints: { forWorkers: there, forClients: there } })
  expect(changed.proxies[0]).toEqual({ seqno: 1, forWorkers: there, forClients: there })
  const fewer = await ask({ op: 'unregisterProxy', seqno: 1 })
  expect(fewer.proxies.map((proxy) => proxy.seqno)).toEqual([2])
  expect((await byOwner(rootRequest(1n, { op: 'unregisterProxy', seqno: 1 }))).exitCode).toBe(2000)
  const unknown = rootRequest(1n, { op: 'updateProxy', seqno: 9, endpoints: { forWorkers: here, forClients: here } })
  expect((await byOwner(unknown)).exitCode).toBe(2000)
  const seqno = await bed.chain.runGetMethod(bed.root.address, 'last_proxy_seqno')
  expect(seqno.stackReader.readBigNumber()).toBe(2n)
  // An entry of the other type is refused; one that is text but no address is kept, and reported as unreadable.
  const entry = (type: number) => beginCell().storeUint(0x927c7cb5, 32).storeUint(1, 64).storeBit(type).storeUint(3, 7)
  expect((await byOwner(entry(1).storeStringTail('abc').endCell())).exitCode).toBe(1004)
  expect((await byOwner(entry(0).storeStringTail('abc').endCell())).failures).toEqual([])
  expect(await bed.rootState()).toMatchObject({ unreadableProxies: [3], lastProxySeqno: 3 })
})

it('changes prices, terms and code in the params of every struct version', async () => {
  const defaults = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
  const variants: Params[] = [
    TEST_PARAMS,
    { ...TEST_PARAMS, structVersion: 2, multipliers: { ...defaults, cached: 1_000, reasoning: 70_000 } },
    { ...TEST_PARAMS, structVersion: 1, multipliers: defaults },
    { ...TEST_PARAMS, structVersion: 0, multipliers: defaults, minProxyStake: toNano('1'), minClientStake: toNano('1') },
  ]
  for (const params of variants) {
    bed = await createTestbed(params)
    await bed.send({ from: rootOwner, to: bed.root.address, value: toNano('0.5'), deploy: bed.root })
    const priced = await ask({ op: 'changePrice', pricePerToken: 30n, workerFeePerToken: 20n })
    expect(priced.params).toMatchObject({ paramsVersion: 2, pricePerToken: 30n, workerFeePerToken: 20n })
    expect(priced.params).toMatchObject({ multipliers: params.multipliers, minClientStake: params.minClientStake })
    const terms = {
      pricePerToken: 31n,
      workerFeePerToken: 21n,
      proxyDelaySec: 5,
      clientDelaySec: 6,
      minProxyStake: params.structVersion === 0 ? toNano('1') : toNano('7'),
      minClientStake: params.structVersion === 0 ? toNano('1') : toNano('8'),
    }
    expect((await ask({ op: 'changeParams', ...terms })).params).toMatchObject({ paramsVersion: 3, ...terms })
    const refused = await byOwner(rootRequest(1n, { op: 'changeParams', ...terms, minClientStake: toNano('2') }))
    expect(refused.exitCode).toBe(params.structVersion === 0 ? 1004 : 0)
    const code = (n: number) => beginCell().storeUint(n, 8).endCell()
    const upgraded = await ask({ op: 'upgradeContracts', proxy: code(1), worker: code(2), client: code(3) })
    const { proxy, worker, client } = upgraded.params.codes
    expect([proxy, worker, client].map((cell) => cell?.beginParse().loadUint(8))).toEqual([1, 2, 3])
  }
})

it('can be emptied, handed over and replaced', async () => {
  await ask({ op: 'addProxyHash', hash })
  await ask({ op: 'registerProxy', endpoints: { forWorkers: here, forClients: here } })
  const empty = await ask({ op: 'reset' })
  expect([empty.proxyHashes.size, empty.proxies.length, empty.lastProxySeqno]).toEqual([0, 0, 1])

  const same = (await bed.chain.getContract(bed.root.address)).accountState
  if (same?.type !== 'active' || !same.state.code) throw new Error('no code')
  await ask({ op: 'upgradeCode', code: same.state.code })

  const newOwner = actor('new root owner')
  await ask({ op: 'changeOwner', owner: newOwner })
  expect((await byOwner(rootRequest(1n, { op: 'reset' }))).exitCode).toBe(1010)

  const data = rootData({ owner: rootOwner, params: { ...TEST_PARAMS, uniqueId: 5 }, version: 40 })
  const code = beginCell().storeUint(0xdead, 16).endCell()
  const body = rootRequest(1n, { op: 'fullUpgrade', data, code })
  const outcome = await bed.send({ from: newOwner, to: bed.root.address, value: VALUE, body })
  expect(outcome.failures).toEqual([])
  expect(await bed.rootState()).toMatchObject({ version: 40, params: { uniqueId: 5 } })
  const after = (await bed.chain.getContract(bed.root.address)).accountState
  expect(after?.type === 'active' && after.state.code?.equals(code)).toBe(true)
})

it('obeys nobody but the owner, and knows nothing else', async () => {
  const reset = rootRequest(1n, { op: 'reset' })
  expect((await bed.send({ from: bed.stranger, to: bed.root.address, value: VALUE, body: reset })).exitCode).toBe(1010)
  // Declared by the network, handled by no contract.
  expect((await byOwner(beginCell().storeUint(0x9f1e69dc, 32).storeUint(1, 64).endCell())).exitCode).toBe(1012)
  expect((await byOwner(beginCell().storeSlice(reset.beginParse()).storeBit(1).endCell())).exitCode).toBe(1004)
  const before = await bed.data(bed.root.address)
  const empty = await bed.send({ from: bed.stranger, to: bed.root.address, value: VALUE })
  const memo = beginCell().storeUint(0x9a1247c0, 32).endCell()
  const noted = await bed.send({ from: bed.stranger, to: bed.root.address, value: VALUE, body: memo })
  expect([empty.exitCode, noted.exitCode]).toEqual([0, 0])
  expect((await bed.data(bed.root.address)).equals(before)).toBe(true)
})

it('answers its getters', async () => {
  const data = await bed.chain.runGetMethod(bed.root.address, 'get_cocoon_data')
  const numbers = Array.from({ length: 9 }, () => data.stackReader.readBigNumber())
  expect(numbers).toEqual([0n, 0n, 1n, 77n, -1n, 200_000n, 150_000n, toNano('1'), toNano('5')])
  expect(data.stackReader.readAddress().equals(rootOwner)).toBe(true)
  const params = await bed.chain.runGetMethod(bed.root.address, 'get_cur_params')
  const values = Array.from({ length: params.stackReader.remaining }, () => params.stackReader.readBigNumber())
  const codeHash = (name: 'proxy' | 'worker' | 'client') => BigInt(`0x${TEST_PARAMS.codes[name]?.hash().toString('hex')}`)
  expect(values).toEqual([
    ...[1n, 77n, -1n, 200_000n, 150_000n, 1_000n, 80_000n, 60n, 30n, toNano('1'), toNano('5')],
    ...[codeHash('proxy'), codeHash('worker'), codeHash('client')],
  ])
})
