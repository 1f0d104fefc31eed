import { beginCell, type Cell, toNano } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientIncreaseStake,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
} from './client.ts'
import { OP_EXCESSES, OP_PAYOUT } from './common.ts'
import { parseProxyMessage, proxyIncreaseStake } from './proxy.ts'
import { type actor, createTestbed, type Testbed } from './testbed.ts'

const VALUE = toNano('0.3')
const PRICE = 200_000n
const secret = new Uint8Array(32).fill(9)

let bed: Testbed
let envelope: { queryId: bigint; excesses: ReturnType<typeof actor> }

const byOwner = (body: Cell, value = VALUE) => bed.send({ from: bed.clientOwner, to: bed.client.address, value, body })
const byStranger = (body: Cell, value = VALUE) => bed.send({ from: bed.stranger, to: bed.client.address, value, body })

beforeEach(async () => {
  bed = await createTestbed()
  envelope = { queryId: 42n, excesses: bed.excesses }
  await bed.send({
    from: bed.owner,
    to: bed.proxy.address,
    value: toNano('1.3'),
    body: proxyIncreaseStake(envelope, toNano('1')),
    deploy: bed.proxy,
  })
  const deployed = await bed.send({
    from: bed.stranger,
    to: bed.client.address,
    value: toNano('8.5'),
    body: clientTopUp(envelope, toNano('8')),
    deploy: bed.client,
  })
  expect(deployed.exitCode).toBe(0)
})

describe('top up', () => {
  it('moves exactly the amount into the proxy contract and returns the surplus', async () => {
    const before = await bed.balance(bed.proxy.address)
    const outcome = await byStranger(clientTopUp(envelope, toNano('2')), toNano('2.3'))
    expect(outcome.exitCode).toBe(0)
    expect((await bed.balance(bed.proxy.address)) - before).toBe(toNano('2'))
    expect((await bed.clientState()).balance).toBe(toNano('10'))
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: toNano('0.3') - outcome.fees }])
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request && parseProxyMessage(request.body)).toMatchObject({
      kind: 'client-request',
      queryId: 42n,
      balance: toNano('10'),
      payload: { kind: 'top-up', amount: toNano('2') },
    })
  })

  it('keeps 0.11 TON in the client contract', async () => {
    expect(await bed.balance(bed.client.address)).toBe(toNano('0.11'))
  })

  it('refuses a value below amount + 0.1 TON', async () => {
    const outcome = await byStranger(clientTopUp(envelope, toNano('2')), toNano('2.1') - 1n)
    expect(outcome.exitCode).toBe(1003)
    expect((await bed.clientState()).balance).toBe(toNano('8'))
  })

  it('refuses a first message that could not fill up what has to stay', async () => {
    bed = await createTestbed()
    const outcome = await bed.send({
      from: bed.stranger,
      to: bed.client.address,
      value: toNano('8.15'),
      body: clientTopUp(envelope, toNano('8')),
      deploy: bed.client,
    })
    expect(outcome.exitCode).toBe(1001)
  })

  it('refuses trailing data', async () => {
    const body = beginCell().storeSlice(clientTopUp(envelope, 1n).beginParse()).storeBit(1).endCell()
    expect((await byStranger(body)).exitCode).toBe(1004)
  })
})

describe('owner operations', () => {
  it('changes the secret and tells the proxy with one nanoton', async () => {
    const outcome = await byOwner(clientChangeSecret(envelope, secret))
    expect(outcome.exitCode).toBe(0)
    expect((await bed.clientState()).secretHash).toEqual(secret)
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request?.value).toBe(1n)
    expect(request && parseProxyMessage(request.body)).toMatchObject({
      kind: 'client-request',
      secretHash: secret,
      payload: null,
    })
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees - 1n }])
  })

  it('changes the secret and tops up at once', async () => {
    const outcome = await byOwner(clientChangeSecretAndTopUp(envelope, secret, toNano('1')), toNano('1.3'))
    expect(outcome.exitCode).toBe(0)
    expect(await bed.clientState()).toMatchObject({ secretHash: secret, balance: toNano('9') })
  })

  it('hands the nonce to the proxy', async () => {
    const outcome = await byOwner(clientRegister(envelope, 0xfedcba9876543210n))
    expect(outcome.exitCode).toBe(0)
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request && parseProxyMessage(request.body)).toMatchObject({
      payload: { kind: 'register', nonce: 0xfedcba9876543210n },
    })
  })

  it('raises the stake, and only raises it', async () => {
    expect((await byOwner(clientIncreaseStake(envelope, toNano('5')))).exitCode).toBe(1003)
    expect((await byOwner(clientIncreaseStake(envelope, toNano('6')))).exitCode).toBe(0)
    expect((await bed.clientState()).stake).toBe(toNano('6'))
  })

  it('withdraws what is above the stake, to the nanoton', async () => {
    const before = await bed.balance(bed.proxy.address)
    const outcome = await byOwner(clientWithdraw(envelope))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('3') }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ value: VALUE - outcome.fees }])
    expect((await bed.balance(bed.proxy.address)) - before).toBe(-toNano('3'))
    expect((await bed.clientState()).balance).toBe(toNano('5'))
    expect((await byOwner(clientWithdraw(envelope))).exitCode).toBe(1002)
  })

  it('refuses everyone else', async () => {
    const bodies = [
      clientChangeSecret(envelope, secret),
      clientChangeSecretAndTopUp(envelope, secret, 0n),
      clientRegister(envelope, 1n),
      clientIncreaseStake(envelope, toNano('6')),
      clientWithdraw(envelope),
      clientRequestRefund(envelope),
    ]
    for (const body of bodies) expect((await byStranger(body)).exitCode).toBe(1010)
  })

  it('refuses less than 0.1 TON', async () => {
    const bodies = [
      clientChangeSecret(envelope, secret),
      clientRegister(envelope, 1n),
      clientIncreaseStake(envelope, toNano('6')),
      clientWithdraw(envelope),
      clientRequestRefund(envelope),
    ]
    for (const body of bodies) expect((await byOwner(body, toNano('0.1') - 1n)).exitCode).toBe(1003)
    expect((await byStranger(bed.payment('client-charge', 5n), toNano('0.1') - 1n)).exitCode).toBe(1003)
    for (const body of bodies) expect((await byOwner(body, toNano('0.1'))).failures).toEqual([])
  })
})

describe('charge', () => {
  it('takes exactly the difference times the price, for anyone who brings the signature', async () => {
    expect((await byStranger(bed.payment('client-charge', 850n))).exitCode).toBe(0)
    expect(await bed.clientState()).toMatchObject({ balance: toNano('8') - 850n * PRICE, tokensUsed: 850n })
    const outcome = await byStranger(bed.payment('client-charge', 1000n))
    expect(await bed.clientState()).toMatchObject({ balance: toNano('8') - 1000n * PRICE, tokensUsed: 1000n })
    const [request] = outcome.arrivedAt(bed.proxy.address)
    expect(request && parseProxyMessage(request.body)).toMatchObject({ tokensUsed: 1000n, payload: null })
  })

  it('never makes the balance negative', async () => {
    expect((await byStranger(bed.payment('client-charge', 1_000_000n))).exitCode).toBe(0)
    expect(await bed.clientState()).toMatchObject({ balance: 0n, tokensUsed: 1_000_000n })
  })

  it('refuses old, foreign, forged and mixed-up messages', async () => {
    await byStranger(bed.payment('client-charge', 850n))
    expect((await byStranger(bed.payment('client-charge', 850n))).exitCode).toBe(1000)
    expect((await byStranger(bed.payment('client-charge', 849n))).exitCode).toBe(1000)
    const other = bed.signed({ kind: 'client-charge', queryId: 7n, tokens: 900n, contract: bed.worker.address })
    expect((await byStranger(other)).exitCode).toBe(1015)
    const forged = bed.signed({ kind: 'client-charge', queryId: 7n, tokens: 900n, contract: bed.client.address }, 'other key')
    expect((await byStranger(forged)).exitCode).toBe(1007)
    const good = bed.payment('client-charge', 900n).beginParse()
    good.skip(96)
    const otherId = beginCell().storeUint(0xbb63ff93, 32).storeUint(8n, 64).storeSlice(good.clone()).endCell()
    expect((await byStranger(otherId)).exitCode).toBe(1005)
    const otherOp = beginCell().storeUint(0xefd711e1, 32).storeUint(7n, 64).storeSlice(good).endCell()
    expect((await byStranger(otherOp)).exitCode).toBe(1005)
    expect(await bed.clientState()).toMatchObject({ state: 'normal', tokensUsed: 850n })
  })

  it('accepts the same signed payload in another envelope', async () => {
    const good = bed.payment('client-charge', 900n).beginParse()
    const head = good.loadBits(96)
    good.loadAddress()
    const repacked = beginCell().storeBits(head).storeAddress(bed.stranger).storeSlice(good).endCell()
    const outcome = await byStranger(repacked)
    expect(outcome.arrivedAt(bed.stranger)).toMatchObject([{ op: OP_EXCESSES }])
    expect(outcome.arrivedAt(bed.excesses)).toEqual([])
  })
})

describe('closing', () => {
  it('closes by the owner alone after the delay; what the stake of the proxy does not cover stays owed', async () => {
    await byStranger(bed.payment('client-charge', 5000n))
    const first = await byOwner(clientRequestRefund(envelope))
    expect(first.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('3') - 5000n * PRICE }])
    expect(await bed.clientState()).toMatchObject({
      state: 'closing',
      balance: toNano('5'),
      unlockAtSec: (bed.chain.now ?? 0) + 30,
    })

    bed.pass(30)
    expect((await byOwner(clientRequestRefund(envelope))).exitCode).toBe(1011)
    expect((await byOwner(clientWithdraw(envelope))).exitCode).toBe(1006)
    bed.pass(1)
    const second = await byOwner(clientRequestRefund(envelope))
    expect(second.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('1') }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: toNano('4') })
    expect((await bed.proxyState()).stake).toBe(0n)
  })

  it('begins to close without a payout when nothing is above the stake', async () => {
    await byStranger(bed.payment('client-charge', 20_000n))
    const outcome = await byOwner(clientRequestRefund(envelope))
    expect(outcome.exitCode).toBe(0)
    expect(outcome.arrivedAt(bed.clientOwner)).toEqual([])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES }])
    expect(await bed.clientState()).toMatchObject({ state: 'closing', balance: toNano('4') })
  })

  it('can still be charged and topped up while it closes', async () => {
    await byOwner(clientRequestRefund(envelope))
    expect((await byStranger(bed.payment('client-charge', 100n))).exitCode).toBe(0)
    expect((await byStranger(clientTopUp(envelope, toNano('1')), toNano('1.3'))).exitCode).toBe(0)
    expect((await byOwner(clientChangeSecret(envelope, secret))).exitCode).toBe(0)
    expect((await bed.clientState()).balance).toBe(toNano('6') - 100n * PRICE)
  })

  it('returns the whole rest when the proxy grants it', async () => {
    const outcome = await byStranger(bed.payment('client-grant-refund', 1000n))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('8') - 1000n * PRICE }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: 0n, tokensUsed: 1000n })
  })

  it('grants without new tokens, but not with fewer', async () => {
    await byStranger(bed.payment('client-charge', 1000n))
    expect((await byStranger(bed.payment('client-grant-refund', 999n))).exitCode).toBe(1000)
    const outcome = await byStranger(bed.payment('client-grant-refund', 1000n))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('8') - 1000n * PRICE }])
  })

  it('refuses everything once it is closed', async () => {
    await byStranger(bed.payment('client-grant-refund', 0n))
    const owned = [
      clientTopUp(envelope, 0n),
      clientChangeSecret(envelope, secret),
      clientChangeSecretAndTopUp(envelope, secret, 0n),
      clientRegister(envelope, 1n),
      clientIncreaseStake(envelope, toNano('6')),
      clientWithdraw(envelope),
      clientRequestRefund(envelope),
      bed.payment('client-charge', 5n),
      bed.payment('client-grant-refund', 5n),
    ]
    for (const body of owned) expect((await byOwner(body)).exitCode).toBe(1006)
  })
})

it('ignores empty messages and memos, refuses unknown operations', async () => {
  const before = await bed.data(bed.client.address)
  expect((await byStranger(beginCell().endCell())).exitCode).toBe(0)
  expect((await byStranger(beginCell().storeUint(0x9a1247c0, 32).endCell())).exitCode).toBe(0)
  expect((await byStranger(beginCell().storeUint(0x29111ceb, 32).storeUint(1, 64).endCell())).exitCode).toBe(1012)
  expect((await byStranger(beginCell().storeUint(0x291, 12).endCell())).exitCode).toBe(1004)
  expect((await bed.data(bed.client.address)).equals(before)).toBe(true)
})

it('answers its getter', async () => {
  await byOwner(clientChangeSecret(envelope, secret))
  await byStranger(bed.payment('client-charge', 850n))
  const { stackReader } = await bed.chain.runGetMethod(bed.client.address, 'get_cocoon_client_data')
  expect(stackReader.readAddress().equals(bed.clientOwner)).toBe(true)
  expect(stackReader.readAddress().equals(bed.proxy.address)).toBe(true)
  const state = await bed.clientState()
  expect(stackReader.readBigNumber()).toBe(BigInt(`0x${Buffer.from(state.publicKey).toString('hex')}`))
  const rest = Array.from({ length: stackReader.remaining }, () => stackReader.readBigNumber())
  expect(rest).toEqual([0n, toNano('8') - 850n * PRICE, toNano('5'), 850n, 0n, BigInt(`0x${'09'.repeat(32)}`)])
})
