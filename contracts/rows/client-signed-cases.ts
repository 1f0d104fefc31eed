import { toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientRequestRefund } from '../client.ts'
import { COMMISSION, OP_PAYOUT } from '../common.ts'
import type { Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { signedLimits } from './operation.ts'
import { clientClosed, clientClosing, done, envelope, live, noticed, PRICE, refused, TOPPED_UP, VALUE } from './stage.ts'

const to = (bed: Testbed) => bed.client.address
const charge = (bed: Testbed, tokens: bigint) => bed.payment('client-charge', tokens)
const grant = (bed: Testbed, tokens: bigint) => bed.payment('client-grant-refund', tokens)

export const clientSignedCases: readonly Case[] = [
  accepts('client/charge', 'takes the difference times the price', async () => {
    const bed = await live()
    await done(bed, to(bed), charge(bed, 1000n))
    const outcome = await done(bed, to(bed), charge(bed, 1500n))
    expect(await bed.clientState()).toMatchObject({ balance: TOPPED_UP - 1500n * PRICE, tokensUsed: 1500n, state: 'normal' })
    await noticed(bed, outcome, VALUE)
  }),
  accepts('client/charge', 'never makes the balance negative', async () => {
    const bed = await live()
    await done(bed, to(bed), charge(bed, 1_000_000n))
    expect(await bed.clientState()).toMatchObject({ balance: 0n, tokensUsed: 1_000_000n })
  }),
  refuses(
    'client/charge',
    'a total that is not larger',
    async () => {
      const bed = await live()
      await done(bed, to(bed), charge(bed, 1000n))
      for (const tokens of [0n, 999n, 1000n]) await refused(bed, to(bed), charge(bed, tokens), 1000)
    },
    'old',
  ),
  accepts('client/grant-refund', 'charges, closes and pays the rest', async () => {
    const bed = await live()
    const outcome = await done(bed, to(bed), grant(bed, 1000n))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: TOPPED_UP - 1000n * PRICE }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: VALUE - outcome.fees }])
    expect(await bed.clientState()).toMatchObject({ balance: 0n, tokensUsed: 1000n, state: 'closed' })
  }),
  accepts('client/grant-refund', 'closes without a payout when nothing is left', async () => {
    const bed = await live()
    const outcome = await done(bed, to(bed), grant(bed, 1_000_000n))
    expect(outcome.arrivedAt(bed.clientOwner)).toEqual([])
    expect((await bed.clientState()).state).toBe('closed')
    await noticed(bed, outcome, VALUE)
  }),
  refuses(
    'client/grant-refund',
    'a smaller total, but not the same',
    async () => {
      const bed = await live()
      await done(bed, to(bed), charge(bed, 1000n))
      await refused(bed, to(bed), grant(bed, 999n), 1000)
      await done(bed, to(bed), grant(bed, 1000n))
    },
    'old',
  ),
  ...(['client/charge', 'client/grant-refund'] as const).flatMap((row) => {
    const make = row === 'client/charge' ? charge : grant
    return signedLimits(row, { to, body: (bed) => make(bed, 5n), close: clientClosed, tooLittle: COMMISSION - 1n })
  }),
  accepts(
    'client/grant-refund',
    'a closed contract that is still owed something',
    async () => {
      const bed = await live()
      await clientClosing(bed)
      bed.pass(31)
      // 5 TON are left on the balance, the proxy has 2 at stake.
      await done(bed, to(bed), clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
      expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: toNano('3') })
      const outcome = await done(bed, to(bed), grant(bed, 1000n))
      expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('3') - 1000n * PRICE }])
      await refused(bed, to(bed), grant(bed, 1000n), 1006)
    },
    'state',
  ),
]
