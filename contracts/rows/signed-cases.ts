import { type Address, beginCell, Cell } from '@ton/core'
import { expect } from 'vitest'
import { LayoutError } from '../cells.ts'
import { OP_EXCESSES } from '../common.ts'
import {
  keySigner,
  type PaymentKind,
  parseSigned,
  refuseSigned,
  repackSigned,
  SIGNED_OPS,
  type SignedKind,
  signedBoc,
  signMessage,
} from '../signed.ts'
import { actor, type Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import type { RowId } from './rows.ts'
import {
  ask,
  clientClosed,
  done,
  live,
  misshapen,
  proxyClosed,
  proxyClosing,
  QUERY_ID,
  refused,
  VALUE,
  workerClosed,
} from './stage.ts'

interface Kind {
  readonly kind: SignedKind
  readonly to: (bed: Testbed) => Address
  /** Brings the contract into a state in which it works. */
  readonly before?: (bed: Testbed) => Promise<void>
  readonly shut: (bed: Testbed) => Promise<unknown>
  /** Code when the very same message comes bed. */
  readonly replayed: number
  readonly low: bigint
}

const toClient = (bed: Testbed) => bed.client.address
const toWorker = (bed: Testbed) => bed.worker.address
const toProxy = (bed: Testbed) => bed.proxy.address
const COMMISSION = 100_000_000n

const kinds: readonly Kind[] = [
  { kind: 'client-charge', to: toClient, shut: clientClosed, replayed: 1000, low: COMMISSION - 1n },
  { kind: 'client-grant-refund', to: toClient, shut: clientClosed, replayed: 1006, low: COMMISSION - 1n },
  { kind: 'worker-payout', to: toWorker, shut: workerClosed, replayed: 1000, low: COMMISSION },
  { kind: 'worker-last-payout', to: toWorker, shut: workerClosed, replayed: 1006, low: COMMISSION },
  { kind: 'proxy-close-request', to: toProxy, shut: proxyClosed, replayed: 1006, low: COMMISSION - 1n },
  {
    kind: 'proxy-close-complete',
    to: toProxy,
    before: async (bed) => {
      await proxyClosing(bed)
      bed.pass(60)
    },
    shut: async (bed) => done(bed, toProxy(bed), bed.payment('proxy-close-complete', 0n)),
    replayed: 1006,
    low: COMMISSION - 1n,
  },
]

const TOKENS = 700n

function casesOfKind({ kind, to, before, shut, replayed, low }: Kind): Case[] {
  const row: RowId = `signed/${kind}`
  const ready = async () => {
    const bed = await live()
    await before?.(bed)
    return bed
  }
  const good = (bed: Testbed) => bed.payment(kind, TOKENS, QUERY_ID)
  const isPayment = !kind.startsWith('proxy')
  const payload = (contract: Address) =>
    isPayment
      ? { kind: kind as PaymentKind, queryId: QUERY_ID, tokens: TOKENS, contract }
      : { kind: kind as 'proxy-close-request', queryId: QUERY_ID, contract }
  return [
    accepts(row, 'works, whoever sends it', async () => {
      for (const who of ['stranger', 'owner', 'clientOwner'] as const) {
        const bed = await ready()
        await done(bed, to(bed), good(bed), { from: bed[who] })
      }
    }),
    accepts(
      row,
      'does nothing as a bounced message',
      async () => {
        const bed = await ready()
        const data = await bed.data(to(bed))
        const outcome = await ask(bed, to(bed), good(bed), { bounced: true })
        expect([outcome.failures, outcome.transactions.length]).toEqual([[], 1])
        expect((await bed.data(to(bed))).equals(data)).toBe(true)
      },
      'bounced',
    ),
    refuses(
      row,
      'the key of somebody else, a bit turned over',
      async () => {
        const bed = await ready()
        await refused(bed, to(bed), bed.signed(payload(to(bed)), 'other key'), 1007)
        const message = parseSigned(good(bed))
        for (const at of [0, 31, 32, 63]) {
          const signature = message.signature.map((byte, index) => (index === at ? byte ^ 1 : byte))
          await refused(bed, to(bed), repackSigned({ ...message, signature }, bed.excesses), 1007)
        }
      },
      'signature',
    ),
    refuses(
      row,
      'a payload for another operation or another query id',
      async () => {
        const bed = await ready()
        const others = kinds.filter((one) => one.kind !== kind)
        for (const other of others) {
          const op = SIGNED_OPS[other.kind]
          const rest = good(bed).beginParse().skip(32)
          const moved = beginCell().storeUint(op, 32).storeSlice(rest).endCell()
          // Either the operation is unknown here, or it is not what was signed.
          if (other.to(bed).equals(to(bed))) await refused(bed, to(bed), moved, [1005, 1006])
          else await refused(bed, to(bed), moved, 1012)
        }
        const tail = good(bed).beginParse().skip(96)
        const otherId = beginCell()
          .storeUint(SIGNED_OPS[kind], 32)
          .storeUint(QUERY_ID ^ 1n, 64)
          .storeSlice(tail)
          .endCell()
        await refused(bed, to(bed), otherId, 1005)
      },
      'signature',
    ),
    refuses(
      row,
      'a payload for another contract',
      async () => {
        const bed = await ready()
        for (const contract of [bed.stranger, bed.root.address, bed.client.address, bed.worker.address, bed.proxy.address]) {
          if (!contract.equals(to(bed))) await refused(bed, to(bed), bed.signed(payload(contract)), 1015)
        }
      },
      'contract',
    ),
    refuses(
      row,
      'the same message once more',
      async () => {
        const bed = await ready()
        await done(bed, to(bed), good(bed))
        await refused(bed, to(bed), good(bed), replayed)
      },
      'replay',
    ),
    refuses(
      row,
      'a body or a payload that is too long or too short',
      async () => {
        const bed = await ready()
        for (const shape of Object.values(misshapen(good(bed)))) {
          await refused(bed, to(bed), shape, [9, 1004])
        }
        const { payloadCell } = parseSigned(good(bed))
        for (const shape of Object.values(misshapen(payloadCell))) {
          await refused(bed, to(bed), signedCell(bed, kind, shape), [9, 1005])
        }
      },
      'format',
    ),
    refuses(
      row,
      'too little value',
      async () => {
        const bed = await ready()
        await refused(bed, to(bed), good(bed), 1003, { value: low })
        await done(bed, to(bed), good(bed), { value: low + 1n })
      },
      'value',
    ),
    refuses(
      row,
      'a closed contract',
      async () => {
        const bed = await ready()
        await shut(bed)
        await refused(bed, to(bed), good(bed), 1006)
      },
      'state',
    ),
    ...(isPayment ? [oldTotals(row, kind as PaymentKind, to)] : []),
  ]
}

function oldTotals(row: RowId, kind: PaymentKind, to: Kind['to']): Case {
  const first = kind.startsWith('client') ? 'client-charge' : 'worker-payout'
  return refuses(
    row,
    'a smaller total; an equal one only where it ends the contract',
    async () => {
      const bed = await live()
      await done(bed, to(bed), bed.payment(first, TOKENS))
      await refused(bed, to(bed), bed.payment(kind, TOKENS - 1n), 1000)
      if (kind === first) await refused(bed, to(bed), bed.payment(kind, TOKENS), 1000)
      else await done(bed, to(bed), bed.payment(kind, TOKENS))
    },
    'old',
  )
}

/** A body around any payload, signed as the proxy would. */
function signedCell(bed: Testbed, kind: SignedKind, payload: Cell): Cell {
  const signature = keySigner(bed.proxySeed)(payload.hash())
  return beginCell()
    .storeUint(SIGNED_OPS[kind], 32)
    .storeUint(QUERY_ID, 64)
    .storeAddress(bed.excesses)
    .storeBuffer(Buffer.from(signature))
    .storeRef(payload)
    .endCell()
}

const MOST = 2n ** 64n - 1n
const seed = new Uint8Array(32).fill(6)
/** Any contract, where none is asked. */
const someone = actor('someone')

const others: readonly Case[] = [
  accepts(
    'signed/client-charge',
    'the largest total',
    async () => {
      const bed = await live()
      await done(bed, toClient(bed), bed.payment('client-charge', MOST, MOST))
      expect(await bed.clientState()).toMatchObject({ tokensUsed: MOST, balance: 0n })
      await refused(bed, toClient(bed), bed.payment('client-charge', MOST), 1000)
    },
    'maximum',
  ),
  refuses(
    'signed/worker-payout',
    'the largest total: there is not so much money, and nothing is counted',
    async () => {
      const bed = await live()
      const outcome = await ask(bed, toWorker(bed), bed.payment('worker-payout', MOST))
      expect(outcome.failures).toEqual([1001])
      expect((await bed.workerState()).tokens).toBe(0n)
    },
    'maximum',
  ),
  accepts('signed/envelope', 'with any receiver of the surplus', async () => {
    const bed = await live()
    const body = signMessage(
      { kind: 'client-charge', queryId: 1n, tokens: 5n, contract: toClient(bed) },
      bed.workerOwner,
      keySigner(bed.proxySeed),
    )
    const outcome = await done(bed, toClient(bed), body)
    expect(outcome.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_EXCESSES }])
  }),
  refuses(
    'signed/envelope',
    'by the reader: anything behind, between or missing',
    () => {
      const contract = someone
      const body = signMessage({ kind: 'client-charge', queryId: 1n, tokens: 5n, contract }, contract, keySigner(seed))
      for (const shape of Object.values(misshapen(body))) expect(() => parseSigned(shape)).toThrow(LayoutError)
    },
    'format',
  ),
  accepts(
    'signed/payload',
    'every kind is read back, with the largest numbers',
    () => {
      for (const { kind } of kinds) {
        const base = { queryId: MOST, contract: someone }
        const payload = kind.startsWith('proxy')
          ? { ...base, kind: kind as 'proxy-close-request' }
          : { ...base, kind: kind as PaymentKind, tokens: MOST }
        const message = parseSigned(signMessage(payload, someone, keySigner(seed)))
        expect(message.payload).toMatchObject({ kind, queryId: MOST })
        expect(message.payload.tokens).toBe(kind.startsWith('proxy') ? undefined : MOST)
        expect(message.payload.contract.equals(someone)).toBe(true)
      }
    },
    'maximum',
  ),
  refuses(
    'signed/payload',
    'numbers that do not fit, by name',
    () => {
      const base = { kind: 'client-charge', contract: someone } as const
      const make = (queryId: bigint, tokens: bigint) => signMessage({ ...base, queryId, tokens }, someone, keySigner(seed))
      expect(() => make(MOST + 1n, 1n)).toThrow('queryId must be 0..2^64-1, not 18446744073709551616')
      expect(() => make(1n, MOST + 1n)).toThrow('tokens must be 0..2^64-1, not 18446744073709551616')
      expect(() => make(1n, -1n)).toThrow('tokens must be 0..2^64-1, not -1')
    },
    'maximum',
  ),
  refuses(
    'signed/payload',
    'by the reader: too long, too short, or of another message',
    () => {
      const contract = someone
      const body = signMessage({ kind: 'worker-payout', queryId: 1n, tokens: 5n, contract }, contract, keySigner(seed))
      const { payloadCell, signature } = parseSigned(body)
      for (const shape of [...Object.values(misshapen(payloadCell)), Cell.EMPTY]) {
        const cell = beginCell().storeBits(body.bits).storeRef(shape).endCell()
        expect(() => parseSigned(cell)).toThrow(LayoutError)
      }
      expect(signature).toHaveLength(64)
    },
    'format',
  ),
  accepts('signed/repack', 'qid, signature and payload stay, the receiver changes', async () => {
    const bed = await live()
    const first = parseSigned(bed.payment('client-charge', 5n, QUERY_ID))
    const second = parseSigned(repackSigned(first, bed.stranger))
    expect(second.excesses.equals(bed.stranger)).toBe(true)
    expect(second.payloadCell.equals(first.payloadCell)).toBe(true)
    const { publicKey } = await bed.proxyState()
    expect(refuseSigned(second, { kinds: ['client-charge'], contract: toClient(bed), publicKey })).toBeNull()
    const outcome = await done(bed, toClient(bed), repackSigned(first, bed.stranger))
    expect(outcome.arrivedAt(bed.stranger)).toMatchObject([{ value: VALUE - outcome.fees - 1n }])
  }),
  refuses('signed/repack', 'the receiver is the only thing that can be replaced', async () => {
    const bed = await live()
    const message = parseSigned(bed.payment('client-charge', 5n, QUERY_ID))
    const payload = { ...message.payload, kind: 'client-charge' as const, tokens: 6n }
    const altered = parseSigned(signMessage(payload, bed.excesses, keySigner(bed.proxySeed)))
    const { signature } = message
    await refused(bed, toClient(bed), repackSigned({ ...altered, signature }, bed.stranger), 1007)
  }),
  accepts('signed/wire', 'with or without index and checksum', () => {
    const body = signMessage({ kind: 'client-charge', queryId: 1n, tokens: 5n, contract: someone }, someone, keySigner(seed))
    expect(Buffer.from(signedBoc(body)).toString('hex').slice(0, 12)).toBe('b5ee9c720101')
    for (const idx of [true, false]) {
      for (const crc32 of [true, false]) {
        expect(parseSigned(new Uint8Array(body.toBoc({ idx, crc32 }))).payload.tokens).toBe(5n)
      }
    }
  }),
  refuses(
    'signed/wire',
    'no bag of cells, a broken checksum, two roots',
    () => {
      const body = signMessage({ kind: 'client-charge', queryId: 1n, tokens: 5n, contract: someone }, someone, keySigner(seed))
      const boc = new Uint8Array(body.toBoc({ idx: false, crc32: true }))
      const broken = boc.map((byte, index) => (index === boc.length - 1 ? byte ^ 1 : byte))
      // Header, two roots: cell 0 twice.
      const twoRoots = new Uint8Array(Buffer.from('b5ee9c7201010102000200000000', 'hex'))
      for (const bytes of [new Uint8Array(), boc.slice(0, 20), broken, twoRoots]) {
        expect(() => parseSigned(bytes)).toThrow(LayoutError)
      }
    },
    'format',
  ),
]

export const signedCases: readonly Case[] = [...kinds.flatMap(casesOfKind), ...others]
