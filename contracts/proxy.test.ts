import { type Address, beginCell, type Cell, toNano } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { type ClientIdentity, clientInit, clientRequestRefund, clientTopUp, clientWithdraw } from './client.ts'
import { OP_EXCESSES, OP_PAYOUT } from './common.ts'
import {
  PROXY_OPS,
  PROXY_PAYLOAD_OPS,
  parseProxyMessage,
  proxyIncreaseStake,
  proxyOwnerClose,
  proxyPayoutRequest,
  proxyText,
  stateCommitMemo,
} from './proxy.ts'
import { type actor, createTestbed, type Testbed } from './testbed.ts'

const VALUE = toNano('0.3')

let bed: Testbed
let envelope: { queryId: bigint; excesses: ReturnType<typeof actor> }

const send = (from: Address, to: Address, body: Cell, value = VALUE) => bed.send({ from, to, value, body })
const byOwner = (body: Cell, value = VALUE) => send(bed.owner, bed.proxy.address, body, value)
const byStranger = (body: Cell, value = VALUE) => send(bed.stranger, bed.proxy.address, body, value)

beforeEach(async () => {
  bed = await createTestbed()
  envelope = { queryId: 42n, excesses: bed.excesses }
  const staked = await bed.send({
    from: bed.stranger,
    to: bed.proxy.address,
    value: toNano('1.3'),
    body: proxyIncreaseStake(envelope, toNano('1')),
    deploy: bed.proxy,
  })
  expect(staked.failures).toEqual([])
  expect(await bed.balance(bed.proxy.address)).toBe(toNano('1.01'))
  await bed.send({
    from: bed.clientOwner,
    to: bed.client.address,
    value: toNano('8.5'),
    body: clientTopUp(envelope, toNano('8')),
    deploy: bed.client,
  })
})

/** Lets a worker be paid for `tokens`, so that commission is there to be withdrawn. */
async function earn(tokens: bigint) {
  await send(bed.stranger, bed.client.address, bed.payment('client-charge', tokens))
  const paid = await bed.send({
    from: bed.stranger,
    to: bed.worker.address,
    value: toNano('0.5'),
    body: bed.payment('worker-payout', tokens),
    deploy: bed.worker,
  })
  expect(paid.failures).toEqual([])
}

describe('commission', () => {
  it('goes to the owner to the nanoton, whoever asks', async () => {
    await earn(850n)
    const outcome = await byStranger(proxyPayoutRequest(envelope))
    expect(outcome.failures).toEqual([])
    expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: 850n * 50_000n }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
    expect((await bed.proxyState()).balance).toBe(0n)
    // One nanoton came with the notice of the charge.
    expect(await bed.balance(bed.proxy.address)).toBe(toNano('9.01') - 850n * 200_000n + 1n)
  })

  it('pays nothing when there is none, and refuses less than 0.1 TON', async () => {
    expect((await byStranger(proxyPayoutRequest(envelope), toNano('0.1') - 1n)).exitCode).toBe(1003)
    const outcome = await byStranger(proxyPayoutRequest(envelope), toNano('0.1'))
    expect(outcome.failures).toEqual([])
    expect(outcome.arrivedAt(bed.owner)).toEqual([])
  })

  it('is paid by the text w with what the message brought', async () => {
    await earn(850n)
    expect((await byStranger(proxyText('w'))).exitCode).toBe(1010)
    const outcome = await byOwner(proxyText('w'))
    expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: 850n * 50_000n + VALUE - outcome.fees }])
    expect((await bed.proxyState()).balance).toBe(0n)
  })
})

describe('stake', () => {
  it('grows by exactly the amount', async () => {
    const outcome = await byStranger(proxyIncreaseStake(envelope, toNano('2')), toNano('2.1'))
    expect(outcome.failures).toEqual([])
    expect((await bed.proxyState()).stake).toBe(toNano('3'))
    expect(await bed.balance(bed.proxy.address)).toBe(toNano('11.01'))
    expect((await byStranger(proxyIncreaseStake(envelope, toNano('2')), toNano('2.1') - 1n)).exitCode).toBe(1003)
  })
})

it('lets messages pay for storage, not the money that it holds', async () => {
  const before = await bed.balance(bed.proxy.address)
  bed.pass(365 * 86_400)
  const outcome = await byStranger(proxyIncreaseStake(envelope, toNano('2')), toNano('2.3'))
  const storage = outcome.transactions[0]?.description
  expect(storage?.type === 'generic' && (storage.storagePhase?.storageFeesCollected ?? 0n) > 1_000_000n).toBe(true)
  expect(await bed.balance(bed.proxy.address)).toBe(before + toNano('2'))
})

describe('requests from other contracts', () => {
  const account = () =>
    beginCell().storeUint(0, 2).storeCoins(0).storeCoins(toNano('5')).storeUint(0, 64).storeUint(0, 256).endCell()
  const clientRequest = (payload: Cell | null) =>
    beginCell()
      .storeUint(PROXY_OPS.clientRequest, 32)
      .storeUint(1, 64)
      .storeAddress(bed.clientOwner)
      .storeRef(account())
      .storeMaybeRef(payload)
      .endCell()
  const workerRequest = (payload: Cell | null) =>
    beginCell()
      .storeUint(PROXY_OPS.workerRequest, 32)
      .storeUint(1, 64)
      .storeAddress(bed.workerOwner)
      .storeUint(0, 2)
      .storeUint(0, 64)
      .storeMaybeRef(payload)
      .endCell()
  const money = (op: number) => beginCell().storeUint(op, 32).storeCoins(toNano('1')).storeAddress(bed.stranger).endCell()
  const payout = () =>
    beginCell()
      .storeUint(PROXY_PAYLOAD_OPS.workerPayout, 32)
      .storeCoins(toNano('1'))
      .storeCoins(0)
      .storeAddress(bed.stranger)
      .endCell()

  it('pay nobody who is not a contract of this proxy', async () => {
    const payloads = [PROXY_PAYLOAD_OPS.clientTopUp, PROXY_PAYLOAD_OPS.clientRefundGranted, PROXY_PAYLOAD_OPS.clientRefundForce]
    for (const op of payloads) expect((await byStranger(clientRequest(money(op)), toNano('2'))).exitCode).toBe(1014)
    const register = beginCell().storeUint(PROXY_PAYLOAD_OPS.clientRegister, 32).storeUint(5, 64).endCell()
    expect((await byStranger(clientRequest(register))).exitCode).toBe(1014)
    expect((await byStranger(workerRequest(payout()))).exitCode).toBe(1014)
    // A worker contract is not a client contract, and the other way round.
    expect((await send(bed.worker.address, bed.proxy.address, clientRequest(money(payloads[1] ?? 0)))).exitCode).toBe(1014)
    expect((await send(bed.client.address, bed.proxy.address, workerRequest(payout()))).exitCode).toBe(1014)
    // The same owner's client contract at another proxy.
    const identity: ClientIdentity = { ...(await bed.clientState()), proxy: bed.stranger, params: bed.params }
    const elsewhere = clientInit(identity).address
    expect((await send(elsewhere, bed.proxy.address, clientRequest(money(payloads[1] ?? 0)))).exitCode).toBe(1014)
  })

  it('without payload are accepted from anyone and change nothing', async () => {
    const before = await bed.data(bed.proxy.address)
    expect((await byStranger(clientRequest(null))).exitCode).toBe(0)
    expect((await byStranger(workerRequest(null))).exitCode).toBe(0)
    expect((await bed.data(bed.proxy.address)).equals(before)).toBe(true)
  })

  it('with an unknown payload are refused', async () => {
    const unknown = beginCell().storeUint(0x11111111, 32).storeCoins(1n).storeAddress(bed.stranger).endCell()
    expect((await send(bed.client.address, bed.proxy.address, clientRequest(unknown))).exitCode).toBe(1012)
    expect((await send(bed.worker.address, bed.proxy.address, workerRequest(unknown))).exitCode).toBe(1012)
  })

  it('cannot take what the contract does not hold', async () => {
    const tooMuch = beginCell()
      .storeUint(PROXY_PAYLOAD_OPS.workerPayout, 32)
      .storeCoins(toNano('9.01') + 1n)
      .storeCoins(0)
      .storeAddress(bed.stranger)
      .endCell()
    expect((await send(bed.worker.address, bed.proxy.address, workerRequest(tooMuch), toNano('5'))).exitCode).toBe(1001)
  })
})

describe('closing', () => {
  it('begins by signature, ends after the delay, and gives the owner what is his', async () => {
    const forged = bed.signed({ kind: 'proxy-close-request', queryId: 7n, contract: bed.proxy.address }, 'other key')
    expect((await byStranger(forged)).exitCode).toBe(1007)
    const foreign = bed.signed({ kind: 'proxy-close-request', queryId: 7n, contract: bed.client.address })
    expect((await byStranger(foreign)).exitCode).toBe(1015)
    expect((await byStranger(bed.payment('proxy-close-complete', 0n))).exitCode).toBe(1006)
    expect((await byStranger(bed.payment('proxy-close-request', 0n), toNano('0.09'))).exitCode).toBe(1003)
    const begun = await byStranger(bed.payment('proxy-close-request', 0n))
    expect(begun.failures).toEqual([])
    expect(begun.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - begun.fees }])
    expect(await bed.proxyState()).toMatchObject({ state: 'closing', unlockAtSec: (bed.chain.now ?? 0) + 60 })
    expect((await byStranger(bed.payment('proxy-close-request', 0n))).exitCode).toBe(1006)

    bed.pass(59)
    expect((await byStranger(bed.payment('proxy-close-complete', 0n))).exitCode).toBe(1011)
    bed.pass(1)
    const done = await byStranger(bed.payment('proxy-close-complete', 0n))
    expect(done.failures).toEqual([])
    expect(done.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('1') + VALUE - done.fees }])
    const unlockAtSec = (bed.chain.now ?? 0) + 365 * 86_400
    expect(await bed.proxyState()).toMatchObject({ state: 'closed', balance: 0n, stake: 0n, unlockAtSec })
    // The client's 8 TON stay where the client can get them.
    // Refused messages pay no rent, so a few nanoton of it came out of what is held.
    const held = await bed.balance(bed.proxy.address)
    expect(held).toBeGreaterThan(toNano('8.01') - 1000n)
    expect(held).toBeLessThanOrEqual(toNano('8.01'))
  })

  it('begins by the owner, or the text c, and by nobody else', async () => {
    expect((await byStranger(proxyOwnerClose(envelope))).exitCode).toBe(1010)
    expect((await byStranger(proxyText('c'))).exitCode).toBe(1010)
    expect((await byOwner(proxyOwnerClose(envelope), toNano('0.09'))).exitCode).toBe(1003)
    expect((await byOwner(proxyOwnerClose(envelope))).failures).toEqual([])
    expect((await bed.proxyState()).state).toBe('closing')
    expect((await byOwner(proxyOwnerClose(envelope))).exitCode).toBe(1006)
    expect((await byOwner(proxyText('c'))).exitCode).toBe(1006)

    bed = await createTestbed()
    await bed.send({ from: bed.owner, to: bed.proxy.address, value: VALUE, deploy: bed.proxy })
    const outcome = await byOwner(proxyText('c'))
    expect(outcome.failures).toEqual([])
    expect(outcome.arrivedAt(bed.owner)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
    expect((await bed.proxyState()).state).toBe('closing')
  })

  it('sends a top up that comes too late back to the client owner', async () => {
    await byOwner(proxyOwnerClose(envelope))
    const before = await bed.balance(bed.proxy.address)
    const outcome = await send(bed.stranger, bed.client.address, clientTopUp(envelope, toNano('2')), toNano('2.3'))
    expect(outcome.failures).toEqual([1006])
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('2') }])
    // The notice of the corrected balance brings one nanoton.
    expect(await bed.balance(bed.proxy.address)).toBe(before + 1n)
    expect((await bed.clientState()).balance).toBe(toNano('8'))
  })

  it('still pays clients and workers until it is complete', async () => {
    await byOwner(proxyOwnerClose(envelope))
    await earn(100n)
    const withdrawn = await send(bed.clientOwner, bed.client.address, clientWithdraw(envelope))
    expect(withdrawn.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('3') - 100n * 200_000n }])
    bed.pass(60)
    const completed = await byStranger(bed.payment('proxy-close-complete', 0n))
    expect(completed.failures).toEqual([])
    // Closing is no reason to lose what was not paid before.
    expect((await send(bed.clientOwner, bed.client.address, clientRequestRefund(envelope))).failures).toEqual([])
    bed.pass(31)
    const late = await send(bed.clientOwner, bed.client.address, clientRequestRefund(envelope))
    expect(late.failures).toEqual([])
    expect(late.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
    const unpaid = await send(bed.stranger, bed.worker.address, bed.payment('worker-payout', 200n))
    expect(unpaid.failures).toEqual([1001])
    expect((await bed.workerState()).tokens).toBe(100n)
  })
})

it('ignores the state commit memo, even when it can pay for its execution', async () => {
  const before = await bed.data(bed.proxy.address)
  const memo = stateCommitMemo({ queryId: 5n, seqno: -3, sessionHash: new Uint8Array(32).fill(1) })
  expect(parseProxyMessage(memo)).toEqual({
    kind: 'state-commit',
    queryId: 5n,
    seqno: -3,
    sessionHash: new Uint8Array(32).fill(1),
  })
  const cheap = await byStranger(memo, 1n)
  expect(cheap.arrivedAt(bed.proxy.address)).toMatchObject([{ value: 1n }])
  expect((await byStranger(memo)).exitCode).toBe(0)
  expect((await bed.data(bed.proxy.address)).equals(before)).toBe(true)
})

it('ignores empty messages, refuses unknown operations and texts', async () => {
  expect((await byStranger(beginCell().endCell())).exitCode).toBe(0)
  expect((await byStranger(beginCell().storeUint(0x12345678, 32).storeUint(1, 64).endCell())).exitCode).toBe(1012)
  expect((await byOwner(beginCell().storeUint(0, 32).storeStringTail('x').endCell())).exitCode).toBe(1013)
  expect((await byOwner(beginCell().storeUint(0, 32).storeStringTail('ww').endCell())).exitCode).toBe(1013)
  expect((await byOwner(beginCell().storeUint(PROXY_OPS.payoutRequest, 32).storeUint(1, 20).endCell())).exitCode).toBe(1004)
})

it('answers its getter', async () => {
  await earn(850n)
  const { stackReader } = await bed.chain.runGetMethod(bed.proxy.address, 'get_cocoon_proxy_data')
  expect(stackReader.readAddress().equals(bed.owner)).toBe(true)
  stackReader.readBigNumber()
  expect(stackReader.readAddress().equals(bed.root.address)).toBe(true)
  const rest = Array.from({ length: stackReader.remaining }, () => stackReader.readBigNumber())
  expect(rest).toEqual([0n, 850n * 50_000n, toNano('1'), 0n, 200_000n, 150_000n, toNano('1'), toNano('5'), 1n])
})
