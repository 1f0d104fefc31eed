import { type Address, Cell, toNano } from '@ton/core'
import { beforeEach, expect, it } from 'vitest'
import { clientRequestRefund, clientTopUp } from './client.ts'
import { OP_PAYOUT } from './common.ts'
import { parseProxyState, proxyIncreaseStake } from './proxy.ts'
import { createTestbed, type Testbed } from './testbed.ts'

// A proxy contract that had next to nothing for years owes more than 0.1 TON of rent, and the next message freezes it.

const VALUE = toNano('0.5')
const YEAR_SEC = 365 * 86_400

let bed: Testbed
let lastState: Cell
const envelope = () => ({ queryId: 42n, excesses: bed.excesses })
const send = (from: Address, to: Address, body: Cell, value = VALUE) => bed.send({ from, to, value, body })
const status = async () => (await bed.chain.getContract(bed.proxy.address)).accountState?.type ?? 'none'
const wake = (data: Cell) => {
  const deploy = { ...bed.proxy, init: { ...bed.proxy.init, data } }
  const body = proxyIncreaseStake(envelope(), toNano('9'))
  return bed.send({ from: bed.stranger, to: bed.proxy.address, value: toNano('10'), body, deploy })
}

beforeEach(async () => {
  bed = await createTestbed()
  await bed.send({
    from: bed.owner,
    to: bed.proxy.address,
    value: toNano('1.5'),
    body: proxyIncreaseStake(envelope(), toNano('1')),
    deploy: bed.proxy,
  })
  const body = clientTopUp(envelope(), toNano('8'))
  await bed.send({ from: bed.clientOwner, to: bed.client.address, value: toNano('8.5'), body, deploy: bed.client })
  // The proxy let a worker have nearly all of it though no client was charged.
  const payout = bed.payment('worker-payout', 60_000n)
  await bed.send({ from: bed.stranger, to: bed.worker.address, value: VALUE, body: payout, deploy: bed.worker })
  lastState = await bed.data(bed.proxy.address)
  bed.pass(4 * YEAR_SEC)
})

it('refuses everything, and nobody loses what is owed: clients, workers and who tops up', async () => {
  const refund = await send(bed.clientOwner, bed.client.address, clientRequestRefund(envelope()))
  expect(await status()).toBe('frozen')
  expect(refund.arrivedAt(bed.clientOwner)).toEqual([])
  expect(await bed.clientState()).toMatchObject({ state: 'normal', balance: toNano('8') })

  await send(bed.stranger, bed.worker.address, bed.payment('worker-payout', 61_000n))
  expect((await bed.workerState()).tokens).toBe(60_000n)

  const topUp = await send(bed.clientOwner, bed.client.address, clientTopUp(envelope(), toNano('5')), toNano('5.5'))
  expect(topUp.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('5') }])
  expect((await bed.clientState()).balance).toBe(toNano('8'))
})

it('is woken by anybody with the state that it had, and by nothing else; then it pays', async () => {
  await send(bed.clientOwner, bed.client.address, clientRequestRefund(envelope()))
  // What it was deployed with would forget everything that was signed and paid since.
  await wake(bed.proxy.init.data)
  expect(await status()).toBe('frozen')
  expect((await wake(lastState)).failures).toEqual([])
  expect((await bed.proxyState()).stake).toBe(toNano('10'))
  const grant = await send(bed.stranger, bed.client.address, bed.payment('client-grant-refund', 0n))
  expect(grant.arrivedAt(bed.clientOwner)).toMatchObject([{ op: OP_PAYOUT, value: toNano('8') }])
  expect((await bed.clientState()).balance).toBe(0n)
})

it('is gone instead when it was deployed and never used, and is deployed again by what it was deployed with', async () => {
  bed = await createTestbed()
  const deploy = { from: bed.owner, to: bed.proxy.address, deploy: bed.proxy, bounce: false }
  await bed.send({ ...deploy, value: toNano('0.02') })
  expect(await status()).toBe('active')
  bed.pass(6 * YEAR_SEC)
  await send(bed.stranger, bed.proxy.address, proxyIncreaseStake(envelope(), 0n))
  expect(await status()).toBe('uninit')
  const other = await bed.send({ ...deploy, value: toNano('1'), body: Cell.EMPTY, deploy: bed.client })
  expect([other.exitCode, await status()]).toEqual([-1, 'uninit'])
  const stake = { value: toNano('10'), body: proxyIncreaseStake(envelope(), toNano('9')) }
  expect((await bed.send({ ...deploy, ...stake })).failures).toEqual([])
  expect(parseProxyState(await bed.data(bed.proxy.address)).stake).toBe(toNano('9'))
})
