import { toNano } from '@ton/core'
import { expect } from 'vitest'
import { COMMISSION, OP_EXCESSES, OP_PAYOUT } from '../common.ts'
import { parseProxyMessage } from '../proxy.ts'
import type { Testbed } from '../testbed.ts'
import { workerRegister } from '../worker.ts'
import { accepts, type Case, refuses } from './case.ts'
import { casesOf, type Operation, signedLimits } from './operation.ts'
import { done, envelope, FEE, live, PRICE, RENT, refused, VALUE, workerClosed } from './stage.ts'

const to = (bed: Testbed) => bed.worker.address
const payout = (bed: Testbed, tokens: bigint) => bed.payment('worker-payout', tokens)
const lastPayout = (bed: Testbed, tokens: bigint) => bed.payment('worker-last-payout', tokens)

const register: Operation = {
  row: 'worker/register',
  stage: live,
  to,
  owner: (bed) => bed.workerOwner,
  body: (bed) => workerRegister(envelope(bed)),
  least: COMMISSION + 1n,
  not: [{ name: 'a closed contract', when: workerClosed, code: 1006 }],
  effect: async (bed, outcome, value) => {
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request && parseProxyMessage(request.body)).toMatchObject({
      kind: 'worker-request',
      state: 'normal',
      tokens: 0n,
      payload: null,
    })
    expect(request?.value).toBe(1n)
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: value - outcome.fees - 1n }])
  },
}

const others: readonly Case[] = [
  accepts('worker/payout', 'pays the worker, books the commission, returns the surplus', async () => {
    const bed = await live()
    const before = await bed.balance(bed.proxy.address)
    const outcome = await done(bed, to(bed), payout(bed, 850n))
    expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_PAYOUT, value: 850n * FEE }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
    expect(before - (await bed.balance(bed.proxy.address))).toBe(850n * FEE)
    expect((await bed.proxyState()).balance).toBe(850n * (PRICE - FEE))
    expect(await bed.workerState()).toMatchObject({ state: 'normal', tokens: 850n })
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request && parseProxyMessage(request.body)).toMatchObject({
      tokens: 850n,
      payload: { kind: 'payout', workerPart: 850n * FEE, proxyPart: 850n * (PRICE - FEE) },
    })
  }),
  accepts(
    'worker/payout',
    'one token',
    async () => {
      const bed = await live()
      const outcome = await done(bed, to(bed), payout(bed, 1n))
      expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ value: FEE }])
    },
    'dust',
  ),
  accepts(
    'worker/payout',
    'after four years without a message',
    async () => {
      const bed = await live()
      bed.pass(4 * 365 * 86_400)
      const before = await bed.balance(bed.proxy.address)
      const outcome = await done(bed, to(bed), payout(bed, 850n))
      expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 850n * FEE }])
      expect(await bed.balance(to(bed))).toBe(toNano('0.11'))
      expect(before - (await bed.balance(bed.proxy.address))).toBe(850n * FEE)
    },
    'storage',
  ),
  accepts('worker/last-payout', 'pays and closes', async () => {
    const bed = await live()
    await done(bed, to(bed), payout(bed, 100n))
    const outcome = await done(bed, to(bed), lastPayout(bed, 150n))
    expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_PAYOUT, value: 50n * FEE }])
    expect(await bed.workerState()).toMatchObject({ state: 'closed', tokens: 150n })
  }),
  accepts('worker/last-payout', 'closes with nothing new to pay', async () => {
    const bed = await live()
    await done(bed, to(bed), payout(bed, 100n))
    const outcome = await done(bed, to(bed), lastPayout(bed, 100n))
    expect(outcome.arrivedAt(bed.workerOwner)).toEqual([])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: VALUE - outcome.fees }])
    expect((await bed.workerState()).state).toBe('closed')
  }),
  refuses(
    'worker/payout',
    'a total that is not larger',
    async () => {
      const bed = await live()
      await done(bed, to(bed), payout(bed, 100n))
      for (const tokens of [0n, 99n, 100n]) await refused(bed, to(bed), payout(bed, tokens), 1000)
    },
    'old',
  ),
  refuses(
    'worker/last-payout',
    'a smaller total',
    async () => {
      const bed = await live()
      await done(bed, to(bed), payout(bed, 100n))
      await refused(bed, to(bed), lastPayout(bed, 99n), 1000)
    },
    'old',
  ),
  ...(['worker/payout', 'worker/last-payout'] as const).flatMap((row) => {
    const make = row === 'worker/payout' ? payout : lastPayout
    return signedLimits(row, { to, body: (bed) => make(bed, 5n), close: workerClosed, tooLittle: COMMISSION })
  }),
  refuses('worker/closed', 'everything', async () => {
    const bed = await live()
    await workerClosed(bed)
    for (const body of [payout(bed, 5n), lastPayout(bed, 5n), lastPayout(bed, 0n)]) await refused(bed, to(bed), body, 1006)
    await refused(bed, to(bed), workerRegister(envelope(bed)), 1006, { from: bed.workerOwner })
  }),
  accepts('worker/closed', 'all of it while the contract is open', async () => {
    const bed = await live()
    await done(bed, to(bed), payout(bed, 5n))
    await done(bed, to(bed), workerRegister(envelope(bed)), { from: bed.workerOwner })
    await done(bed, to(bed), lastPayout(bed, 5n))
  }),
  accepts('worker/getter', 'all five values', async () => {
    const bed = await live()
    await done(bed, to(bed), payout(bed, 850n))
    await done(bed, to(bed), lastPayout(bed, 900n))
    const { stackReader } = await bed.chain.runGetMethod(to(bed), 'get_cocoon_worker_data')
    expect(stackReader.readAddress().equals(bed.workerOwner)).toBe(true)
    expect(stackReader.readAddress().equals(bed.proxy.address)).toBe(true)
    const key = BigInt(`0x${Buffer.from((await bed.workerState()).publicKey).toString('hex')}`)
    const rest = Array.from({ length: stackReader.remaining }, () => stackReader.readBigNumber())
    expect(rest).toEqual([key, 2n, 900n])
    expect(await bed.balance(to(bed))).toBeGreaterThanOrEqual(toNano('0.11') - RENT)
  }),
  refuses('worker/getter', 'another name', async () => {
    const bed = await live()
    await expect(bed.chain.runGetMethod(to(bed), 'get_cocoon_client_data')).rejects.toThrow()
  }),
]

export const workerCases: readonly Case[] = [...casesOf(register), ...others]
