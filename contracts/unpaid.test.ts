import { Address, beginCell, type Cell, internal, toNano } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { contractInit } from './cells.ts'
import { clientInit, clientRequestRefund, clientTopUp, clientWithdraw, parseClientState } from './client.ts'
import { cocoonWalletBody, cocoonWalletExternal, cocoonWalletInit } from './cocoon-wallet.ts'
import { OP_EXCESSES, OP_PAYOUT } from './common.ts'
import { LONGEST_DELAY_SEC } from './params.ts'
import {
  parseProxyMessage,
  parseProxyState,
  proxyIncreaseStake,
  proxyOwnerClose,
  proxyPayoutRequest,
  proxyText,
} from './proxy.ts'
import { refundUnpaidMessage } from './proxy-requests.ts'
import { keySigner, publicKeyOfSeed } from './signed.ts'
import { createTestbed, type Outcome, TEST_PARAMS, type Testbed } from './testbed.ts'

// What happens when the proxy contract does not pay: nobody loses what is owed, and nobody gets it twice.

const VALUE = toNano('0.5')
const FEE = 150_000n
const DAY = 86_400
/** Nobody can send there: the action phase fails. */
const nowhere = new Address(5, Buffer.alloc(32, 1))

let bed: Testbed
const envelope = () => ({ queryId: 42n, excesses: bed.excesses })
const send = (from: Address, to: Address, body: Cell, value = VALUE) => bed.send({ from, to, value, body })
const byClient = (body: Cell, value = VALUE) => send(bed.clientOwner, bed.client.address, body, value)
const toWorker = (body: Cell) => bed.send({ from: bed.stranger, to: bed.worker.address, value: VALUE, body, deploy: bed.worker })

async function deployProxy(stake: bigint) {
  const body = proxyIncreaseStake(envelope(), stake)
  const done = await bed.send({ from: bed.owner, to: bed.proxy.address, value: stake + VALUE, body, deploy: bed.proxy })
  expect(done.failures).toEqual([])
}

async function topUp(amount: bigint, excesses = bed.excesses) {
  const body = clientTopUp({ queryId: 42n, excesses }, amount)
  return bed.send({ from: bed.stranger, to: bed.client.address, value: amount + VALUE, body, deploy: bed.client })
}

beforeEach(async () => {
  bed = await createTestbed()
})

describe('a payout that the proxy contract refuses', () => {
  beforeEach(async () => {
    await deployProxy(toNano('1'))
    await topUp(toNano('5'))
  })

  it('is owed again, and paid once when there is money', async () => {
    // 60,000 tokens are worth 9 TON to the worker; the contract holds 6.01.
    const refused = await toWorker(bed.payment('worker-payout', 60_000n))
    expect(refused.failures).toEqual([1001])
    expect(refused.arrivedAt(bed.workerOwner)).toEqual([])
    expect(refused.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES }])
    expect(await bed.workerState()).toMatchObject({ state: 'normal', tokens: 0n })
    expect(refused.arrivedAt(bed.proxy.address).map(({ body }) => parseProxyMessage(body))).toMatchObject([
      { kind: 'worker-request', state: 'normal', tokens: 60_000n, payload: { kind: 'payout' } },
      { kind: 'worker-request', state: 'normal', tokens: 0n, payload: null },
    ])
    expect(refused.arrivedAt(bed.proxy.address)[1]?.value).toBe(1n)
    await topUp(toNano('5'))
    const paid = await toWorker(bed.payment('worker-payout', 60_000n))
    expect(paid.arrivedAt(bed.workerOwner)).toMatchObject([{ op: OP_PAYOUT, value: 60_000n * FEE }])
    expect((await toWorker(bed.payment('worker-payout', 60_000n))).exitCode).toBe(1000)
    expect((await bed.proxyState()).balance).toBe(60_000n * 50_000n)
  })

  it('leaves what was paid before, and opens a contract that the last payout had closed', async () => {
    await toWorker(bed.payment('worker-payout', 10_000n))
    const refused = await toWorker(bed.payment('worker-last-payout', 60_000n))
    expect(refused.failures).toEqual([1001])
    expect(await bed.workerState()).toMatchObject({ state: 'normal', tokens: 10_000n })
    expect(refused.arrivedAt(bed.proxy.address).map(({ body }) => parseProxyMessage(body))).toMatchObject([
      { state: 'closed', tokens: 60_000n },
      { state: 'normal', tokens: 10_000n, payload: null },
    ])
    await topUp(toNano('9'))
    const paid = await toWorker(bed.payment('worker-last-payout', 60_000n))
    expect(paid.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 50_000n * FEE }])
    expect(await bed.workerState()).toMatchObject({ state: 'closed', tokens: 60_000n })
  })

  it('is owed again when the surplus cannot be sent where it should go', async () => {
    const { signedTo } = bed
    const refused = await toWorker(signedTo(nowhere, 'worker-payout', 10_000n))
    expect(refused.arrivedAt(bed.workerOwner)).toEqual([])
    expect((await bed.workerState()).tokens).toBe(0n)
    const paid = await toWorker(bed.payment('worker-payout', 10_000n))
    expect(paid.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 10_000n * FEE }])
  })
})

describe('a top up that the proxy contract refuses', () => {
  it('goes back to the owner when the proxy contract is not there', async () => {
    const outcome = await topUp(toNano('5'))
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES }])
    expect((await bed.clientState()).balance).toBe(0n)
    expect(await bed.balance(bed.client.address)).toBe(toNano('0.11'))
  })

  it('goes back when its surplus cannot be sent', async () => {
    await deployProxy(0n)
    await topUp(toNano('1'))
    const before = await bed.balance(bed.proxy.address)
    const outcome = await topUp(toNano('5'), nowhere)
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
    expect((await bed.clientState()).balance).toBe(toNano('1'))
    expect(await bed.balance(bed.proxy.address)).toBe(before + 1n)
  })

  it('tells the proxy the corrected balance', async () => {
    await deployProxy(0n)
    await topUp(toNano('1'))
    await send(bed.owner, bed.proxy.address, proxyOwnerClose(envelope()))
    const outcome = await topUp(toNano('5'))
    const told = outcome.arrivedAt(bed.proxy.address).map(({ body }) => parseProxyMessage(body))
    expect(told).toMatchObject([
      { kind: 'client-request', balance: toNano('6'), payload: { kind: 'top-up' } },
      { kind: 'client-request', balance: toNano('1'), payload: null },
    ])
  })

  it('cannot be withdrawn before it is back: what was taken meanwhile is returned to the proxy contract', async () => {
    await deployProxy(toNano('2'))
    // An honest client, and one whose owner is a wallet that sends several messages at once.
    await topUp(toNano('20'))
    const seed = new Uint8Array(32).fill(3)
    const wallet = cocoonWalletInit(publicKeyOfSeed(seed), bed.stranger)
    await bed.send({ from: bed.stranger, to: wallet.address, value: toNano('30'), deploy: wallet })
    const { publicKey } = await bed.proxyState()
    const thief = clientInit({ owner: wallet.address, proxy: bed.proxy.address, publicKey, params: bed.params })
    const first = { queryId: 1n, excesses: wallet.address }
    const body = clientTopUp(first, toNano('5'))
    await bed.send({ from: bed.stranger, to: thief.address, value: toNano('5.5'), body, deploy: thief })
    await send(bed.owner, bed.proxy.address, proxyOwnerClose(envelope()))

    const held = await bed.balance(bed.proxy.address)
    const order = (body: Cell, value: bigint) => ({ message: internal({ to: thief.address, value, body }), mode: 1 })
    const transfers = [order(clientTopUp(first, toNano('9')), toNano('9.5')), order(clientWithdraw(first), VALUE)]
    const validUntilSec = (bed.chain.now ?? 0) + 60
    const signed = cocoonWalletBody({ seqno: 0, validUntilSec, transfers }, keySigner(seed))
    const outcome = await bed.sendExternal(cocoonWalletExternal(wallet.address, signed))
    expect(outcome.failures).toEqual([1006])
    const got = outcome.arrivedAt(wallet.address).filter(({ op }) => op === OP_PAYOUT)
    // 9 withdrawn, 5 of the balance with the returned top up, 4 of which went back to the proxy contract: 9 + 5 in all, as paid in.
    expect(got.map(({ value }) => value)).toEqual([toNano('9'), toNano('5')])
    const data = await bed.data(thief.address)
    expect(parseClientState(data).balance).toBe(0n)
    // Nobody else paid for the trick.
    expect((await bed.balance(bed.proxy.address)) - held).toBeGreaterThanOrEqual(-toNano('5'))
  })
})

describe('a refund that the proxy contract cannot pay in full', () => {
  const close = async (stake: bigint) => {
    await deployProxy(stake)
    await topUp(toNano('8'))
    await byClient(clientRequestRefund(envelope()))
    bed.pass(31)
  }

  it('is paid as far as the stake goes; the rest stays owed and the proxy learns it', async () => {
    await close(toNano('2'))
    const outcome = await byClient(clientRequestRefund(envelope()))
    expect(outcome.failures).toEqual([])
    expect(outcome.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('2') }])
    expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: toNano('3') })
    expect((await bed.proxyState()).stake).toBe(0n)
    const told = outcome.arrivedAt(bed.proxy.address).map(({ body }) => parseProxyMessage(body))
    expect(told.at(-1)).toMatchObject({ kind: 'client-request', state: 'closed', balance: toNano('3'), payload: null })
    // Nothing that is not there can be forced again, and nothing is lost by trying.
    const again = await byClient(clientRequestRefund(envelope()))
    expect(again.arrivedAt(bed.clientOwner)).toEqual([])
    expect((await bed.clientState()).balance).toBe(toNano('3'))
  })

  it('works at the smallest value', async () => {
    await close(toNano('2'))
    const outcome = await byClient(clientRequestRefund(envelope()), toNano('0.1'))
    expect(outcome.failures).toEqual([])
    expect((await bed.clientState()).balance).toBe(toNano('3'))
  })

  it('is paid when the stake grows, when the proxy grants it, or when it has been away for 30 days', async () => {
    await close(0n)
    await byClient(clientRequestRefund(envelope()))
    expect((await bed.clientState()).balance).toBe(toNano('5'))

    await send(bed.stranger, bed.proxy.address, proxyIncreaseStake(envelope(), toNano('1')), toNano('1.5'))
    const forced = await byClient(clientRequestRefund(envelope()))
    expect(forced.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('1') }])

    const granted = await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 5000n))
    expect(granted.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('3') }])
    expect((await bed.clientState()).balance).toBe(0n)
    expect((await byClient(clientRequestRefund(envelope()))).exitCode).toBe(1006)
  })

  it('does not wait for the proxy for ever', async () => {
    await close(0n)
    bed.pass(30 * DAY - 2)
    const early = await byClient(clientRequestRefund(envelope()))
    expect(early.arrivedAt(bed.clientOwner)).toEqual([])
    bed.pass(1)
    const patient = await byClient(clientRequestRefund(envelope()))
    expect(patient.failures).toEqual([])
    expect(patient.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: 0n })
  })

  it('does not wait longer for a proxy that goes on charging: the stake limits for 30 days after the delay, not for ever', async () => {
    await close(0n)
    const { unlockAtSec } = await bed.clientState()
    for (const tokens of [1n, 2n, 3n]) {
      bed.pass(9 * DAY)
      await send(bed.stranger, bed.client.address, bed.payment('client-charge', tokens))
    }
    bed.pass(2 * DAY)
    expect(await bed.clientState()).toMatchObject({ unlockAtSec, tokensUsed: 3n })
    const early = await byClient(clientRequestRefund(envelope()))
    expect(early.arrivedAt(bed.clientOwner)).toEqual([])
    bed.pass(DAY)
    const whole = await byClient(clientRequestRefund(envelope()))
    expect(whole.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') - 3n * 200_000n }])
  })

  it('stays owed when it is granted and the money is not there', async () => {
    await deployProxy(0n)
    await topUp(toNano('8'))
    // The proxy let a worker have 6 TON that no client was charged for.
    await toWorker(bed.payment('worker-payout', 40_000n))
    const granted = await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 0n))
    expect(granted.failures).toEqual([])
    const [got] = granted.arrivedAt(bed.clientOwner)
    expect(got?.value).toBeGreaterThan(toNano('2'))
    const { balance } = await bed.clientState()
    expect((got?.value ?? 0n) + balance).toBe(toNano('8'))
    await send(bed.stranger, bed.proxy.address, proxyIncreaseStake(envelope(), toNano('9')), toNano('9.5'))
    const again = await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 0n))
    expect(again.arrivedAt(bed.clientOwner)).toMatchObject([{ value: balance }])
    expect((await bed.clientState()).balance).toBe(0n)
  })

  it.each([
    ['0.1', 425],
    ['0.15', 701],
    ['0.25', 1253],
  ])('is refused when %s TON are too little to tell of the rest, after about %i days without a message', async (value, about) => {
    await deployProxy(0n)
    await topUp(toNano('20'))
    // The proxy let a worker have 15 TON that no client was charged for.
    await toWorker(bed.payment('worker-payout', 100_000n))
    const grant = (ton: string) => send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 0n), toNano(ton))
    const got = (outcome: Outcome) => outcome.arrivedAt(bed.clientOwner)[0]?.value ?? 0n
    const seen = { paid: 0, refused: 0 }
    const restore = bed.save()
    for (const day of [about - 120, about - 60, about, about + 24]) {
      bed.pass(day * DAY)
      const first = await grant(value)
      seen[got(first) > 0n ? 'paid' : 'refused'] += 1
      expect([day, got(first) + (await bed.clientState()).balance]).toEqual([day, toNano('20')])
      if (got(first) === 0n) {
        expect(first.failures).toEqual([1003])
        expect(first.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES }])
        expect(got(await grant('1'))).toBeGreaterThan(toNano('4.8'))
      }
      await restore()
    }
    expect(seen.paid).toBeGreaterThan(0)
    expect(seen.refused).toBeGreaterThan(0)
  })

  it.each([
    ['its rent eats the value', 3 * 365, '0.16', 37],
    ['its rent eats the value, later', 6 * 365, '0.3', 37],
  ])('at the first request leaves everything as it was: %s, after %i days with %s TON', async (_why, days, value, code) => {
    await deployProxy(toNano('1'))
    await topUp(toNano('20'))
    bed.pass(days * DAY)
    const refused = await byClient(clientRequestRefund(envelope()), toNano(value))
    expect(refused.failures).toEqual([code])
    expect(refused.arrivedAt(bed.clientOwner)).toEqual([])
    expect(await bed.clientState()).toMatchObject({ state: 'normal', balance: toNano('20'), unlockAtSec: 0 })
    const told = refused.arrivedAt(bed.proxy.address).map(({ body }) => parseProxyMessage(body))
    expect(told).toMatchObject([
      { kind: 'client-request', state: 'closing', balance: toNano('5'), payload: { kind: 'refund-granted' } },
      { kind: 'client-request', state: 'normal', balance: toNano('20'), payload: null },
    ])
    // Nothing is lost: the surplus can be withdrawn, and the same request works with more money.
    const restore = bed.save()
    const withdrawn = await byClient(clientWithdraw(envelope()), toNano('1'))
    expect(withdrawn.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('15') }])
    await restore()
    const again = await byClient(clientRequestRefund(envelope()), toNano('1'))
    expect(again.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('15') }])
    const unlockAtSec = (bed.chain.now ?? 0) + 30
    expect(await bed.clientState()).toMatchObject({ state: 'closing', balance: toNano('5'), unlockAtSec })
  })

  it('at the first request leaves everything as it was when its surplus cannot be sent', async () => {
    await deployProxy(toNano('1'))
    await topUp(toNano('20'))
    await byClient(clientRequestRefund({ queryId: 42n, excesses: nowhere }))
    expect(await bed.clientState()).toMatchObject({ state: 'normal', balance: toNano('20'), unlockAtSec: 0 })
  })

  it('is not told to the client contract by strangers', async () => {
    await close(toNano('1'))
    const words = refundUnpaidMessage({ queryId: 1n, amount: toNano('7'), excesses: bed.stranger })
    expect((await send(bed.stranger, bed.client.address, words)).exitCode).toBe(1014)
    expect((await byClient(words)).exitCode).toBe(1014)
    expect((await bed.clientState()).balance).toBe(toNano('5'))
  })
})

describe('a closed proxy contract', () => {
  const year = 365 * DAY
  const closeProxy = async () => {
    await send(bed.owner, bed.proxy.address, proxyOwnerClose(envelope()))
    bed.pass(60)
    return send(bed.stranger, bed.proxy.address, bed.payment('proxy-close-complete', 0n))
  }

  beforeEach(async () => {
    await deployProxy(toNano('1'))
    await topUp(toNano('8'))
    await send(bed.stranger, bed.client.address, bed.payment('client-charge', 10_000n))
    await toWorker(bed.payment('worker-payout', 4_000n))
  })

  it('gives the owner commission and stake, and keeps what is owed to others', async () => {
    const done = await closeProxy()
    // 4,000 tokens x 50,000 commission, 1 TON stake, and what the message brought.
    const value = toNano('1.2') + VALUE - done.fees
    expect(done.arrivedAt(bed.owner)).toMatchObject([{ op: OP_PAYOUT, value }])
    const worker = await toWorker(bed.payment('worker-last-payout', 10_000n))
    expect(worker.arrivedAt(bed.workerOwner)).toMatchObject([{ value: 6_000n * FEE }])
    const client = await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 10_000n))
    expect(client.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('6') }])
    // Commission that a late payout earned.
    const late = await send(bed.stranger, bed.proxy.address, proxyPayoutRequest(envelope()))
    expect(late.arrivedAt(bed.owner)).toMatchObject([{ value: 6_000n * 50_000n }])
    expect(await bed.balance(bed.proxy.address)).toBeLessThanOrEqual(toNano('0.01') + 10n)
  })

  it('pays a client that knows nothing of its closing, without the limit of a stake', async () => {
    await closeProxy()
    const first = await byClient(clientRequestRefund(envelope()))
    expect(first.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('1') }])
    bed.pass(31)
    const second = await byClient(clientRequestRefund(envelope()))
    expect(second.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('5') }])
    expect(await bed.clientState()).toMatchObject({ state: 'closed', balance: 0n })
  })

  it('leaves to the owner what nobody has claimed a year and the delay of clients later, and nothing before', async () => {
    await closeProxy()
    bed.pass(year + TEST_PARAMS.clientDelaySec - 1)
    const early = await send(bed.owner, bed.proxy.address, proxyText('w'))
    expect(early.arrivedAt(bed.owner)[0]?.value).toBeLessThan(VALUE)
    expect((await send(bed.stranger, bed.proxy.address, bed.payment('proxy-close-complete', 0n))).exitCode).toBe(1006)
    bed.pass(1)
    const before = await bed.balance(bed.proxy.address)
    expect(before).toBeGreaterThan(toNano('7'))
    const late = await send(bed.stranger, bed.proxy.address, proxyPayoutRequest(envelope()))
    expect(late.failures).toEqual([])
    expect(late.arrivedAt(bed.owner)[0]?.value).toBeGreaterThan(toNano('7'))
    expect(await bed.balance(bed.proxy.address)).toBeLessThan(toNano('0.01') + 10n)
    // Who comes too late keeps the claim, and learns why.
    const { balance } = await bed.clientState()
    await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 10_000n))
    expect((await bed.clientState()).balance).toBeGreaterThanOrEqual(balance - toNano('0.011'))
  })

  it('holds what is owed until a client with the longest delay can have it, if it asked within a year', async () => {
    bed = await createTestbed({ ...TEST_PARAMS, clientDelaySec: LONGEST_DELAY_SEC })
    await deployProxy(toNano('1'))
    await topUp(toNano('8'))
    await closeProxy()
    bed.pass(year - 1)
    const first = await byClient(clientRequestRefund(envelope()))
    expect(first.arrivedAt(bed.clientOwner)).toMatchObject([{ value: toNano('3') }])
    const claim = () => send(bed.stranger, bed.proxy.address, proxyPayoutRequest(envelope()))
    for (const seconds of [1, LONGEST_DELAY_SEC - 1]) {
      bed.pass(seconds)
      expect((await claim()).arrivedAt(bed.owner)).toEqual([])
      expect((await byClient(clientRequestRefund(envelope()))).exitCode).toBe(1011)
    }
    // The second between the client's turn and the owner's.
    bed.pass(1)
    const restore = bed.save()
    const second = await byClient(clientRequestRefund(envelope()))
    expect(second.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
    await restore()
    expect((await claim()).arrivedAt(bed.owner)[0]?.value).toBeGreaterThan(toNano('4.9'))
  })

  it('can be closed under terms whose delay no clock reaches, and holds for two years', async () => {
    // As a full upgrade of the network contract may leave them: the wrappers refuse to write such terms.
    const data = bed.proxy.init.data.asSlice()
    const head = data.loadBits(data.remainingBits)
    const params = data.loadRef().asSlice()
    const untilDelay =
      8 + 32 + 32 + 1 + coinsBits(bed.params.pricePerToken) + coinsBits(bed.params.workerFeePerToken) + 4 * 32 + 32
    const endless = beginCell()
      .storeBits(params.loadBits(untilDelay))
      .storeUint(2 ** 32 - 1, 32)
    params.skip(32)
    const terms = endless.storeSlice(params).endCell()
    const odd = contractInit(bed.proxy.init.code, beginCell().storeBits(head).storeRef(terms).endCell())
    const deploy = { from: bed.owner, to: odd.address, value: VALUE, body: proxyOwnerClose(envelope()), deploy: odd }
    expect((await bed.send(deploy)).failures).toEqual([])
    bed.pass(60)
    const complete = bed.signed({ kind: 'proxy-close-complete', queryId: 1n, contract: odd.address })
    expect((await send(bed.stranger, odd.address, complete)).failures).toEqual([])
    const { state, unlockAtSec } = parseProxyState(await bed.data(odd.address))
    expect([state, unlockAtSec]).toEqual(['closed', (bed.chain.now ?? 0) + 2 * year])
  })
})

/** Length of an amount in a cell. */
const coinsBits = (amount: bigint) => beginCell().storeCoins(amount).bits
