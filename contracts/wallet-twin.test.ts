import { Address, type Builder, beginCell, Cell, internal, type Message, storeMessageRelaxed, toNano } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { walletOwnerSend, walletOwnerText } from './cocoon-wallet.ts'
import { excesses, OP_DO_NOT_PROCESS, payout } from './common.ts'
import { keySigner, publicKeyOfSeed } from './signed.ts'
import { actor } from './testbed.ts'
import { COCOON_WALLET_CODE_HASH, cocoonWalletCode } from './wallet-code.ts'
import { bothTwins, runTwin, type Seen, TWIN_NOW_SEC, twinExternal, twinInternal, walletTwinCode } from './wallet-twin.ts'

const seed = new Uint8Array(32).fill(3)
const owner = actor('wallet owner')
const stranger = actor('stranger')

interface WalletData {
  readonly seqno: number
  readonly subwallet: number
  readonly status: number
  readonly owner: Address
}
const usual: WalletData = { seqno: 5, subwallet: 0, status: 0, owner }

function dataCell(wallet: Partial<WalletData> = {}): Cell {
  const { seqno, subwallet, status, owner } = { ...usual, ...wallet }
  return beginCell()
    .storeUint(seqno, 32)
    .storeUint(subwallet, 32)
    .storeBuffer(Buffer.from(publicKeyOfSeed(seed)))
    .storeUint(status, 32)
    .storeAddress(owner)
    .endCell()
}

interface Order {
  readonly subwallet?: number
  readonly validUntilSec?: number
  readonly seqno?: number
  readonly transfers?: readonly { readonly mode: number; readonly message: Cell }[]
  /** Appended behind the transfers, under the signature. */
  readonly rest?: (cell: Builder) => Builder
  readonly signedBy?: Uint8Array
  /** Turned over in the signature. */
  readonly flip?: number
}

function order(change: Order = {}): Cell {
  const unsigned = beginCell()
    .storeUint(change.subwallet ?? 0, 32)
    .storeUint(change.validUntilSec ?? TWIN_NOW_SEC + 60, 32)
    .storeUint(change.seqno ?? usual.seqno, 32)
  for (const { mode, message } of change.transfers ?? [transfer()]) unsigned.storeUint(mode, 8).storeRef(message)
  change.rest?.(unsigned)
  const signed = unsigned.endCell()
  const signature = Buffer.from(keySigner(change.signedBy ?? seed)(signed.hash()))
  if (change.flip !== undefined) signature[change.flip] = (signature[change.flip] ?? 0) ^ 1
  return beginCell().storeBuffer(signature).storeSlice(signed.beginParse()).endCell()
}

function transfer(value = toNano('0.1'), mode = 1, to = stranger, body = Cell.EMPTY) {
  const message = beginCell()
    .store(storeMessageRelaxed(internal({ to, value, bounce: false, body })))
    .endCell()
  return { mode, message }
}

/** Both codes do the same; returns what they did. */
async function same(message: Message, wallet: Partial<WalletData> = {}, balance = toNano('5')): Promise<Seen> {
  return sameData(message, dataCell(wallet), balance)
}

async function sameData(message: Message, data: Cell, balance: bigint): Promise<Seen> {
  const { deployed, own } = await bothTwins(data, balance, message)
  expect(own).toEqual(deployed)
  return deployed
}

const textOf = (text: string) => beginCell().storeUint(0, 32).storeBuffer(Buffer.from(text, 'latin1')).endCell()

it('is compared with the code that networks run', () => {
  expect(cocoonWalletCode.hash().toString('hex')).toBe(COCOON_WALLET_CODE_HASH)
  expect(COCOON_WALLET_CODE_HASH).toBe('7a48f05ceef40f06cabbaa39c1c5a67b24e8bb59d8cf8a74e49988a5f44cf66a')
  expect(walletTwinCode.hash().equals(cocoonWalletCode.hash())).toBe(false)
})

it('would see a difference', async () => {
  const message = twinExternal(order())
  const plain = await runTwin(walletTwinCode, dataCell(), toNano('5'), message)
  expect(await runTwin(cocoonWalletCode, dataCell({ seqno: 6 }), toNano('5'), message)).not.toEqual(plain)
  expect(await runTwin(cocoonWalletCode, dataCell(), toNano('5') + 1n, message)).not.toEqual(plain)
})

describe('an order of the node', () => {
  it('sends one to four messages', async () => {
    for (const count of [1, 2, 3, 4]) {
      const transfers = Array.from({ length: count }, (_, index) => transfer(toNano('0.1') + BigInt(index)))
      const seen = await same(twinExternal(order({ transfers })))
      expect(seen).toMatchObject({ exitCode: 0, actionCode: 0 })
      expect(seen.messages).toHaveLength(count)
    }
  })

  it('sends nothing when it names no message, and counts up all the same', async () => {
    const seen = await same(twinExternal(order({ transfers: [] })))
    expect(seen).toMatchObject({ exitCode: 0, messages: [] })
    expect(seen.data).toBe(dataCell({ seqno: 6 }).hash().toString('hex'))
  })

  it('cannot name five: a cell has four references, and a fifth message without one is no message', async () => {
    const four = Array.from({ length: 4 }, () => transfer())
    expect(() => order({ transfers: [...four, transfer()] })).toThrow()
    const nested = { mode: 1, message: beginCell().storeUint(1, 8).storeRef(transfer().message).endCell() }
    await same(twinExternal(order({ transfers: [...four.slice(1), nested] })))
    const seen = await same(twinExternal(order({ transfers: four, rest: (cell) => cell.storeUint(1, 8) })))
    expect(seen.messages).toHaveLength(4)
  })

  it('is refused with the same code for every reason, in the same order', async () => {
    const wrong: Record<string, { order: Order; wallet: Partial<WalletData>; balance?: bigint; code: number }> = {
      expired: { order: { validUntilSec: TWIN_NOW_SEC }, wallet: {}, code: 1030 },
      blocked: { order: {}, wallet: { status: 1 }, code: 1031 },
      seqno: { order: { seqno: 4 }, wallet: {}, code: 1032 },
      'later seqno': { order: { seqno: 6 }, wallet: {}, code: 1032 },
      subwallet: { order: { subwallet: 1 }, wallet: {}, code: 1033 },
      key: { order: { signedBy: new Uint8Array(32).fill(4) }, wallet: {}, code: 1034 },
      signature: { order: { flip: 63 }, wallet: {}, code: 1034 },
      poor: { order: {}, wallet: {}, balance: toNano('2') - 1n, code: 1035 },
    }
    for (const { order: change, wallet, balance, code } of Object.values(wrong)) {
      expect(await same(twinExternal(order(change)), wallet, balance)).toEqual({ notAccepted: code })
    }
    const names = Object.keys(wrong)
    for (const [at, name] of names.entries()) {
      for (const other of names.slice(at + 1)) {
        const [a, b] = [wrong[name], wrong[other]]
        if (a === undefined || b === undefined) throw new Error('no such case')
        const both = { ...b.order, ...a.order }
        await same(twinExternal(order(both)), { ...b.wallet, ...a.wallet }, a.balance ?? b.balance)
      }
    }
  })

  it('is taken at 2 TON, in the last second, and with the last seqno it stops', async () => {
    // The fee for bringing the message in comes out of the balance first.
    const importFee = 2_000_000n
    const last = twinExternal(order({ validUntilSec: TWIN_NOW_SEC + 1 }))
    expect(await same(last, {}, toNano('2'))).toEqual({ notAccepted: 1035 })
    expect(await same(last, {}, toNano('2') + importFee)).toMatchObject({ exitCode: 0 })
    expect(await same(twinExternal(order({ seqno: 0xffff_ffff })), { seqno: 0xffff_ffff })).toMatchObject({ exitCode: 5 })
    expect(await same(twinExternal(order({ subwallet: 9 })), { subwallet: 9 })).toMatchObject({ exitCode: 0 })
  })

  it('is refused when it is too short', async () => {
    const whole = order()
    for (const bits of [0, 31, 511, 512, 543, 575, 607]) {
      const cut = beginCell().storeBits(whole.bits.substring(0, bits)).endCell()
      expect((await same(twinExternal(cut))).notAccepted).toBe(9)
    }
    // Accepted by its signature, then the mode of the message is missing: the node pays and nothing is sent.
    const noMode = { transfers: [], rest: (cell: Builder) => cell.storeRef(transfer().message) }
    expect(await same(twinExternal(order(noMode)))).toMatchObject({ exitCode: 9, messages: [] })
  })

  it('passes every send mode on', async () => {
    for (const mode of [0, 1, 2, 3, 16, 17, 32, 64, 65, 66, 128, 129, 130, 160, 162, 255]) {
      for (const value of [toNano('0.1'), toNano('100')]) {
        await same(twinExternal(order({ transfers: [transfer(value, mode), transfer(1n, 3)] })))
      }
    }
  })
})

describe('an internal message', () => {
  const bodies: Record<string, Cell> = {
    empty: Cell.EMPTY,
    'empty with a reference': beginCell().storeRef(Cell.EMPTY).endCell(),
    excesses: excesses(7n),
    payout: payout(7n),
    memo: beginCell().storeUint(OP_DO_NOT_PROCESS, 32).endCell(),
    w: walletOwnerText('w'),
    b: walletOwnerText('b'),
    u: walletOwnerText('u'),
    'unknown text': textOf('x'),
    'upper case': textOf('W'),
    'long text': textOf('ww'),
    'text without a character': textOf(''),
    'text with a reference': beginCell().storeSlice(walletOwnerText('b').beginParse()).storeRef(Cell.EMPTY).endCell(),
    send: walletOwnerSend(3n, { message: transfer().message, mode: 1 }),
    'send with more behind': beginCell()
      .storeSlice(walletOwnerSend(3n, { message: transfer().message, mode: 64 }).beginParse())
      .storeUint(5, 40)
      .endCell(),
    'send without message': beginCell().storeUint(0x9c69f376, 32).storeUint(1, 64).storeUint(0, 8).endCell(),
    'send cut short': beginCell().storeUint(0x9c69f376, 32).storeUint(1, 20).storeRef(transfer().message).endCell(),
    unknown: beginCell().storeUint(0x12345678, 32).storeUint(1, 64).endCell(),
    short: beginCell().storeUint(1, 31).endCell(),
    'one bit': beginCell().storeBit(1).endCell(),
  }

  for (const [name, body] of Object.entries(bodies)) {
    it(`does the same: ${name}`, async () => {
      const value = toNano('0.2')
      await same(twinInternal(stranger, value, body))
      await same(twinInternal(owner, 1n, body))
      await same(twinInternal(owner, value, body, true))
      await same(twinInternal(owner, value, body), {}, 0n)
      for (const status of [0, 1, 0xffff_ffff]) await same(twinInternal(owner, value, body), { status })
    })
  }

  it('does what the owner wants, and nobody else', async () => {
    const value = toNano('0.2')
    const at = (status: number) => dataCell({ status }).hash().toString('hex')
    expect((await same(twinInternal(owner, value, walletOwnerText('b')), { status: 2 })).data).toBe(at(3))
    expect((await same(twinInternal(owner, value, walletOwnerText('u')), { status: 3 })).data).toBe(at(2))
    expect((await same(twinInternal(owner, value, walletOwnerText('w')))).balance).toBe(toNano('0.01'))
    expect((await same(twinInternal(owner, value, walletOwnerSend(3n, transfer())))).messages).toHaveLength(1)
    for (const body of [walletOwnerText('b'), walletOwnerText('w'), walletOwnerSend(3n, transfer())]) {
      expect(await same(twinInternal(stranger, value, body))).toMatchObject({ exitCode: 1040, bounced: true })
    }
    expect(await same(twinInternal(owner, value, textOf('x')))).toMatchObject({ exitCode: 1041 })
    const elsewhere = new Address(-1, owner.hash)
    expect(await same(twinInternal(elsewhere, value, walletOwnerText('b')))).toMatchObject({ exitCode: 1040 })
    expect(await same(twinInternal(elsewhere, value, walletOwnerText('w')), { owner: elsewhere })).toMatchObject({ exitCode: 0 })
  })
})

it('fails in the same way on damaged data', async () => {
  const good = dataCell()
  for (const data of [
    Cell.EMPTY,
    beginCell().storeBits(good.bits.substring(0, 300)).endCell(),
    beginCell().storeSlice(good.beginParse()).storeBit(1).endCell(),
    beginCell().storeSlice(good.beginParse()).storeRef(Cell.EMPTY).endCell(),
  ]) {
    await sameData(twinExternal(order()), data, toNano('5'))
    await sameData(twinInternal(owner, toNano('0.2'), walletOwnerText('w')), data, toNano('5'))
    await sameData(twinInternal(stranger, toNano('0.2'), payout(1n)), data, toNano('5'))
  }
})

const RANDOM_MESSAGES = 250

it(`does the same with ${RANDOM_MESSAGES} random messages`, { timeout: 90_000 }, async () => {
  const seedText = process.env.COCOON_SEED ?? '20261122'
  const random = dice(Number(seedText))
  const outcomes = new Map<string, number>()
  for (let at = 0; at < RANDOM_MESSAGES; at++) {
    const wallet = randomWallet(random)
    const balance = random.pick([0n, 1n, toNano('1.9'), toNano('2') - 1n, toNano('2'), toNano('3'), toNano('50')])
    const message = random.chance(0.6) ? twinExternal(randomOrder(random, wallet)) : randomInternal(random, wallet)
    const { deployed, own } = await bothTwins(dataCell(wallet), balance, message)
    expect(own, `COCOON_SEED=${seedText}, message ${at}`).toEqual(deployed)
    const outcome = String(deployed.notAccepted ?? deployed.exitCode)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  // The dice reach every way through the code.
  const codes = ['0', '1030', '1031', '1032', '1033', '1034', '1035', '1040', '1041', '9', 'no-gas']
  for (const code of codes) expect([...outcomes.keys()]).toContain(code)
})

interface Dice {
  chance(of: number): boolean
  below(limit: number): number
  pick<T>(items: readonly T[]): T
}

/** A small generator by seed (mulberry32): the same seed gives the same messages everywhere. */
function dice(start: number): Dice {
  let state = start >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    chance: (of) => next() < of,
    below,
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
  }
}

function randomWallet(random: Dice): WalletData {
  return {
    seqno: random.chance(0.9) ? random.below(1000) : random.pick([0, 0xffff_fffe, 0xffff_ffff]),
    subwallet: random.chance(0.9) ? 0 : random.below(3),
    status: random.chance(0.85) ? 0 : random.pick([1, 2, 3, 0x8000_0001]),
    owner: random.chance(0.9) ? owner : new Address(-1, owner.hash),
  }
}

function randomOrder(random: Dice, wallet: WalletData): Cell {
  const rarely = <T>(other: T, common: T): T => (random.chance(0.08) ? other : common)
  const change: Order = {
    seqno: rarely((wallet.seqno + 1) >>> 0, wallet.seqno),
    subwallet: rarely(7, wallet.subwallet),
    validUntilSec: TWIN_NOW_SEC + rarely(-random.below(2), 1 + random.below(3600)),
    transfers: Array.from({ length: random.below(5) }, () => randomTransfer(random)),
    signedBy: rarely(new Uint8Array(32).fill(9), seed),
    ...(random.chance(0.06) ? { flip: random.below(64) } : {}),
    ...(random.chance(0.1) ? { rest: (cell: Builder) => cell.storeUint(1, 1 + random.below(20)) } : {}),
  }
  const whole = order(change)
  if (!random.chance(0.05)) return whole
  return beginCell()
    .storeBits(whole.bits.substring(0, random.below(whole.bits.length)))
    .endCell()
}

function randomTransfer(random: Dice): { mode: number; message: Cell } {
  const mode = random.pick([0, 1, 2, 3, 16, 32, 64, 128, 130, 160, random.below(256)])
  if (random.chance(0.05)) return { mode, message: beginCell().storeUint(random.below(1000), 12).endCell() }
  const value = random.pick([0n, 1n, toNano('0.1'), toNano('1'), toNano('2'), toNano('60')])
  const to = random.pick([stranger, owner, new Address(-1, stranger.hash), new Address(5, stranger.hash)])
  return transfer(value, mode, to, random.chance(0.5) ? Cell.EMPTY : textOf('w'))
}

function randomInternal(random: Dice, wallet: WalletData): Message {
  const from = random.chance(0.6) ? wallet.owner : random.pick([stranger, owner])
  const value = random.pick([0n, 1n, toNano('0.05'), toNano('1')])
  const op = random.pick([0, 0, 0, 0x9c69f376, 0x9c69f376, 0x2565934c, 0xc59a7cd3, 0x9a1247c0, random.below(2 ** 32)])
  const cell = random.chance(0.95) ? beginCell().storeUint(op, 32) : beginCell().storeUint(op & 0xffff, 16)
  if (op === 0) cell.storeBuffer(Buffer.from(random.pick(['w', 'b', 'u', 'x', '', 'wb']), 'latin1'))
  else if (op === 0x9c69f376) {
    const { mode, message } = randomTransfer(random)
    cell.storeUint(1, random.chance(0.9) ? 64 : 8).storeUint(mode, 8)
    if (random.chance(0.9)) cell.storeRef(message)
  }
  const body = random.chance(0.08) ? Cell.EMPTY : cell.endCell()
  return twinInternal(from, value, body, random.chance(0.05))
}
