import { beginCell, type Cell, toNano } from '@ton/core'
import { beforeEach, expect, it } from 'vitest'
import { clientTopUp } from './client.ts'
import { OP_EXCESSES, OP_PAYOUT } from './common.ts'
import { parseProxyMessage } from './proxy.ts'
import { type actor, createTestbed, type Testbed } from './testbed.ts'
import { workerRegister } from './worker.ts'

const VALUE = toNano('0.5')
const FEE = 150_000n
const COMMISSION_PER_TOKEN = 50_000n

let bed: Testbed
let envelope: { queryId: bigint; excesses: ReturnType<typeof actor> }

const byStranger = (body: Cell, value = VALUE) => bed.send({ from: bed.stranger, to: bed.worker.address, value, body })

beforeEach(async () => {
  bed = await createTestbed()
  envelope = { queryId: 42n, excesses: bed.excesses }
  // The clients' money is what workers are paid from.
  await bed.send({ from: bed.owner, to: bed.proxy.address, value: toNano('0.05'), deploy: bed.proxy })
  await bed.send({
    from: bed.clientOwner,
    to: bed.client.address,
    value: toNano('20.5'),
    body: clientTopUp(envelope, toNano('20')),
    deploy: bed.client,
  })
  const registered = await bed.send({
    from: bed.workerOwner,
    to: bed.worker.address,
    value: toNano('0.3'),
    body: workerRegister(envelope),
    deploy: bed.worker,
  })
  expect(registered.failures).toEqual([])
})

it('pays the owner exactly tokens x fee, books the commission, returns the surplus', async () => {
  const before = await bed.balance(bed.proxy.address)
  const outcome = await byStranger(bed.payment('worker-payout', 850n))
  expect(outcome.failures).toEqual([])
  expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_PAYOUT, value: 127_500_000n }])
  expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
  expect((await bed.balance(bed.proxy.address)) - before).toBe(-127_500_000n)
  expect((await bed.proxyState()).balance).toBe(850n * COMMISSION_PER_TOKEN)
  expect(await bed.workerState()).toMatchObject({ state: 'normal', tokens: 850n })
  const [request] = outcome.arrivedAt(bed.proxy.address)
  expect(request && parseProxyMessage(request.body)).toMatchObject({
    kind: 'worker-request',
    tokens: 850n,
    payload: { kind: 'payout', workerPart: 850n * FEE, proxyPart: 850n * COMMISSION_PER_TOKEN },
  })

  const next = await byStranger(bed.payment('worker-payout', 851n))
  expect(next.arrivedAt(bed.workerOwner)).toMatchObject([{ value: FEE }])
  expect(await bed.balance(bed.worker.address)).toBe(toNano('0.11'))
})

it('works at the smallest value above 0.1 TON, and not at 0.1 TON', async () => {
  expect((await byStranger(bed.payment('worker-payout', 1n), toNano('0.1'))).exitCode).toBe(1003)
  expect((await byStranger(bed.payment('worker-payout', 1n), toNano('0.1') + 1n)).failures).toEqual([])
})

it('closes with the last payout, also when there is nothing new to pay', async () => {
  await byStranger(bed.payment('worker-payout', 850n))
  expect((await byStranger(bed.payment('worker-last-payout', 849n))).exitCode).toBe(1000)
  const last = await byStranger(bed.payment('worker-last-payout', 850n))
  expect(last.failures).toEqual([])
  expect(last.arrivedAt(bed.workerOwner)).toEqual([])
  expect(last.arrivedAt(bed.excesses)).toHaveLength(1)
  expect(await bed.workerState()).toMatchObject({ state: 'closed', tokens: 850n })
  for (const kind of ['worker-payout', 'worker-last-payout'] as const) {
    expect((await byStranger(bed.payment(kind, 900n))).exitCode).toBe(1006)
  }
  const register = await bed.send({ from: bed.workerOwner, to: bed.worker.address, value: VALUE, body: workerRegister(envelope) })
  expect(register.exitCode).toBe(1006)
})

it('pays the rest with the last payout', async () => {
  const last = await byStranger(bed.payment('worker-last-payout', 10n))
  expect(last.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 10n * FEE }])
})

it('refuses old, foreign and forged payouts', async () => {
  await byStranger(bed.payment('worker-payout', 850n))
  expect((await byStranger(bed.payment('worker-payout', 850n))).exitCode).toBe(1000)
  const foreign = bed.signed({ kind: 'worker-payout', queryId: 1n, tokens: 900n, contract: bed.client.address })
  expect((await byStranger(foreign)).exitCode).toBe(1015)
  const forged = bed.signed({ kind: 'worker-payout', queryId: 1n, tokens: 900n, contract: bed.worker.address }, 'other key')
  expect((await byStranger(forged)).exitCode).toBe(1007)
  const good = bed.payment('worker-payout', 900n).beginParse()
  good.skip(32)
  const otherOp = beginCell().storeUint(0xf5f26a36, 32).storeSlice(good).endCell()
  expect((await byStranger(otherOp)).exitCode).toBe(1005)
  expect((await byStranger(bed.payment('client-charge', 900n))).exitCode).toBe(1012)
  expect((await bed.workerState()).tokens).toBe(850n)
})

it('lets only the owner register, which tells the proxy with one nanoton', async () => {
  expect((await byStranger(workerRegister(envelope))).exitCode).toBe(1010)
  const outcome = await bed.send({ from: bed.workerOwner, to: bed.worker.address, value: VALUE, body: workerRegister(envelope) })
  expect(outcome.failures).toEqual([])
  expect(outcome.arrivedAt(bed.proxy.address)[0]?.value).toBe(1n)
  expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: VALUE - outcome.fees - 1n }])
  const low = await bed.send({
    from: bed.workerOwner,
    to: bed.worker.address,
    value: toNano('0.1'),
    body: workerRegister(envelope),
  })
  expect(low.exitCode).toBe(1003)
})

it('ignores empty messages and memos, refuses unknown operations', async () => {
  expect((await byStranger(beginCell().endCell())).exitCode).toBe(0)
  expect((await byStranger(beginCell().storeUint(0x9a1247c0, 32).endCell())).exitCode).toBe(0)
  expect((await byStranger(beginCell().storeUint(0x12345678, 32).storeUint(1, 64).endCell())).exitCode).toBe(1012)
})

it('answers its getter', async () => {
  await byStranger(bed.payment('worker-payout', 850n))
  const { stackReader } = await bed.chain.runGetMethod(bed.worker.address, 'get_cocoon_worker_data')
  expect(stackReader.readAddress().equals(bed.workerOwner)).toBe(true)
  expect(stackReader.readAddress().equals(bed.proxy.address)).toBe(true)
  const key = Buffer.from((await bed.workerState()).publicKey).toString('hex')
  expect([stackReader.readBigNumber(), stackReader.readBigNumber(), stackReader.readBigNumber()]).toEqual([
    BigInt(`0x${key}`),
    0n,
    850n,
  ])
})
