import { type Address, beginCell, type Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientChangeSecret, clientRequestRefund, clientTopUp, clientWithdraw } from '../client.ts'
import { excesses, OP_EXCESSES, OP_PAYOUT, parseMoneyMessage, payout, peekOperation } from '../common.ts'
import { proxyIncreaseStake, proxyPayoutRequest } from '../proxy.ts'
import { clientRequestMessage, workerRequestMessage } from '../proxy-requests.ts'
import { rootRequest } from '../root.ts'
import type { Outcome, Testbed } from '../testbed.ts'
import { workerRegister } from '../worker.ts'
import { accepts, type Case, refuses } from './case.ts'
import { rootOwner } from './root-stage.ts'
import { ask, bare, done, envelope, live, QUERY_ID, refused, served, VALUE } from './stage.ts'

const YEAR = 365 * 86_400
const empty = beginCell().endCell()
const memo = beginCell().storeUint(0x9a1247c0, 32).endCell()

/** The live stage with a root contract. */
async function four(): Promise<{ bed: Testbed; contracts: readonly Address[] }> {
  const bed = await live()
  await bed.send({ from: rootOwner, to: bed.root.address, value: VALUE, deploy: bed.root })
  return { bed, contracts: [bed.root, bed.proxy, bed.client, bed.worker].map(({ address }) => address) }
}

/** Nothing but the balance changes, and nothing is sent. */
async function ignored(bed: Testbed, to: Address, body: Cell, bounced = false): Promise<void> {
  const before = await bed.data(to)
  for (const from of [bed.stranger, bed.owner, rootOwner]) {
    const outcome = await ask(bed, to, body, { from, bounced })
    expect([outcome.failures, outcome.transactions.length]).toEqual([[], 1])
  }
  expect((await bed.data(to)).equals(before)).toBe(true)
}

/** A request for money as a client or worker contract sends it. */
function requestOf(bed: Testbed, kind: 'client' | 'worker'): Cell {
  const common = { queryId: QUERY_ID, state: 'normal' } as const
  const { clientOwner, workerOwner, excesses } = bed
  if (kind === 'worker') {
    const payload = { kind: 'payout', workerPart: 3n, proxyPart: 1n, excesses } as const
    return workerRequestMessage({ ...common, owner: workerOwner, tokens: 0n, payload })
  }
  const zero = { balance: 0n, stake: 0n, tokensUsed: 0n, secretHash: new Uint8Array(32) }
  const payload = { kind: 'refund-granted', amount: 5n, excesses } as const
  return clientRequestMessage({ ...common, ...zero, owner: clientOwner, payload })
}

function messagesOf(outcome: Outcome) {
  return outcome.transactions.flatMap((transaction) => [...transaction.outMessages.values()])
}

export const commonCases: readonly Case[] = [
  accepts('common/empty', 'by every contract, from anyone', async () => {
    const { bed, contracts } = await four()
    for (const to of contracts) await ignored(bed, to, empty)
  }),
  refuses('common/empty', 'a body of one bit is not empty, nor is one of a reference', async () => {
    const { bed, contracts } = await four()
    for (const to of contracts) {
      await refused(bed, to, beginCell().storeBit(0).endCell(), 1004)
      await refused(bed, to, beginCell().storeRef(empty).endCell(), 1004)
    }
  }),
  accepts('common/bounced', 'anything, in the old form and in the new one', async () => {
    const { bed, contracts } = await four()
    const old = beginCell().storeUint(0xffffffff, 32).storeUint(0x65448ff4, 32).storeUint(1, 64).endCell()
    for (const to of contracts) for (const body of [old, memo, excesses(1n), empty]) await ignored(bed, to, body, true)
    for (const to of contracts.slice(0, 2)) {
      const whole = beginCell()
        .storeUint(0xfffffffe, 32)
        .storeRef(clientTopUp(envelope(bed), 1n))
        .endCell()
      await ignored(bed, to, whole, true)
    }
  }),
  accepts('common/bounced', 'in the new form, by client and worker contracts, whatever was never theirs', async () => {
    const { bed } = await four()
    const foreign = [
      empty,
      clientTopUp(envelope(bed), 1n),
      excesses(1n),
      requestOf(bed, 'client'),
      requestOf(bed, 'worker'),
      beginCell().storeUint(0x65448ff4, 32).endCell(),
      beginCell().storeUint(0x4d725d2c, 32).storeUint(1, 64).endCell(),
    ]
    for (const kind of ['client', 'worker'] as const) {
      const { address } = bed[kind]
      const before = await bed.data(address)
      for (const body of foreign) {
        // What a contract says of its own, with a payload, is what it takes back.
        if (body.equals(requestOf(bed, kind))) continue
        for (const head of [beginCell().storeUint(0xfffffffe, 32), beginCell().storeUint(0xfffffffe, 32).storeUint(5, 90)]) {
          const from = bed.proxy.address
          const outcome = await ask(bed, address, head.storeRef(body).endCell(), { from, bounced: true })
          expect(outcome.transactions).toHaveLength(1)
          expect(outcome.arrivedAt(bed.proxy.address)).toEqual([])
        }
      }
      // Cut off before the body.
      await ask(bed, address, beginCell().storeUint(0xfffffffe, 32).endCell(), { from: bed.proxy.address, bounced: true })
      expect((await bed.data(address)).equals(before)).toBe(true)
    }
  }),
  refuses('common/bounced', 'the same words that do not bounce', async () => {
    const { bed, contracts } = await four()
    const old = beginCell().storeUint(0xffffffff, 32).storeUint(0x65448ff4, 32).storeUint(1, 64).endCell()
    for (const to of contracts) await refused(bed, to, old, to.equals(bed.root.address) ? 1010 : 1012)
  }),
  accepts('common/memo', 'with anything behind it', async () => {
    const { bed, contracts } = await four()
    const long = beginCell().storeUint(0x9a1247c0, 32).storeUint(5, 200).storeRef(memo).endCell()
    for (const to of contracts) for (const body of [memo, long]) await ignored(bed, to, body)
  }),
  refuses('common/memo', 'half of its number', async () => {
    const { bed, contracts } = await four()
    for (const to of contracts) await refused(bed, to, beginCell().storeUint(0x9a12, 16).endCell(), 1004)
  }),
  accepts('common/query-id', 'in every message that follows', async () => {
    const { bed } = await four()
    await served(bed, 850n)
    const signed = bed.payment('worker-payout', 900n, QUERY_ID)
    const orders: readonly (readonly [Address, Address, Cell])[] = [
      [bed.clientOwner, bed.client.address, clientTopUp(envelope(bed), 1n)],
      [bed.clientOwner, bed.client.address, clientChangeSecret(envelope(bed), new Uint8Array(32))],
      [bed.clientOwner, bed.client.address, clientWithdraw(envelope(bed))],
      [bed.workerOwner, bed.worker.address, workerRegister(envelope(bed))],
      [bed.stranger, bed.worker.address, signed],
      [bed.stranger, bed.proxy.address, proxyPayoutRequest(envelope(bed))],
      [rootOwner, bed.root.address, rootRequest(QUERY_ID, { op: 'reset' })],
    ]
    for (const [from, to, body] of orders) {
      const outcome = await done(bed, to, body, { from })
      const messages = messagesOf(outcome)
      expect(messages.length).toBeGreaterThan(0)
      for (const message of messages) expect(peekOperation(message.body)?.queryId).toBe(QUERY_ID)
    }
  }),
  refuses('common/query-id', 'a body that ends before it', async () => {
    const { bed, contracts } = await four()
    const short = beginCell().storeUint(0xf172e6c2, 32).storeUint(1, 63).endCell()
    for (const to of contracts) await refused(bed, to, short, 1004, { from: rootOwner })
  }),
  accepts('common/leave-client-worker', 'what was there before stays, however much it is', async () => {
    const { bed } = await four()
    for (const to of [bed.client.address, bed.worker.address]) {
      await done(bed, to, empty, { value: toNano('3') })
      const before = await bed.balance(to)
      expect(before).toBeGreaterThan(toNano('3'))
      const body = to.equals(bed.client.address) ? bed.payment('client-charge', 5n) : bed.payment('worker-payout', 5n)
      await done(bed, to, body)
      expect(await bed.balance(to)).toBe(before)
    }
  }),
  accepts(
    'common/leave-client-worker',
    'the sender fills up what rent has taken',
    async () => {
      const { bed } = await four()
      bed.pass(4 * YEAR)
      await done(bed, bed.client.address, bed.payment('client-charge', 5n))
      await done(bed, bed.worker.address, bed.payment('worker-payout', 5n))
      for (const to of [bed.client.address, bed.worker.address]) expect(await bed.balance(to)).toBe(toNano('0.11'))
    },
    'storage',
  ),
  refuses('common/leave-client-worker', 'a message that could not fill it up and go on', async () => {
    const { bed } = await four()
    bed.pass(4 * YEAR)
    await refused(bed, bed.client.address, bed.payment('client-charge', 5n), 1001, { value: toNano('0.1') })
    await done(bed, bed.client.address, bed.payment('client-charge', 5n), { value: toNano('0.2') })
  }),
  accepts(
    'common/leave-proxy',
    'rent of years is paid by the message, not by what the contract holds for others',
    async () => {
      const { bed } = await four()
      bed.pass(2 * YEAR)
      const before = await bed.balance(bed.proxy.address)
      await done(bed, bed.proxy.address, proxyIncreaseStake(envelope(bed), 0n))
      expect(await bed.balance(bed.proxy.address)).toBe(before)
    },
    'storage',
  ),
  refuses('common/leave-proxy', 'less than 0.01 TON does not stay, nor in the root contract', async () => {
    const fresh = await bare()
    const first = { value: VALUE, bounce: false }
    const reset = { from: rootOwner, to: fresh.root.address, body: rootRequest(1n, { op: 'reset' }), deploy: fresh.root }
    const stake = {
      from: fresh.owner,
      to: fresh.proxy.address,
      body: proxyIncreaseStake(envelope(fresh), 0n),
      deploy: fresh.proxy,
    }
    for (const message of [reset, stake]) {
      expect((await fresh.send({ ...first, ...message })).failures).toEqual([])
      expect(await fresh.balance(message.to)).toBe(toNano('0.01'))
    }
    const { bed } = await four()
    await done(bed, bed.client.address, bed.payment('client-grant-refund', 0n))
    await done(bed, bed.proxy.address, proxyIncreaseStake(envelope(bed), 0n))
    expect(await bed.balance(bed.proxy.address)).toBeGreaterThanOrEqual(toNano('2.01') - 1_000n)
  }),
  accepts('common/excesses', 'non-bounceable, with everything above what stays', async () => {
    const { bed } = await four()
    const outcome = await done(bed, bed.client.address, bed.payment('client-charge', 5n, QUERY_ID))
    const [message] = messagesOf(outcome).filter(({ info }) => info.type === 'internal' && info.dest.equals(bed.excesses))
    expect(message?.info.type === 'internal' && message.info.bounce).toBe(false)
    expect(message && parseMoneyMessage(message.body)).toEqual({ kind: 'excesses', queryId: QUERY_ID })
    expect(message?.body.equals(excesses(QUERY_ID))).toBe(true)
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees - 1n }])
  }),
  refuses('common/excesses', 'by the reader: anything else', () => {
    for (const body of [empty, memo, beginCell().storeUint(OP_EXCESSES, 32).endCell()]) {
      expect(parseMoneyMessage(body)).toBeNull()
    }
  }),
  accepts('common/payout', 'non-bounceable, the exact amount', async () => {
    const { bed } = await four()
    const outcome = await done(bed, bed.client.address, clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
    const [message] = messagesOf(outcome).filter(({ info }) => info.type === 'internal' && info.dest.equals(bed.clientOwner))
    expect(message?.info.type === 'internal' && message.info.bounce).toBe(false)
    expect(message?.body.equals(payout(QUERY_ID))).toBe(true)
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('15') }])
  }),
  refuses('common/payout', 'a payout of nothing is not sent', async () => {
    const { bed } = await four()
    const outcome = await done(bed, bed.proxy.address, proxyPayoutRequest(envelope(bed)))
    expect(outcome.arrivedAt(bed.owner)).toEqual([])
  }),
]
