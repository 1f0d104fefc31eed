import { Address, toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientInit, clientTopUp, parseClientState } from '../client.ts'
import { OP_PAYOUT } from '../common.ts'
import { clientRequestMessage, parseRefundUnpaid, refundUnpaidMessage } from '../proxy-requests.ts'
import type { Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { ask, done, envelope, live, misshapen, noticed, QUERY_ID, RENT, refused, TOPPED_UP, VALUE } from './stage.ts'

// The message of our own by which a proxy contract says that it could not pay all of a refund, and how it comes about.

const row = 'client/refund-unpaid'
const AMOUNT = toNano('3')
const YEAR_SEC = 365 * 86_400
/** The proxy contract asks for so much to pay a part and to tell of the rest. */
const UNPAID_GAS = toNano('0.03')
/** What arrives of it, at the least: the proxy contract's own gas and the way are paid. */
const LEAST = toNano('0.012')
const to = (bed: Testbed) => bed.client.address
const said = (bed: Testbed, amount = AMOUNT) => refundUnpaidMessage({ queryId: QUERY_ID, amount, excesses: bed.excesses })

/** A request for more than the proxy contract holds, as its client contract sends it. */
const asksForMore = (bed: Testbed, owner = bed.clientOwner) =>
  clientRequestMessage({
    queryId: QUERY_ID,
    owner,
    state: 'normal',
    balance: 0n,
    stake: 0n,
    tokensUsed: 0n,
    secretHash: new Uint8Array(32),
    payload: { kind: 'refund-granted', amount: 10n * TOPPED_UP, excesses: bed.excesses },
  })

export const unpaidCases: readonly Case[] = [
  accepts(row, 'the amount is on the balance again, and the proxy hears of it', async () => {
    const bed = await live()
    const outcome = await done(bed, to(bed), said(bed), { from: bed.proxy.address })
    expect(await bed.clientState()).toMatchObject({ balance: TOPPED_UP + AMOUNT, state: 'normal' })
    await noticed(bed, outcome, VALUE)
  }),
  accepts(
    row,
    'does nothing as a bounced message',
    async () => {
      const bed = await live()
      const before = await bed.data(to(bed))
      const outcome = await ask(bed, to(bed), said(bed), { from: bed.proxy.address, bounced: true })
      expect([outcome.failures, outcome.transactions.length]).toEqual([[], 1])
      expect((await bed.data(to(bed))).equals(before)).toBe(true)
    },
    'bounced',
  ),
  refuses(
    row,
    'anyone but the proxy contract',
    async () => {
      const bed = await live()
      for (const from of [bed.stranger, bed.owner, bed.clientOwner, bed.workerOwner, bed.worker.address, bed.root.address]) {
        await refused(bed, to(bed), said(bed), 1014, { from })
      }
    },
    'sender',
  ),
  refuses(
    row,
    'a body that is too long or too short',
    async () => {
      const bed = await live()
      for (const shape of Object.values(misshapen(said(bed)))) {
        await refused(bed, to(bed), shape, [9, 1004], { from: bed.proxy.address })
      }
    },
    'format',
  ),
  accepts(
    row,
    'one nanoton, and none',
    async () => {
      const bed = await live()
      for (const amount of [1n, 0n]) await done(bed, to(bed), said(bed, amount), { from: bed.proxy.address })
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + 1n)
    },
    'dust',
  ),
  accepts(
    row,
    'with the least that the proxy contract leaves it',
    async () => {
      const bed = await live()
      await done(bed, to(bed), said(bed), { from: bed.proxy.address, value: LEAST })
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + AMOUNT)
    },
    'value',
  ),
  refuses(
    row,
    'is not sent with less: the request for the refund bounces, and pays nothing',
    async () => {
      const bed = await live()
      const held = await bed.balance(bed.proxy.address)
      const value = UNPAID_GAS - 1n
      const outcome = await ask(bed, bed.proxy.address, asksForMore(bed), { from: to(bed), value })
      expect(outcome.failures).toEqual([1003])
      expect(outcome.arrivedAt(bed.clientOwner)).toEqual([])
      expect(held - (await bed.balance(bed.proxy.address))).toBeLessThan(RENT)
      const enough = await done(bed, bed.proxy.address, asksForMore(bed), { from: to(bed), value: value + RENT })
      const [note] = enough.arrivedAt(to(bed))
      expect(note && parseRefundUnpaid(note.body)?.amount).toBeGreaterThanOrEqual(10n * TOPPED_UP - held)
      expect(note?.value).toBeGreaterThan(LEAST)
    },
    'value',
  ),
  accepts(
    row,
    'comes with as much to a client whose owner is in the masterchain, where a payout costs more',
    async () => {
      const bed = await live()
      const owner = new Address(-1, Buffer.alloc(32, 7))
      const { publicKey } = await bed.proxyState()
      const client = clientInit({ owner, proxy: bed.proxy.address, publicKey, params: bed.params })
      const body = clientTopUp(envelope(bed), AMOUNT)
      const deploy = { from: bed.stranger, to: client.address, value: AMOUNT + VALUE, body, deploy: client }
      expect((await bed.send(deploy)).failures).toEqual([])
      const value = UNPAID_GAS + RENT
      const outcome = await done(bed, bed.proxy.address, asksForMore(bed, owner), { from: client.address, value })
      const [paid] = outcome.arrivedAt(owner)
      expect(paid).toMatchObject({ op: OP_PAYOUT })
      const [note] = outcome.arrivedAt(client.address)
      expect(note?.value).toBeGreaterThan(LEAST)
      expect(parseClientState(await bed.data(client.address)).balance).toBe(AMOUNT + 10n * TOPPED_UP - (paid?.value ?? 0n))
    },
    'value',
  ),
  accepts(
    row,
    'after three years: who asks for the refund pays the rent first, and is refused without it',
    async () => {
      const bed = await live()
      // Paid to a worker though no client was charged for it.
      await done(bed, bed.worker.address, bed.payment('worker-payout', 100_000n))
      bed.pass(3 * YEAR_SEC)
      const grant = bed.payment('client-grant-refund', 0n)
      const refusal = await ask(bed, to(bed), grant, { value: toNano('0.2') })
      expect(refusal.failures).toEqual([1003])
      expect(await bed.clientState()).toMatchObject({ balance: TOPPED_UP, state: 'closed' })
      const paid = await done(bed, to(bed), grant, { value: toNano('0.3') })
      const got = paid.arrivedAt(bed.clientOwner)[0]?.value ?? 0n
      expect(got).toBeGreaterThan(toNano('6'))
      expect((await bed.clientState()).balance).toBe(TOPPED_UP - got)
    },
    'storage',
  ),
]
