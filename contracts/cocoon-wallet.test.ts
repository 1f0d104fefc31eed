import { type Address, beginCell, Cell, internal, type MessageRelaxed, SendMode, toNano } from '@ton/core'
import { beforeEach, expect, it } from 'vitest'
import {
  cocoonWalletBody,
  cocoonWalletExternal,
  cocoonWalletInit,
  parseCocoonWalletState,
  walletOwnerSend,
  walletOwnerText,
} from './cocoon-wallet.ts'
import { keySigner, publicKeyOfSeed } from './signed.ts'
import { actor, createTestbed, type Testbed } from './testbed.ts'

const seed = new Uint8Array(32).fill(3)
const owner = actor('wallet owner')
const wallet = cocoonWalletInit(publicKeyOfSeed(seed), owner)

let bed: Testbed

const transfer = (to: Address, value: bigint): MessageRelaxed => internal({ to, value, bounce: false, body: Cell.EMPTY })
const soon = () => (bed.chain.now ?? 0) + 60

/** Throws with the exit code when the wallet does not accept the message. */
async function external(order: Parameters<typeof cocoonWalletBody>[0], signer = keySigner(seed)) {
  return bed.sendExternal(cocoonWalletExternal(wallet.address, cocoonWalletBody(order, signer), wallet.init))
}

const state = async () => parseCocoonWalletState(await bed.data(wallet.address))

beforeEach(async () => {
  bed = await createTestbed()
  await bed.send({ from: owner, to: wallet.address, value: toNano('5'), deploy: wallet })
})

it('sends one to four messages and counts up', async () => {
  const receivers = ['a', 'b', 'c', 'd'].map(actor)
  const transfers = receivers.map((to, index) => ({
    message: transfer(to, toNano(index + 1) / 10n),
    mode: SendMode.PAY_GAS_SEPARATELY,
  }))
  await external({ seqno: 0, validUntilSec: soon(), transfers })
  for (const [index, to] of receivers.entries()) expect(await bed.balance(to)).toBe(toNano(index + 1) / 10n)
  expect(await state()).toMatchObject({ seqno: 1, blocked: false })
  await external({ seqno: 1, validUntilSec: soon(), transfers: transfers.slice(0, 1) })
  expect(await state()).toMatchObject({ seqno: 2 })
  expect((await state()).owner.equals(owner)).toBe(true)
})

it('sends a memo of one nanoton without being told a mode', async () => {
  await external({ seqno: 0, validUntilSec: soon(), transfers: [{ message: transfer(bed.stranger, 1n) }] })
  expect(await bed.balance(bed.stranger)).toBe(1n)
})

it('refuses a wrong seqno, an expired message, a foreign signature', async () => {
  const transfers = [{ message: transfer(bed.stranger, toNano('0.1')) }]
  await expect(external({ seqno: 1, validUntilSec: soon(), transfers })).rejects.toThrow(/1032/)
  await expect(external({ seqno: 0, validUntilSec: (bed.chain.now ?? 0) - 1, transfers })).rejects.toThrow(/1030/)
  await expect(external({ seqno: 0, validUntilSec: soon(), transfers }, keySigner(new Uint8Array(32)))).rejects.toThrow(/1034/)
  expect(await state()).toMatchObject({ seqno: 0 })
})

it('keeps 2 TON until the owner takes them', async () => {
  await external({ seqno: 0, validUntilSec: soon(), transfers: [{ message: transfer(bed.stranger, toNano('3.1')) }] })
  await expect(
    external({ seqno: 1, validUntilSec: soon(), transfers: [{ message: transfer(bed.stranger, toNano('0.1')) }] }),
  ).rejects.toThrow(/1035/)
  const before = await bed.balance(wallet.address)
  const outcome = await bed.send({ from: owner, to: wallet.address, value: toNano('0.1'), body: walletOwnerText('w') })
  const sent = outcome.transactions[0]
  const info = sent?.outMessages.get(0)?.info
  if (sent === undefined || info?.type !== 'internal') throw new Error('nothing was sent')
  const value = before + toNano('0.1') - toNano('0.01') - sent.totalFees.coins - info.forwardFee
  expect(outcome.arrivedAt(owner)).toMatchObject([{ value }])
  expect(outcome.arrivedAt(owner)[0]?.body.equals(walletOwnerText('w'))).toBe(true)
  // A bounceable text again, so that an owner that is such a wallet passes it on; this owner has no code, so it comes back.
  expect(outcome.arrivedAt(wallet.address).at(-1)?.value).toBeGreaterThan(toNano('1.9'))
})

it('can be blocked and unblocked by the owner alone', async () => {
  const transfers = [{ message: transfer(bed.stranger, toNano('0.1')) }]
  const foreign = await bed.send({ from: bed.stranger, to: wallet.address, value: toNano('0.1'), body: walletOwnerText('b') })
  expect(foreign.exitCode).toBe(1040)
  await bed.send({ from: owner, to: wallet.address, value: toNano('0.1'), body: walletOwnerText('b') })
  expect(await state()).toMatchObject({ blocked: true })
  await expect(external({ seqno: 0, validUntilSec: soon(), transfers })).rejects.toThrow(/1031/)
  await bed.send({ from: owner, to: wallet.address, value: toNano('0.1'), body: walletOwnerText('u') })
  await external({ seqno: 0, validUntilSec: soon(), transfers })
  expect(await state()).toMatchObject({ seqno: 1, blocked: false })
})

it('sends what the owner asks by message', async () => {
  const body = walletOwnerSend(4n, { message: transfer(bed.stranger, toNano('1')), mode: SendMode.PAY_GAS_SEPARATELY })
  expect((await bed.send({ from: bed.stranger, to: wallet.address, value: toNano('0.1'), body })).exitCode).toBe(1040)
  const before = await bed.balance(bed.stranger)
  expect((await bed.send({ from: owner, to: wallet.address, value: toNano('0.1'), body })).failures).toEqual([])
  expect((await bed.balance(bed.stranger)) - before).toBe(toNano('1'))
})

it('accepts money messages silently', async () => {
  for (const op of [0x2565934c, 0xc59a7cd3, 0x9a1247c0]) {
    const body = beginCell().storeUint(op, 32).storeUint(1, 64).endCell()
    const outcome = await bed.send({ from: bed.stranger, to: wallet.address, value: toNano('0.1'), body })
    expect(outcome.failures).toEqual([])
    expect(outcome.transactions).toHaveLength(1)
  }
})
