import { beginCell, Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { contractInit } from '../cells.ts'
import { clientRequestRefund, clientTopUp, clientWithdraw } from '../client.ts'
import { walletOwnerText } from '../cocoon-wallet.ts'
import { exitCodeSentence } from '../common.ts'
import { storeParams } from '../params.ts'
import { proxyOwnerClose, proxyText } from '../proxy.ts'
import { clientRequestMessage } from '../proxy-requests.ts'
import { rootRequest } from '../root.ts'
import { keySigner, signMessage } from '../signed.ts'
import type { Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { rootOwner, rootStage } from './root-stage.ts'
import type { RowId } from './rows.ts'
import type { Ask } from './stage.ts'
import { clientClosing, done, envelope, live, proxyClosing, refused, served } from './stage.ts'
import { externalOrder, walletStage } from './wallet-stage.ts'

/** One message with a code, and the nearest one that works. */
interface Exit {
  readonly row: RowId
  readonly code: number
  readonly stage?: () => Promise<Testbed>
  readonly before?: (bed: Testbed) => Promise<unknown>
  readonly at: 'root' | 'proxy' | 'client' | 'worker'
  readonly bad: (bed: Testbed) => Cell
  readonly badHow?: (bed: Testbed) => Ask
  readonly good: (bed: Testbed) => Cell
  readonly goodHow?: (bed: Testbed) => Ask
}

const byClient = (bed: Testbed): Ask => ({ from: bed.clientOwner })
const byOwner = (bed: Testbed): Ask => ({ from: bed.owner })
const byRootOwner = (): Ask => ({ from: rootOwner })
const charge = (bed: Testbed) => bed.payment('client-charge', 10n)
const withBit = (cell: Cell) => beginCell().storeSlice(cell.beginParse()).storeBit(1).endCell()

const exits: readonly Exit[] = [
  {
    row: 'exit/1000',
    code: 1000,
    at: 'client',
    before: (bed) => served(bed, 10n),
    bad: charge,
    good: (bed) => bed.payment('client-charge', 11n),
  },
  {
    row: 'exit/1001',
    code: 1001,
    at: 'client',
    before: async (bed) => bed.pass(4 * 365 * 86_400),
    bad: charge,
    badHow: () => ({ value: toNano('0.12') }),
    good: charge,
    goodHow: () => ({ value: toNano('0.25') }),
  },
  {
    row: 'exit/1002',
    code: 1002,
    at: 'client',
    before: (bed) => done(bed, bed.client.address, bed.payment('client-charge', 75_000n)),
    // Charged down to exactly the stake of 5 TON.
    bad: (bed) => clientWithdraw(envelope(bed)),
    badHow: byClient,
    good: (bed) => clientTopUp(envelope(bed), 1n),
  },
  {
    row: 'exit/1003',
    code: 1003,
    at: 'client',
    bad: charge,
    badHow: () => ({ value: toNano('0.1') - 1n }),
    good: charge,
    goodHow: () => ({ value: toNano('0.1') }),
  },
  { row: 'exit/1004', code: 1004, at: 'client', bad: (bed) => withBit(charge(bed)), good: charge },
  {
    row: 'exit/1005',
    code: 1005,
    at: 'client',
    bad: (bed) => beginCell().storeUint(0xefd711e1, 32).storeSlice(charge(bed).beginParse().skip(32)).endCell(),
    good: charge,
  },
  {
    row: 'exit/1006',
    code: 1006,
    at: 'proxy',
    before: proxyClosing,
    bad: (bed) => proxyOwnerClose(envelope(bed)),
    badHow: byOwner,
    good: () => proxyText('w'),
    goodHow: byOwner,
  },
  {
    row: 'exit/1007',
    code: 1007,
    at: 'client',
    bad: (bed) =>
      signMessage(
        { kind: 'client-charge', queryId: 7n, tokens: 10n, contract: bed.client.address },
        bed.excesses,
        keySigner(new Uint8Array(32)),
      ),
    good: charge,
  },
  {
    row: 'exit/1010',
    code: 1010,
    at: 'client',
    bad: (bed) => clientWithdraw(envelope(bed)),
    good: (bed) => clientWithdraw(envelope(bed)),
    goodHow: byClient,
  },
  {
    row: 'exit/1011',
    code: 1011,
    at: 'client',
    before: async (bed) => {
      await clientClosing(bed)
      bed.pass(30)
    },
    bad: (bed) => clientRequestRefund(envelope(bed)),
    badHow: byClient,
    good: charge,
  },
  { row: 'exit/1012', code: 1012, at: 'worker', bad: charge, good: (bed) => bed.payment('worker-payout', 10n) },
  {
    row: 'exit/1013',
    code: 1013,
    at: 'proxy',
    bad: () => beginCell().storeUint(0, 32).storeStringTail('x').endCell(),
    badHow: byOwner,
    good: () => proxyText('c'),
    goodHow: byOwner,
  },
  {
    row: 'exit/1014',
    code: 1014,
    at: 'proxy',
    bad: (bed) => registration(bed),
    good: (bed) => registration(bed),
    goodHow: (bed) => ({ from: bed.client.address }),
  },
  {
    row: 'exit/1015',
    code: 1015,
    at: 'client',
    bad: (bed) => bed.signed({ kind: 'client-charge', queryId: 7n, tokens: 10n, contract: bed.worker.address }),
    good: charge,
  },
  {
    row: 'exit/2000',
    code: 2000,
    at: 'root',
    stage: rootStage,
    bad: () => rootRequest(1n, { op: 'unregisterProxy', seqno: 9 }),
    badHow: byRootOwner,
    good: () => rootRequest(1n, { op: 'unregisterProxy', seqno: 1 }),
    goodHow: byRootOwner,
  },
]

const registration = (bed: Testbed) =>
  clientRequestMessage({
    queryId: 1n,
    owner: bed.clientOwner,
    state: 'normal',
    balance: 0n,
    stake: 0n,
    tokensUsed: 0n,
    secretHash: new Uint8Array(32),
    payload: { kind: 'register', nonce: 1n },
  })

function casesOfExit({ row, code, stage, before, at, ...exit }: Exit): Case[] {
  const ready = async () => {
    const bed = await (stage ?? live)()
    await before?.(bed)
    return bed
  }
  return [
    refuses(row, `with ${code}: ${exitCodeSentence(code)}`, async () => {
      const bed = await ready()
      await refused(bed, bed[at].address, exit.bad(bed), code, exit.badHow?.(bed) ?? {})
    }),
    accepts(row, 'the nearest message that works', async () => {
      const bed = await ready()
      await done(bed, bed[at].address, exit.good(bed), exit.goodHow?.(bed) ?? {})
    }),
  ]
}

/** A client contract whose params are of a struct version that nobody knows. */
async function damaged(structVersion: number) {
  const bed = await live()
  const state = await bed.data(bed.client.address)
  const params = storeParams(bed.params, 'plain').beginParse().skip(8)
  const data = beginCell()
    .storeBits(state.bits)
    .storeRef(state.refs[0] ?? Cell.EMPTY)
    .storeRef(beginCell().storeUint(structVersion, 8).storeSlice(params).endCell())
    .endCell()
  const { code } = bed.client.init
  const contract = contractInit(code, data)
  await bed.send({ from: bed.stranger, to: contract.address, value: toNano('0.2'), deploy: contract })
  const body = bed.signed({ kind: 'client-charge', queryId: 7n, tokens: 10n, contract: contract.address })
  return { bed, contract, body }
}

const wallet = {
  'exit/1030': { change: { validForSec: 0 }, code: 1030 },
  'exit/1031': { change: { blocked: true }, code: 1031 },
  'exit/1032': { change: { seqno: 1 }, code: 1032 },
  'exit/1033': { change: { subwallet: 1 }, code: 1033 },
  'exit/1034': { change: { seed: new Uint8Array(32) }, code: 1034 },
  'exit/1035': { change: { balance: toNano('2') }, code: 1035 },
} as const

export const exitCases: readonly Case[] = [
  ...exits.flatMap(casesOfExit),
  refuses('exit/1008', 'with 1008: params of an unknown struct version', async () => {
    const { bed, contract, body } = await damaged(6)
    await refused(bed, contract.address, body, 1008)
  }),
  accepts('exit/1008', 'params of version 5', async () => {
    const { bed, contract, body } = await damaged(5)
    const outcome = await done(bed, contract.address, body)
    expect(outcome.exitCode).toBe(0)
  }),
  refuses('exit/1009', 'nothing: it has a sentence and no use', () => {
    expect(exitCodeSentence(1009)).not.toMatch(/stopped with code/)
  }),
  ...(Object.keys(wallet) as (keyof typeof wallet)[]).flatMap((row) => [
    refuses(row, `with ${wallet[row].code}: ${exitCodeSentence(wallet[row].code)}`, async () => {
      const { bed, send } = await walletStage(wallet[row].change)
      await expect(send(externalOrder(bed, wallet[row].change))).rejects.toThrow(String(wallet[row].code))
    }),
    accepts(row, 'the same order without that', async () => {
      const { bed, send } = await walletStage({})
      expect((await send(externalOrder(bed, {}))).failures).toEqual([])
    }),
  ]),
  refuses('exit/1040', 'with 1040: a stranger', async () => {
    const { bed, address } = await walletStage({})
    await refused(bed, address, walletOwnerText('b'), 1040)
  }),
  accepts('exit/1040', 'the owner', async () => {
    const { bed, address } = await walletStage({})
    await done(bed, address, walletOwnerText('b'), { from: bed.owner })
  }),
  refuses('exit/1041', 'with 1041: another text, another operation', async () => {
    const { bed, address } = await walletStage({})
    const text = beginCell().storeUint(0, 32).storeStringTail('x').endCell()
    await refused(bed, address, text, 1041, { from: bed.owner })
    await refused(bed, address, beginCell().storeUint(5, 32).endCell(), 1041, { from: bed.owner })
  }),
  accepts('exit/1041', 'every text that it knows', async () => {
    const { bed, address } = await walletStage({})
    for (const text of ['b', 'u', 'w'] as const) {
      const outcome = await done(bed, address, walletOwnerText(text), { from: bed.owner })
      expect(outcome.exitCode).toBe(0)
    }
  }),
]
