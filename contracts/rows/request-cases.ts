import { beginCell, type Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientInit } from '../client.ts'
import { OP_EXCESSES, OP_PAYOUT } from '../common.ts'
import { type ClientRequestPayload, proxyPayoutRequest, type WorkerRequest } from '../proxy.ts'
import { clientRequestMessage, workerRequestMessage } from '../proxy-requests.ts'
import type { Testbed } from '../testbed.ts'
import { workerInit } from '../worker.ts'
import { accepts, type Case, refuses } from './case.ts'
import type { RowId } from './rows.ts'
import {
  ask,
  done,
  envelope,
  FEE,
  live,
  misshapen,
  PRICE,
  proxyClosed,
  proxyClosing,
  QUERY_ID,
  RENT,
  refused,
  STAKE,
  served,
  TOPPED_UP,
  VALUE,
} from './stage.ts'

// What client and worker contracts tell their proxy contract, as they would and as others would. Such messages are made by hand
// here: from the address of the contract, as the chain would deliver them.

const AMOUNT = toNano('1')
const to = (bed: Testbed) => bed.proxy.address

const clientSays = (bed: Testbed, payload: ClientRequestPayload | null, owner = bed.clientOwner) =>
  clientRequestMessage({
    queryId: QUERY_ID,
    owner,
    state: 'normal',
    balance: 0n,
    stake: 0n,
    tokensUsed: 0n,
    secretHash: new Uint8Array(32),
    payload,
  })

const workerSays = (bed: Testbed, payload: WorkerRequest['payload'], owner = bed.workerOwner) =>
  workerRequestMessage({ queryId: QUERY_ID, owner, state: 'normal', tokens: 0n, payload })

const money = (bed: Testbed, kind: 'top-up' | 'refund-granted' | 'refund-force', amount = AMOUNT) =>
  clientSays(bed, { kind, amount, excesses: bed.excesses })
const payout = (bed: Testbed, workerPart: bigint, proxyPart = 0n) =>
  workerSays(bed, { kind: 'payout', workerPart, proxyPart, excesses: bed.excesses })

interface Payload {
  readonly row: RowId
  readonly party: 'client' | 'worker'
  readonly body: (bed: Testbed) => Cell
  readonly value: bigint
  readonly works: (bed: Testbed, body: Cell) => Promise<void>
}

const payloads: readonly Payload[] = [
  {
    row: 'proxy/payout',
    party: 'worker',
    body: (bed) => payout(bed, AMOUNT, 7n),
    value: VALUE,
    works: async (bed, body) => {
      const outcome = await done(bed, to(bed), body, { from: bed.worker.address })
      expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_PAYOUT, value: AMOUNT }])
      expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
      expect((await bed.proxyState()).balance).toBe(7n)
    },
  },
  {
    row: 'proxy/top-up',
    party: 'client',
    body: (bed) => money(bed, 'top-up'),
    value: AMOUNT + VALUE,
    works: async (bed, body) => {
      const before = await bed.balance(to(bed))
      await done(bed, to(bed), body, { from: bed.client.address, value: AMOUNT + VALUE })
      expect((await bed.balance(to(bed))) - before).toBe(AMOUNT)
    },
  },
  {
    row: 'proxy/register',
    party: 'client',
    body: (bed) => clientSays(bed, { kind: 'register', nonce: 2n ** 64n - 1n }),
    value: VALUE,
    works: async (bed, body) => {
      const before = await bed.data(to(bed))
      const outcome = await done(bed, to(bed), body, { from: bed.client.address })
      expect(outcome.transactions).toHaveLength(1)
      expect((await bed.data(to(bed))).equals(before)).toBe(true)
    },
  },
  ...(
    [
      ['refund-granted', 0n],
      ['refund-force', AMOUNT],
    ] as const
  ).map(
    ([kind, fromStake]): Payload => ({
      row: `proxy/${kind}`,
      party: 'client',
      body: (bed) => money(bed, kind),
      value: VALUE,
      works: async (bed, body) => {
        const outcome = await done(bed, to(bed), body, { from: bed.client.address })
        expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: AMOUNT }])
        expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: VALUE - outcome.fees }])
        expect((await bed.proxyState()).stake).toBe(STAKE - fromStake)
      },
    }),
  ),
]

function casesOfPayload({ row, party, body, value, works }: Payload): Case[] {
  const sender = (bed: Testbed) => (party === 'client' ? bed.client : bed.worker).address
  return [
    accepts(row, 'works', async () => {
      const bed = await live()
      await works(bed, body(bed))
    }),
    accepts(
      row,
      'does nothing as a bounced message',
      async () => {
        const bed = await live()
        const before = await bed.data(to(bed))
        const outcome = await ask(bed, to(bed), body(bed), { from: sender(bed), value, bounced: true })
        expect([outcome.failures, outcome.transactions.length]).toEqual([[], 1])
        expect((await bed.data(to(bed))).equals(before)).toBe(true)
      },
      'bounced',
    ),
    refuses(
      row,
      'who is no contract of this proxy',
      async () => {
        const bed = await live()
        const { publicKey } = await bed.proxyState()
        const identity = { publicKey, params: bed.params, proxy: to(bed) }
        const strangers = [
          bed.stranger,
          bed.owner,
          bed.clientOwner,
          bed.workerOwner,
          // The other kind of contract, the contract of another owner, the same owner's at another proxy.
          (party === 'client' ? bed.worker : bed.client).address,
          clientInit({ ...identity, owner: bed.stranger }).address,
          workerInit({ ...identity, owner: bed.stranger }).address,
          clientInit({ ...identity, owner: bed.clientOwner, proxy: bed.stranger }).address,
          workerInit({ ...identity, owner: bed.workerOwner, proxy: bed.stranger }).address,
        ]
        for (const from of strangers) await refused(bed, to(bed), body(bed), 1014, { from, value })
      },
      'sender',
    ),
    refuses(
      row,
      'a body that is too long or too short',
      async () => {
        const bed = await live()
        for (const shape of Object.values(misshapen(body(bed)))) {
          await refused(bed, to(bed), shape, [9, 1004], { from: sender(bed), value })
        }
        // The payload is the last reference.
        const whole = body(bed)
        const payload = whole.refs.at(-1)
        if (payload === undefined) throw new Error('no payload')
        for (const shape of Object.values(misshapen(payload))) {
          const cell = beginCell().storeBits(whole.bits)
          for (const ref of [...whole.refs.slice(0, -1), shape]) cell.storeRef(ref)
          await refused(bed, to(bed), cell.endCell(), [9, 1004], { from: sender(bed), value })
        }
      },
      'format',
    ),
  ]
}

const informational: readonly Case[] = (['client', 'worker'] as const).flatMap((party) => {
  const row = `proxy/${party}-request` as const
  const body = (bed: Testbed) => (party === 'client' ? clientSays(bed, null) : workerSays(bed, null))
  return [
    accepts(row, 'from anyone, and it changes nothing', async () => {
      const bed = await live()
      const before = await bed.data(to(bed))
      for (const from of [bed.stranger, bed.client.address, bed.worker.address]) {
        const outcome = await done(bed, to(bed), body(bed), { from })
        expect(outcome.transactions).toHaveLength(1)
      }
      expect((await bed.data(to(bed))).equals(before)).toBe(true)
    }),
    accepts(
      row,
      'does nothing as a bounced message',
      async () => {
        const bed = await live()
        const outcome = await ask(bed, to(bed), body(bed), { bounced: true })
        expect(outcome.failures).toEqual([])
      },
      'bounced',
    ),
    refuses(
      row,
      'a body that is too long or too short',
      async () => {
        const bed = await live()
        for (const shape of Object.values(misshapen(body(bed)))) {
          await refused(bed, to(bed), shape, [9, 1004])
        }
      },
      'format',
    ),
    refuses(row, 'an unknown payload', async () => {
      const bed = await live()
      const unknown = beginCell().storeUint(0x11111111, 32).storeCoins(1n).storeAddress(bed.excesses).endCell()
      const made = body(bed).asSlice()
      const rest = made.loadBits(made.remainingBits - 1)
      const cell = beginCell().storeBits(rest).storeBit(1)
      if (party === 'client') cell.storeRef(made.loadRef())
      const from = (party === 'client' ? bed.client : bed.worker).address
      await refused(bed, to(bed), cell.storeRef(unknown).endCell(), 1012, { from })
    }),
  ]
})

const amounts: readonly Case[] = [
  accepts(
    'proxy/payout',
    'one nanoton, and none',
    async () => {
      const bed = await live()
      const from = bed.worker.address
      const one = await done(bed, to(bed), payout(bed, 1n), { from })
      expect(one.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 1n }])
      const none = await done(bed, to(bed), payout(bed, 0n), { from })
      expect(none.arrivedAt(bed.workerOwner)).toEqual([])
    },
    'dust',
  ),
  refuses(
    'proxy/payout',
    'a nanoton more than the contract holds, and 120 bits of them',
    async () => {
      const bed = await live()
      const held = await bed.balance(to(bed))
      for (const amount of [held + 1n, 2n ** 120n - 1n]) {
        await refused(bed, to(bed), payout(bed, amount), 1001, { from: bed.worker.address })
      }
    },
    'maximum',
  ),
  accepts(
    'proxy/payout',
    'everything that the contract holds',
    async () => {
      const bed = await live()
      const held = await bed.balance(to(bed))
      const outcome = await done(bed, to(bed), payout(bed, held - RENT_OF_A_MOMENT), { from: bed.worker.address })
      expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ value: held - RENT_OF_A_MOMENT }])
    },
    'maximum',
  ),
  accepts(
    'proxy/refund-granted',
    'no more than the contract holds; the client contract hears of the rest',
    async () => {
      const bed = await live()
      const held = await bed.balance(to(bed))
      const body = money(bed, 'refund-granted', 2n ** 100n)
      const outcome = await done(bed, to(bed), body, { from: bed.client.address })
      const [paid] = outcome.arrivedAt(bed.clientOwner)
      expect(paid?.value).toBeGreaterThan(held - 10n * RENT_OF_A_MOMENT)
      expect((await bed.clientState()).balance).toBe(toNano('20') + 2n ** 100n - (paid?.value ?? 0n))
    },
    'maximum',
  ),
  refuses('proxy/refund-force', 'more than the stake is not paid', async () => {
    const bed = await live()
    const outcome = await done(bed, to(bed), money(bed, 'refund-force', STAKE + 1n), { from: bed.client.address })
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: STAKE }])
    expect((await bed.proxyState()).stake).toBe(0n)
    const again = await done(bed, to(bed), money(bed, 'refund-force', AMOUNT), { from: bed.client.address })
    expect(again.arrivedAt(bed.clientOwner)).toEqual([])
  }),
  refuses('proxy/top-up', 'less money than it says', async () => {
    const bed = await live()
    await refused(bed, to(bed), money(bed, 'top-up', VALUE + 1n), 1003, { from: bed.client.address })
  }),
  accepts(
    'proxy/payout',
    'closing and closed contracts still pay',
    async () => {
      for (const close of [proxyClosing, proxyClosed]) {
        const bed = await live()
        await served(bed, 10n)
        await close(bed)
        const { balance } = await bed.proxyState()
        const outcome = await done(bed, bed.worker.address, bed.payment('worker-payout', 20n))
        expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 10n * FEE }])
        expect((await bed.proxyState()).balance).toBe(balance + 10n * (PRICE - FEE))
      }
    },
    'state',
  ),
  refuses(
    'proxy/refund-force',
    'the commission pays no forced refund: where less than the stake is left above it, that is the limit',
    async () => {
      const bed = await live()
      // Paid to a worker though no client was charged for it: 6.56 TON are left, 5.15 of them commission.
      await done(bed, bed.worker.address, bed.payment('worker-payout', 103_000n))
      const commission = 103_000n * (PRICE - FEE)
      const above = (await bed.balance(to(bed))) - commission
      expect(above).toBeLessThan(STAKE)
      const outcome = await done(bed, to(bed), money(bed, 'refund-force', STAKE), { from: bed.client.address })
      const [paid] = outcome.arrivedAt(bed.clientOwner)
      expect(paid?.value).toBeGreaterThan(above - RENT)
      expect(paid?.value).toBeLessThanOrEqual(above)
      expect(await bed.proxyState()).toMatchObject({ stake: STAKE - (paid?.value ?? 0n), balance: commission })
      expect((await bed.clientState()).balance).toBe(TOPPED_UP + STAKE - (paid?.value ?? 0n))
      const earned = await done(bed, to(bed), proxyPayoutRequest(envelope(bed)))
      expect(earned.arrivedAt(bed.owner)).toMatchObject([{ value: commission }])
    },
    'state',
  ),
]

/** nanoton; what the contract owes for the second since it was deployed. */
const RENT_OF_A_MOMENT = 100n

export const requestCases: readonly Case[] = [...payloads.flatMap(casesOfPayload), ...informational, ...amounts]
