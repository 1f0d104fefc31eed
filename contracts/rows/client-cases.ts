import { beginCell, Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientIncreaseStake,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
} from '../client.ts'
import { COMMISSION, OP_PAYOUT } from '../common.ts'
import { parseProxyMessage, proxyIncreaseStake } from '../proxy.ts'
import { clientRequestMessage } from '../proxy-requests.ts'
import { TEST_PARAMS, type Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { clientSignedCases } from './client-signed-cases.ts'
import { casesOf, type Operation } from './operation.ts'
import {
  ask,
  bare,
  clientClosed,
  clientClosing,
  done,
  envelope,
  live,
  noticed,
  PRICE,
  QUERY_ID,
  refused,
  TOPPED_UP,
  VALUE,
} from './stage.ts'

const AMOUNT = toNano('3')
const SECRET = new Uint8Array(32).fill(9)
const MOST = 2n ** 64n - 1n

const to = (bed: Testbed) => bed.client.address
const owner = (bed: Testbed) => bed.clientOwner
const closed = { name: 'a closed contract', when: clientClosed, code: 1006 }
const closing = { name: 'a closing contract', when: clientClosing, code: 1006 }

/** A refund of `AMOUNT` that the proxy contract refused, as it comes back: with the whole body of what was sent in that state. */
const returned = (bed: Testbed, state: 'normal' | 'closing' | 'closed') => {
  const request = clientRequestMessage({
    queryId: QUERY_ID,
    owner: bed.clientOwner,
    state,
    balance: 0n,
    stake: TEST_PARAMS.minClientStake,
    tokensUsed: 0n,
    secretHash: SECRET,
    payload: { kind: 'refund-granted', amount: AMOUNT, excesses: bed.excesses },
  })
  return beginCell().storeUint(0xfffffffe, 32).storeRef(request).endCell()
}

const common = { stage: live, to, not: [closed] } as const
const operations: readonly Operation[] = [
  {
    ...common,
    row: 'client/top-up',
    body: (bed) => clientTopUp(envelope(bed), AMOUNT),
    value: AMOUNT + VALUE,
    least: AMOUNT + COMMISSION,
    effect: async (bed, outcome, value) => {
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + AMOUNT)
      expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: value - AMOUNT - outcome.fees }])
    },
  },
  {
    ...common,
    row: 'client/change-secret-top-up',
    owner,
    body: (bed) => clientChangeSecretAndTopUp(envelope(bed), SECRET, AMOUNT),
    value: AMOUNT + VALUE,
    least: AMOUNT + COMMISSION,
    effect: async (bed) => {
      expect(await bed.clientState()).toMatchObject({ balance: TOPPED_UP + AMOUNT, secretHash: SECRET })
    },
  },
  {
    ...common,
    row: 'client/change-secret',
    owner,
    body: (bed) => clientChangeSecret(envelope(bed), SECRET),
    least: COMMISSION,
    effect: async (bed, outcome, value) => {
      expect((await bed.clientState()).secretHash).toEqual(SECRET)
      await noticed(bed, outcome, value)
    },
  },
  {
    ...common,
    row: 'client/register',
    owner,
    body: (bed) => clientRegister(envelope(bed), 5n),
    least: COMMISSION,
    effect: async (bed, outcome, value) => {
      await noticed(bed, outcome, value)
      const [request] = outcome.arrivedAt(bed.proxy.address)
      expect(request && parseProxyMessage(request.body)).toMatchObject({ payload: { kind: 'register', nonce: 5n } })
    },
  },
  {
    ...common,
    row: 'client/increase-stake',
    owner,
    body: (bed) => clientIncreaseStake(envelope(bed), toNano('6')),
    least: COMMISSION,
    effect: async (bed, outcome, value) => {
      expect((await bed.clientState()).stake).toBe(toNano('6'))
      await noticed(bed, outcome, value)
    },
  },
  {
    ...common,
    row: 'client/withdraw',
    owner,
    body: (bed) => clientWithdraw(envelope(bed)),
    least: COMMISSION,
    not: [closing, closed],
    effect: async (bed, outcome, value) => {
      const above = TOPPED_UP - TEST_PARAMS.minClientStake
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: above }])
      expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: value - outcome.fees }])
      expect((await bed.clientState()).balance).toBe(TEST_PARAMS.minClientStake)
    },
  },
  {
    ...common,
    row: 'client/request-refund',
    owner,
    body: (bed) => clientRequestRefund(envelope(bed)),
    least: COMMISSION,
    not: [{ name: 'closing, before the delay is over', when: clientClosing, code: 1011 }, closed],
    effect: async (bed, outcome) => {
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: TOPPED_UP - TEST_PARAMS.minClientStake }])
      const unlockAtSec = (bed.chain.now ?? 0) + TEST_PARAMS.clientDelaySec
      expect(await bed.clientState()).toMatchObject({ state: 'closing', unlockAtSec, balance: TEST_PARAMS.minClientStake })
    },
  },
]

const others: readonly Case[] = [
  accepts(
    'client/top-up',
    'one nanoton, and none',
    async () => {
      const bed = await live()
      for (const amount of [1n, 0n]) await done(bed, to(bed), clientTopUp(envelope(bed), amount))
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + 1n)
    },
    'dust',
  ),
  accepts(
    'client/top-up',
    'a billion TON',
    async () => {
      const bed = await live()
      const amount = toNano('1000000000')
      const before = await bed.balance(bed.proxy.address)
      await done(bed, to(bed), clientTopUp(envelope(bed), amount), { value: amount + VALUE })
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + amount)
      expect((await bed.balance(bed.proxy.address)) - before).toBe(amount)
    },
    'maximum',
  ),
  refuses(
    'client/top-up',
    'more than was attached, up to 120 bits of it',
    async () => {
      const bed = await live()
      for (const amount of [VALUE, 2n ** 120n - 1n]) await refused(bed, to(bed), clientTopUp(envelope(bed), amount), 1003)
    },
    'maximum',
  ),
  accepts(
    'client/top-up',
    'after five years without a message: the sender pays the rent',
    async () => {
      const bed = await live()
      bed.pass(5 * 365 * 86_400)
      const before = await bed.balance(bed.proxy.address)
      await done(bed, to(bed), clientTopUp(envelope(bed), AMOUNT), { value: AMOUNT + VALUE })
      // What is still owed of it stays too, and is taken with the next message.
      const kept = await bed.balance(to(bed))
      expect(kept).toBeGreaterThanOrEqual(toNano('0.11'))
      expect(kept).toBeLessThan(toNano('0.112'))
      expect((await bed.balance(bed.proxy.address)) - before).toBe(AMOUNT)
    },
    'storage',
  ),
  accepts(
    'client/register',
    'the largest nonce',
    async () => {
      const bed = await live()
      const outcome = await done(bed, to(bed), clientRegister(envelope(bed), MOST), { from: bed.clientOwner })
      const [request] = outcome.arrivedAt(bed.proxy.address)
      expect(request && parseProxyMessage(request.body)).toMatchObject({ payload: { nonce: MOST } })
    },
    'maximum',
  ),
  refuses('client/increase-stake', 'the same stake, or a smaller one', async () => {
    const bed = await live()
    for (const stake of [0n, toNano('5')]) {
      await refused(bed, to(bed), clientIncreaseStake(envelope(bed), stake), 1003, { from: bed.clientOwner })
    }
  }),
  accepts(
    'client/increase-stake',
    'the largest stake: nothing can be withdrawn, everything is refunded',
    async () => {
      const bed = await live()
      const most = 2n ** 120n - 1n
      await done(bed, to(bed), clientIncreaseStake(envelope(bed), most), { from: bed.clientOwner })
      expect((await bed.clientState()).stake).toBe(most)
      await refused(bed, to(bed), clientWithdraw(envelope(bed)), 1002, { from: bed.clientOwner })
      const outcome = await done(bed, to(bed), bed.payment('client-grant-refund', 0n))
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: TOPPED_UP }])
    },
    'maximum',
  ),
  accepts(
    'client/withdraw',
    'one nanoton above the stake',
    async () => {
      const bed = await live()
      const from = bed.clientOwner
      await done(bed, to(bed), clientWithdraw(envelope(bed)), { from })
      await done(bed, to(bed), clientTopUp(envelope(bed), 1n))
      const outcome = await done(bed, to(bed), clientWithdraw(envelope(bed)), { from })
      expect(outcome.arrivedAt(from)).toMatchObject([{ op: OP_PAYOUT, value: 1n }])
    },
    'dust',
  ),
  refuses(
    'client/withdraw',
    'the same message once more',
    async () => {
      const bed = await live()
      const from = bed.clientOwner
      await done(bed, to(bed), clientWithdraw(envelope(bed)), { from })
      await refused(bed, to(bed), clientWithdraw(envelope(bed)), 1002, { from })
    },
    'replay',
  ),
  accepts('client/request-refund', 'a second time after the delay, limited by the stake of the proxy', async () => {
    const bed = await live()
    await clientClosing(bed)
    bed.pass(31)
    const outcome = await done(bed, to(bed), clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('2') }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: toNano('3') })
  }),
  refuses('client/top-up-reopen', 'it', async () => {
    const bed = await live()
    const body = beginCell().storeUint(0x29111ceb, 32).storeUint(1, 64).storeCoins(1n).storeAddress(bed.excesses).endCell()
    for (const from of [bed.clientOwner, bed.stranger]) await refused(bed, to(bed), body, 1012, { from })
  }),
  accepts('client/notice', 'money goes with the whole value, anything else with one nanoton', async () => {
    const bed = await live()
    const moved = await done(bed, to(bed), clientWithdraw(envelope(bed)), { from: bed.clientOwner })
    expect(moved.arrivedAt(bed.proxy.address)[0]?.value).toBeGreaterThan(VALUE - toNano('0.02'))
    await noticed(bed, await done(bed, to(bed), bed.payment('client-charge', 5n)), VALUE)
  }),
  refuses('client/notice', 'nothing is told when nothing was accepted', async () => {
    const bed = await live()
    const outcome = await refused(bed, to(bed), bed.payment('client-charge', 0n), 1000)
    expect(outcome.arrivedAt(bed.proxy.address)).toEqual([])
  }),
  accepts('client/getter', 'all nine values', async () => {
    const bed = await live()
    await done(bed, to(bed), clientChangeSecret(envelope(bed), SECRET), { from: bed.clientOwner })
    await done(bed, to(bed), bed.payment('client-charge', 850n))
    await clientClosing(bed)
    const { stackReader } = await bed.chain.runGetMethod(to(bed), 'get_cocoon_client_data')
    expect(stackReader.readAddress().equals(bed.clientOwner)).toBe(true)
    expect(stackReader.readAddress().equals(bed.proxy.address)).toBe(true)
    const { publicKey, unlockAtSec } = await bed.clientState()
    expect(stackReader.readBigNumber()).toBe(BigInt(`0x${Buffer.from(publicKey).toString('hex')}`))
    const rest = Array.from({ length: stackReader.remaining }, () => stackReader.readBigNumber())
    expect(rest).toEqual([1n, toNano('5'), toNano('5'), 850n, BigInt(unlockAtSec), BigInt(`0x${'09'.repeat(32)}`)])
  }),
  refuses('client/getter', 'another name', async () => {
    const bed = await live()
    await expect(bed.chain.runGetMethod(to(bed), 'get_cocoon_worker_data')).rejects.toThrow()
  }),
  accepts('client/deploy', 'by a register message, whose value never becomes balance', async () => {
    const bed = await bare()
    const body = clientRegister(envelope(bed), 1n)
    const outcome = await bed.send({ from: bed.clientOwner, to: to(bed), value: VALUE, body, deploy: bed.client })
    expect(outcome.exitCode).toBe(0)
    expect(await bed.clientState()).toMatchObject({ state: 'normal', balance: 0n, stake: TEST_PARAMS.minClientStake })
    expect(await bed.balance(to(bed))).toBe(toNano('0.11'))
  }),
  accepts(
    'client/deploy',
    'by any message that works at an empty contract, into the state that follows from it',
    async () => {
      const { minClientStake } = TEST_PARAMS
      const fresh = { state: 'normal', balance: 0n, stake: minClientStake, tokensUsed: 0n } as const
      const first: readonly (readonly [(bed: Testbed) => Cell, 'owner' | 'anyone', object])[] = [
        [(bed) => clientTopUp(envelope(bed), AMOUNT), 'anyone', { balance: AMOUNT }],
        [(bed) => clientChangeSecretAndTopUp(envelope(bed), SECRET, AMOUNT), 'owner', { balance: AMOUNT, secretHash: SECRET }],
        [(bed) => clientChangeSecret(envelope(bed), SECRET), 'owner', { secretHash: SECRET }],
        [(bed) => clientIncreaseStake(envelope(bed), minClientStake + 1n), 'owner', { stake: minClientStake + 1n }],
        [(bed) => clientRequestRefund(envelope(bed)), 'owner', { state: 'closing' }],
        [(bed) => bed.payment('client-charge', 7n), 'anyone', { tokensUsed: 7n }],
        [(bed) => bed.payment('client-grant-refund', 7n), 'anyone', { state: 'closed', tokensUsed: 7n }],
        [() => Cell.EMPTY, 'anyone', {}],
      ]
      for (const [body, who, change] of first) {
        const bed = await bare()
        const stake = proxyIncreaseStake(envelope(bed), 0n)
        await bed.send({ from: bed.owner, to: bed.proxy.address, value: VALUE, body: stake, deploy: bed.proxy })
        const from = who === 'owner' ? bed.clientOwner : bed.stranger
        const sending = { from, to: to(bed), value: AMOUNT + VALUE, body: body(bed), deploy: bed.client }
        expect((await bed.send(sending)).failures).toEqual([])
        expect(await bed.clientState()).toMatchObject({ ...fresh, ...change })
      }
    },
    'state',
  ),
  refuses(
    'client/deploy',
    'a withdrawal, or what only its owner may: the contract is there then, and nothing has changed',
    async () => {
      const refusals: readonly (readonly [(bed: Testbed) => Cell, 'clientOwner' | 'stranger', number])[] = [
        [(bed) => clientWithdraw(envelope(bed)), 'clientOwner', 1002],
        [(bed) => clientChangeSecret(envelope(bed), SECRET), 'stranger', 1010],
        [(bed) => bed.payment('client-charge', 0n), 'stranger', 1000],
      ]
      for (const [body, who, code] of refusals) {
        const bed = await bare()
        const sending = { from: bed[who], to: to(bed), value: VALUE, body: body(bed), deploy: bed.client }
        expect((await bed.send(sending)).exitCode).toBe(code)
        expect((await bed.data(to(bed))).equals(bed.client.init.data)).toBe(true)
      }
    },
  ),
  refuses(
    'client/deploy',
    'a first message that does not fill up what has to stay',
    async () => {
      const bed = await bare()
      const body = clientRegister(envelope(bed), 1n)
      const sending = { from: bed.clientOwner, to: to(bed), body, deploy: bed.client }
      const low = await bed.send({ ...sending, value: toNano('0.16') - 1n })
      expect(low.exitCode).toBe(1001)
      const enough = await bed.send({ ...sending, value: toNano('0.16') })
      expect(enough.exitCode).toBe(0)
    },
    'value',
  ),
  accepts('client/close-by-owner', 'normal, closing, closed', async () => {
    const bed = await live()
    expect((await bed.clientState()).state).toBe('normal')
    await clientClosing(bed)
    expect((await bed.clientState()).state).toBe('closing')
    bed.pass(TEST_PARAMS.clientDelaySec + 1)
    await done(bed, to(bed), clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
    expect((await bed.clientState()).state).toBe('closed')
  }),
  refuses(
    'client/close-by-owner',
    'the second request in the second of the delay, not one later',
    async () => {
      const bed = await live()
      await clientClosing(bed)
      bed.pass(TEST_PARAMS.clientDelaySec)
      await refused(bed, to(bed), clientRequestRefund(envelope(bed)), 1011, { from: bed.clientOwner })
      bed.pass(1)
      await done(bed, to(bed), clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
    },
    'state',
  ),
  accepts('client/close-by-owner', 'a first request that the proxy contract refuses: the contract is normal again', async () => {
    const bed = await live()
    await clientClosing(bed)
    const outcome = await done(bed, to(bed), returned(bed, 'closing'), { from: bed.proxy.address, bounced: true })
    const balance = TEST_PARAMS.minClientStake + AMOUNT
    expect(await bed.clientState()).toMatchObject({ state: 'normal', balance, unlockAtSec: 0 })
    await noticed(bed, outcome, VALUE)
    // It can begin again, and the delay counts from then.
    bed.pass(1_000)
    await clientClosing(bed)
    expect(await bed.clientState()).toMatchObject({
      state: 'closing',
      unlockAtSec: (bed.chain.now ?? 0) + TEST_PARAMS.clientDelaySec,
    })
  }),
  accepts(
    'client/close-by-owner',
    'a refused withdrawal changes no state, and nothing opens what has closed meanwhile',
    async () => {
      for (const [when, asked, state] of [
        [clientClosing, 'normal', 'closing'],
        [clientClosed, 'closing', 'closed'],
        [clientClosed, 'closed', 'closed'],
      ] as const) {
        const bed = await live()
        await when(bed)
        const { balance, unlockAtSec } = await bed.clientState()
        await done(bed, to(bed), returned(bed, asked), { from: bed.proxy.address, bounced: true })
        expect(await bed.clientState()).toMatchObject({ state, balance: balance + AMOUNT, unlockAtSec })
      }
    },
  ),
  accepts('client/close-by-grant', 'a closing contract', async () => {
    const bed = await live()
    await clientClosing(bed)
    const outcome = await done(bed, to(bed), bed.payment('client-grant-refund', 0n))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: TEST_PARAMS.minClientStake }])
    expect((await bed.clientState()).state).toBe('closed')
  }),
  refuses(
    'client/close-by-grant',
    'a closed contract stays closed',
    async () => {
      const bed = await live()
      await clientClosed(bed)
      await refused(bed, to(bed), clientTopUp(envelope(bed), 0n), 1006)
      await refused(bed, to(bed), clientRequestRefund(envelope(bed)), 1006, { from: bed.clientOwner })
    },
    'state',
  ),
  accepts('client/closing', 'charge, top up and secret', async () => {
    const bed = await live()
    await clientClosing(bed)
    await done(bed, to(bed), bed.payment('client-charge', 100n))
    await done(bed, to(bed), clientTopUp(envelope(bed), AMOUNT), { value: AMOUNT + VALUE })
    await done(bed, to(bed), clientChangeSecret(envelope(bed), SECRET), { from: bed.clientOwner })
    const balance = TEST_PARAMS.minClientStake - 100n * PRICE + AMOUNT
    expect(await bed.clientState()).toMatchObject({ state: 'closing', balance, secretHash: SECRET })
  }),
  accepts(
    'client/closing',
    'register and a larger stake; what is refunded then is all the same',
    async () => {
      const bed = await live()
      await clientClosing(bed)
      const { unlockAtSec } = await bed.clientState()
      const register = await done(bed, to(bed), clientRegister(envelope(bed), 9n), { from: bed.clientOwner })
      const [request] = register.arrivedAt(bed.proxy.address)
      expect(request && parseProxyMessage(request.body)).toMatchObject({
        state: 'closing',
        payload: { kind: 'register', nonce: 9n },
      })
      const stake = TEST_PARAMS.minClientStake + 1n
      await noticed(bed, await done(bed, to(bed), clientIncreaseStake(envelope(bed), stake), { from: bed.clientOwner }), VALUE)
      expect(await bed.clientState()).toMatchObject({ state: 'closing', stake, unlockAtSec, balance: TEST_PARAMS.minClientStake })
      const outcome = await done(bed, to(bed), bed.payment('client-grant-refund', 0n))
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: TEST_PARAMS.minClientStake }])
    },
    'state',
  ),
  refuses(
    'client/closing',
    'a withdrawal',
    async () => {
      const bed = await live()
      await clientClosing(bed)
      await refused(bed, to(bed), clientWithdraw(envelope(bed)), 1006, { from: bed.clientOwner })
      const outcome = await ask(bed, to(bed), clientWithdraw(envelope(bed)))
      expect(outcome.exitCode).toBe(1010)
    },
    'state',
  ),
]

export const clientCases: readonly Case[] = [...operations.flatMap(casesOf), ...clientSignedCases, ...others]
