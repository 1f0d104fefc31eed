import { beginCell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientTopUp } from '../client.ts'
import { COMMISSION, OP_EXCESSES, OP_PAYOUT } from '../common.ts'
import { proxyIncreaseStake, proxyOwnerClose, proxyPayoutRequest, proxyText, stateCommitMemo } from '../proxy.ts'
import { type Outcome, TEST_PARAMS, type Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { casesOf, type Operation } from './operation.ts'
import {
  ask,
  clientClosing,
  done,
  envelope,
  FEE,
  live,
  PRICE,
  proxyClosed,
  proxyClosing,
  RENT,
  refused,
  STAKE,
  served,
  TOPPED_UP,
  VALUE,
} from './stage.ts'

const AMOUNT = toNano('3')
const CLAIM_PERIOD_SEC = 365 * 86_400
const EARNED = 850n * (PRICE - FEE)

const to = (bed: Testbed) => bed.proxy.address
const owner = (bed: Testbed) => bed.owner
const closing = { name: 'a closing contract', when: proxyClosing, code: 1006 }
const closed = { name: 'a closed contract', when: proxyClosed, code: 1006 }
const earn = (bed: Testbed) => served(bed, 850n)
const earnMore = (bed: Testbed) => served(bed, 1_700n)

async function isClosing(bed: Testbed): Promise<void> {
  const unlockAtSec = (bed.chain.now ?? 0) + TEST_PARAMS.proxyDelaySec
  expect(await bed.proxyState()).toMatchObject({ state: 'closing', unlockAtSec, stake: STAKE })
}

const surplusIsBack = (bed: Testbed, outcome: Outcome, value: bigint) =>
  expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: value - outcome.fees }])

const common = { stage: live, to, least: COMMISSION } as const
const operations: readonly Operation[] = [
  {
    ...common,
    row: 'proxy/payout-request',
    before: earn,
    body: (bed) => proxyPayoutRequest(envelope(bed)),
    effect: async (bed, outcome, value) => {
      expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: EARNED }])
      surplusIsBack(bed, outcome, value)
      expect((await bed.proxyState()).balance).toBe(0n)
    },
  },
  {
    ...common,
    row: 'proxy/increase-stake',
    body: (bed) => proxyIncreaseStake(envelope(bed), AMOUNT),
    value: AMOUNT + VALUE,
    least: AMOUNT + COMMISSION,
    not: [closed],
    effect: async (bed, outcome, value) => {
      expect((await bed.proxyState()).stake).toBe(STAKE + AMOUNT)
      surplusIsBack(bed, outcome, value - AMOUNT)
    },
  },
  {
    ...common,
    row: 'proxy/owner-close',
    owner,
    body: (bed) => proxyOwnerClose(envelope(bed)),
    not: [closing, closed],
    effect: async (bed, outcome, value) => {
      await isClosing(bed)
      surplusIsBack(bed, outcome, value)
    },
  },
  {
    ...common,
    row: 'proxy/text-c',
    owner,
    body: () => proxyText('c'),
    formatCodes: [1013],
    not: [closing, closed],
    effect: async (bed, outcome, value) => {
      await isClosing(bed)
      expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_EXCESSES, value: value - outcome.fees }])
    },
  },
  {
    ...common,
    row: 'proxy/text-w',
    owner,
    before: earn,
    body: () => proxyText('w'),
    formatCodes: [1013],
    effect: async (bed, outcome, value) => {
      expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: EARNED + value - outcome.fees }])
      expect((await bed.proxyState()).balance).toBe(0n)
    },
  },
]

const request = (bed: Testbed) => bed.payment('proxy-close-request', 0n)
const complete = (bed: Testbed) => bed.payment('proxy-close-complete', 0n)

const others: readonly Case[] = [
  accepts(
    'proxy/payout-request',
    'nothing to pay',
    async () => {
      const bed = await live()
      const outcome = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      expect(outcome.arrivedAt(bed.owner)).toEqual([])
      surplusIsBack(bed, outcome, VALUE)
    },
    'dust',
  ),
  accepts(
    'proxy/payout-request',
    'closing and closed contracts pay the commission, and only that',
    async () => {
      for (const close of [proxyClosing, proxyClosed]) {
        const bed = await live()
        await close(bed)
        await earn(bed)
        const outcome = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
        expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: EARNED }])
        await earnMore(bed)
        const text = await done(bed, to(bed), proxyText('w'), { from: bed.owner })
        expect(text.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: EARNED + VALUE - text.fees }])
      }
    },
    'state',
  ),
  accepts(
    'proxy/payout-request',
    'the same message once more pays nothing more',
    async () => {
      const bed = await live()
      await earn(bed)
      await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      const again = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      expect(again.arrivedAt(bed.owner)).toEqual([])
    },
    'replay',
  ),
  accepts(
    'proxy/text-w',
    'once more: only what the message brought',
    async () => {
      const bed = await live()
      await earn(bed)
      await done(bed, to(bed), proxyText('w'), { from: bed.owner })
      const held = await bed.balance(to(bed))
      const again = await done(bed, to(bed), proxyText('w'), { from: bed.owner })
      expect(again.arrivedAt(bed.owner)).toMatchObject([{ value: VALUE - again.fees }])
      expect(await bed.balance(to(bed))).toBe(held)
    },
    'replay',
  ),
  accepts(
    'proxy/increase-stake',
    'one nanoton, and none',
    async () => {
      const bed = await live()
      for (const amount of [1n, 0n]) await done(bed, to(bed), proxyIncreaseStake(envelope(bed), amount))
      expect((await bed.proxyState()).stake).toBe(STAKE + 1n)
    },
    'dust',
  ),
  refuses(
    'proxy/increase-stake',
    'more than was attached, up to 120 bits of it',
    async () => {
      const bed = await live()
      for (const amount of [VALUE, 2n ** 120n - 1n]) await refused(bed, to(bed), proxyIncreaseStake(envelope(bed), amount), 1003)
    },
    'maximum',
  ),
  accepts('proxy/increase-stake', 'a closing contract', async () => {
    const bed = await live()
    await proxyClosing(bed)
    await done(bed, to(bed), proxyIncreaseStake(envelope(bed), AMOUNT), { value: AMOUNT + VALUE })
    expect((await bed.proxyState()).stake).toBe(STAKE + AMOUNT)
  }),
  accepts('proxy/close-request', 'normal becomes closing', async () => {
    const bed = await live()
    const outcome = await done(bed, to(bed), request(bed))
    await isClosing(bed)
    surplusIsBack(bed, outcome, VALUE)
  }),
  refuses(
    'proxy/close-request',
    'any other state',
    async () => {
      const bed = await live()
      await done(bed, to(bed), request(bed))
      await refused(bed, to(bed), request(bed), 1006)
      const over = await live()
      await proxyClosed(over)
      await refused(over, to(over), request(over), 1006)
    },
    'state',
  ),
  refuses(
    'proxy/close-request',
    'less than 0.1 TON',
    async () => {
      const bed = await live()
      await refused(bed, to(bed), request(bed), 1003, { value: COMMISSION - 1n })
      await done(bed, to(bed), request(bed), { value: COMMISSION })
    },
    'value',
  ),
  accepts(
    'proxy/close-complete',
    'the owner gets commission, stake and the rest of the message; what is others stays',
    async () => {
      const bed = await live()
      await earn(bed)
      await proxyClosing(bed)
      bed.pass(TEST_PARAMS.proxyDelaySec)
      const outcome = await done(bed, to(bed), complete(bed))
      const value = STAKE + EARNED + VALUE - outcome.fees
      expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value }])
      expect(await bed.proxyState()).toMatchObject({ state: 'closed', balance: 0n, stake: 0n })
      const held = await bed.balance(to(bed))
      const others = TOPPED_UP - 850n * PRICE + toNano('0.01')
      expect(held).toBeGreaterThan(others - RENT)
      expect(held).toBeLessThanOrEqual(others + 10n)
    },
  ),
  accepts('proxy/close-complete', 'everything to the owner when nobody else is owed anything', async () => {
    const bed = await live()
    await done(bed, bed.client.address, bed.payment('client-grant-refund', 0n))
    await proxyClosing(bed)
    bed.pass(TEST_PARAMS.proxyDelaySec)
    const outcome = await done(bed, to(bed), complete(bed))
    const [got] = outcome.arrivedAt(bed.owner)
    expect(got?.value).toBeGreaterThan(STAKE + VALUE - outcome.fees - RENT)
    expect(await bed.balance(to(bed))).toBeLessThan(toNano('0.01') + RENT)
  }),
  refuses(
    'proxy/close-complete',
    'a second before the delay is over, and any other state',
    async () => {
      const bed = await live()
      await refused(bed, to(bed), complete(bed), 1006)
      await proxyClosing(bed)
      bed.pass(TEST_PARAMS.proxyDelaySec - 1)
      await refused(bed, to(bed), complete(bed), 1011)
      bed.pass(1)
      await done(bed, to(bed), complete(bed))
      await refused(bed, to(bed), complete(bed), 1006)
    },
    'state',
  ),
  refuses(
    'proxy/close-complete',
    'less than 0.1 TON',
    async () => {
      const bed = await live()
      await proxyClosing(bed)
      bed.pass(TEST_PARAMS.proxyDelaySec)
      await refused(bed, to(bed), complete(bed), 1003, { value: COMMISSION - 1n })
      await done(bed, to(bed), complete(bed), { value: COMMISSION })
    },
    'value',
  ),
  accepts(
    'proxy/close-complete',
    'what others left is held for a year and the delay of clients, then anybody may have it paid to the owner',
    async () => {
      const bed = await live()
      await proxyClosed(bed)
      const held = await bed.balance(to(bed))
      bed.pass(CLAIM_PERIOD_SEC + TEST_PARAMS.clientDelaySec - 1)
      const early = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      expect(early.arrivedAt(bed.owner)).toEqual([])
      bed.pass(1)
      const outcome = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      expect(outcome.arrivedAt(bed.owner)[0]?.value).toBeGreaterThan(held - toNano('0.1'))
    },
    'state',
  ),
  accepts('proxy/states', 'normal, closing, closed', async () => {
    const bed = await live()
    expect(await bed.proxyState()).toMatchObject({ state: 'normal', unlockAtSec: 0 })
    await proxyClosing(bed)
    await isClosing(bed)
    bed.pass(TEST_PARAMS.proxyDelaySec)
    await done(bed, to(bed), complete(bed))
    expect((await bed.proxyState()).state).toBe('closed')
  }),
  refuses('proxy/states', 'any way back', async () => {
    const bed = await live()
    await proxyClosed(bed)
    await refused(bed, to(bed), request(bed), 1006)
    await refused(bed, to(bed), proxyOwnerClose(envelope(bed)), 1006, { from: bed.owner })
    await refused(bed, to(bed), proxyIncreaseStake(envelope(bed), 1n), 1006)
    expect((await bed.proxyState()).state).toBe('closed')
  }),
  accepts('proxy/memo', 'with or without a state commit, from anyone', async () => {
    const bed = await live()
    const before = await bed.data(to(bed))
    const commit = stateCommitMemo({ queryId: 1n, seqno: -(2 ** 31), sessionHash: new Uint8Array(32).fill(255) })
    const bodies = [commit, beginCell().storeUint(0x9a1247c0, 32).endCell()]
    for (const body of bodies) for (const value of [1n, VALUE]) await ask(bed, to(bed), body, { value })
    expect((await bed.data(to(bed))).equals(before)).toBe(true)
    const outcome = await done(bed, to(bed), commit)
    expect(outcome.transactions).toHaveLength(1)
  }),
  refuses('proxy/memo', 'another operation with the same fields', async () => {
    const bed = await live()
    await refused(bed, to(bed), beginCell().storeUint(0x9a1247c1, 32).storeUint(1, 64).endCell(), 1012)
  }),
  accepts('proxy/getter', 'all twelve values', async () => {
    const bed = await live()
    await earn(bed)
    await proxyClosing(bed)
    const { stackReader } = await bed.chain.runGetMethod(to(bed), 'get_cocoon_proxy_data')
    expect(stackReader.readAddress().equals(bed.owner)).toBe(true)
    const { publicKey, unlockAtSec } = await bed.proxyState()
    expect(stackReader.readBigNumber()).toBe(BigInt(`0x${Buffer.from(publicKey).toString('hex')}`))
    expect(stackReader.readAddress().equals(bed.root.address)).toBe(true)
    const rest = Array.from({ length: stackReader.remaining }, () => stackReader.readBigNumber())
    const { minProxyStake, minClientStake } = TEST_PARAMS
    expect(rest).toEqual([1n, EARNED, STAKE, BigInt(unlockAtSec), PRICE, FEE, minProxyStake, minClientStake, 1n])
  }),
  refuses('proxy/getter', 'another name', async () => {
    const bed = await live()
    await expect(bed.chain.runGetMethod(to(bed), 'get_cocoon_data')).rejects.toThrow()
  }),
  accepts('proxy/top-up', 'a normal contract keeps the amount', async () => {
    const bed = await live()
    const before = await bed.balance(to(bed))
    await done(bed, bed.client.address, clientTopUp(envelope(bed), AMOUNT), { value: AMOUNT + VALUE })
    expect((await bed.balance(to(bed))) - before).toBe(AMOUNT)
  }),
  refuses(
    'proxy/top-up',
    'closing or closed: the amount returns to the client owner',
    async () => {
      for (const close of [proxyClosing, proxyClosed]) {
        const bed = await live()
        await close(bed)
        const body = clientTopUp(envelope(bed), AMOUNT)
        const outcome = await ask(bed, bed.client.address, body, { value: AMOUNT + VALUE })
        expect(outcome.failures).toEqual([1006])
        expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: AMOUNT }])
        expect((await bed.clientState()).balance).toBe(TOPPED_UP)
      }
    },
    'state',
  ),
  accepts('proxy/refund-force', 'the stake pays, and not more than it is', async () => {
    const bed = await live()
    await clientClosing(bed)
    bed.pass(31)
    const held = await bed.balance(to(bed))
    const body = bed.payment('client-charge', 20_000n)
    await done(bed, bed.client.address, body)
    await clientClosing(bed)
    // 1 TON was left of the balance; the proxy keeps the other TON of its stake.
    expect((await bed.proxyState()).stake).toBe(STAKE - toNano('1'))
    const paid = held - (await bed.balance(to(bed)))
    expect(Math.abs(Number(paid - toNano('1')))).toBeLessThan(Number(RENT))
  }),
  accepts(
    'proxy/refund-force',
    'a closed contract pays from what it holds for others',
    async () => {
      const bed = await live()
      await clientClosing(bed)
      await proxyClosed(bed)
      const outcome = await clientClosing(bed)
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: TEST_PARAMS.minClientStake }])
    },
    'state',
  ),
]

export const proxyCases: readonly Case[] = [...operations.flatMap(casesOf), ...others]
