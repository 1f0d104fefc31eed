import { type Address, beginCell, type Cell, toNano } from '@ton/core'
import { expect } from 'vitest'
import { clientRequestRefund, clientTopUp } from '../client.ts'
import { OP_EXCESSES } from '../common.ts'
import { parseProxyMessage, proxyIncreaseStake, proxyOwnerClose } from '../proxy.ts'
import { createTestbed, type Outcome, TEST_PARAMS, type Testbed } from '../testbed.ts'
import { workerRegister } from '../worker.ts'

export const VALUE = toNano('0.5')
export const QUERY_ID = 0xfedcba9876543210n
export const STAKE = toNano('2')
/** On the client's balance; 5 of it are its stake. */
export const TOPPED_UP = toNano('20')
export const PRICE = TEST_PARAMS.pricePerToken
export const FEE = TEST_PARAMS.workerFeePerToken
/** Rent that a few short moments cost: messages of one nanoton and refused ones do not pay it. */
export const RENT = 1_000n

export const envelope = (bed: Testbed) => ({ queryId: QUERY_ID, excesses: bed.excesses })

/** Says what to send: by default a stranger's message to a contract of the stage. */
export interface Ask {
  readonly from?: Address
  readonly value?: bigint
  readonly bounced?: boolean
}

export async function ask(bed: Testbed, to: Address, body: Cell, how: Ask = {}): Promise<Outcome> {
  return bed.send({ from: bed.stranger, value: VALUE, ...how, to, body })
}

/** The same, expecting that nothing of it fails. */
export async function done(bed: Testbed, to: Address, body: Cell, how: Ask = {}): Promise<Outcome> {
  const outcome = await ask(bed, to, body, how)
  expect(outcome.failures).toEqual([])
  return outcome
}

/** The message is refused with one of these codes; its value is back and nothing has changed. */
export async function refused(bed: Testbed, to: Address, body: Cell, codes: number | readonly number[], how: Ask = {}) {
  const from = how.from ?? bed.stranger
  const before = await bed.data(to)
  const outcome = await ask(bed, to, body, how)
  expect([codes].flat()).toContain(outcome.exitCode)
  expect((await bed.data(to)).equals(before)).toBe(true)
  // All that was sent, less what the message itself cost; the account paid its rent of its own money.
  const value = (how.value ?? VALUE) - costOf(outcome)
  const [back, ...more] = outcome.arrivedAt(from)
  expect(more).toEqual([])
  expect(Math.abs(Number((back?.value ?? 0n) - value))).toBeLessThanOrEqual(1)
  return outcome
}

/** nanoton that the first transaction cost, with the way of what it sent and without storage rent. */
function costOf(outcome: Outcome): bigint {
  const [first] = outcome.transactions
  if (first?.description.type !== 'generic') throw new Error('a transaction of another kind')
  const rent = first.description.storagePhase?.storageFeesCollected ?? 0n
  let cost = first.totalFees.coins - rent
  for (const { info } of first.outMessages.values()) if (info.type === 'internal') cost += info.forwardFee
  return cost
}

const saved = new Map<string, { bed: Testbed; restore: () => Promise<void> }>()

/** A stage that is built once per test file and brought back as it was for every case. */
export async function staged(name: string, build: () => Promise<Testbed>): Promise<Testbed> {
  const present = saved.get(name)
  if (present !== undefined) {
    await present.restore()
    return present.bed
  }
  const bed = await build()
  saved.set(name, { bed, restore: bed.save() })
  return bed
}

/** Nothing is deployed. */
export const bare = (params = TEST_PARAMS) =>
  staged(`bare ${params.structVersion} ${params.pricePerToken} ${params.clientDelaySec}`, () => createTestbed(params))

/** A proxy with 2 TON at stake, a client with 20 TON, a registered worker. */
export const live = () =>
  staged('live', async () => {
    const bed = await createTestbed()
    const deploys = [
      { contract: bed.proxy, value: STAKE + VALUE, from: bed.owner, body: proxyIncreaseStake(envelope(bed), STAKE) },
      { contract: bed.client, value: TOPPED_UP + VALUE, from: bed.clientOwner, body: clientTopUp(envelope(bed), TOPPED_UP) },
      { contract: bed.worker, value: VALUE, from: bed.workerOwner, body: workerRegister(envelope(bed)) },
    ]
    for (const { contract, value, from, body } of deploys) {
      const outcome = await bed.send({ from, to: contract.address, value, body, deploy: contract })
      expect(outcome.failures).toEqual([])
    }
    return bed
  })

export const clientClosing = (bed: Testbed) =>
  done(bed, bed.client.address, clientRequestRefund(envelope(bed)), { from: bed.clientOwner })
export const clientClosed = (bed: Testbed) => done(bed, bed.client.address, bed.payment('client-grant-refund', 0n))
export const workerClosed = (bed: Testbed) => done(bed, bed.worker.address, bed.payment('worker-last-payout', 0n))
export const proxyClosing = (bed: Testbed) => done(bed, bed.proxy.address, proxyOwnerClose(envelope(bed)), { from: bed.owner })

export async function proxyClosed(bed: Testbed): Promise<Outcome> {
  await proxyClosing(bed)
  bed.pass(TEST_PARAMS.proxyDelaySec)
  return done(bed, bed.proxy.address, bed.payment('proxy-close-complete', 0n))
}

/** Spends tokens of the client and pays the worker for them. */
export async function served(bed: Testbed, tokens: bigint): Promise<void> {
  await done(bed, bed.client.address, bed.payment('client-charge', tokens))
  await done(bed, bed.worker.address, bed.payment('worker-payout', tokens))
}

/** One bit too many, one reference too many, one bit too few. */
export function misshapen(body: Cell): Record<string, Cell> {
  const whole = () => beginCell().storeBits(body.bits)
  const withRefs = (refs: readonly Cell[], cell = whole()) => refs.reduce((made, ref) => made.storeRef(ref), cell).endCell()
  const shapes: Record<string, Cell> = {
    'a bit behind': withRefs(body.refs, whole().storeBit(1)),
    'a reference behind': body.refs.length < 4 ? withRefs([...body.refs, beginCell().endCell()]) : withRefs(body.refs.slice(1)),
    'a bit less': withRefs(body.refs, beginCell().storeBits(body.bits.substring(0, body.bits.length - 1))),
  }
  if (body.refs.length > 0) shapes['a reference less'] = withRefs(body.refs.slice(1))
  return shapes
}

/** The proxy was told the new state, with one nanoton, and the surplus is back. */
export async function noticed(bed: Testbed, outcome: Outcome, value: bigint): Promise<void> {
  const [request] = outcome.arrivedAt(bed.proxy.address)
  const { state, balance, stake, tokensUsed, secretHash } = await bed.clientState()
  expect(request && parseProxyMessage(request.body)).toMatchObject({ state, balance, stake, tokensUsed, secretHash })
  expect(request?.value).toBe(1n)
  expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: value - outcome.fees - 1n }])
}
