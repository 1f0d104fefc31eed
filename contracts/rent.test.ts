import { Cell, toNano } from '@ton/core'
import { expect, it } from 'vitest'
import { clientTopUp } from './client.ts'
import { proxyIncreaseStake } from './proxy.ts'
import { createTestbed } from './testbed.ts'

const MONTH_SEC = (365 * 86_400) / 12

// The figures of docs/contracts.md, "Known weakness".
it('notices let the rent of a proxy contract be paid by what it holds: 0.045 TON a year, which anybody can put back', async () => {
  const bed = await createTestbed()
  const envelope = { queryId: 1n, excesses: bed.excesses }
  const stake = toNano('1')
  const body = proxyIncreaseStake(envelope, stake)
  await bed.send({ from: bed.owner, to: bed.proxy.address, value: toNano('1.5'), body, deploy: bed.proxy })
  const topUp = clientTopUp(envelope, toNano('8'))
  await bed.send({ from: bed.clientOwner, to: bed.client.address, value: toNano('8.5'), body: topUp, deploy: bed.client })
  // Charged or not, it is all still there: no worker was paid.
  const owed = stake + toNano('8')
  const surplus = async () => Number((await bed.balance(bed.proxy.address)) - owed) / 1e9
  expect(await surplus()).toBeCloseTo(0.01, 6)

  const charge = (tokens: number) =>
    bed.send({
      from: bed.stranger,
      to: bed.client.address,
      value: toNano('0.5'),
      body: bed.payment('client-charge', BigInt(tokens)),
    })
  const year = async (first: number) => {
    for (let month = first; month < first + 12; month += 1) {
      bed.pass(MONTH_SEC)
      await charge(month)
    }
  }
  await year(1)
  expect(await surplus()).toBeCloseTo(-0.0347, 3)
  await year(13)
  expect(await surplus()).toBeCloseTo(-0.0795, 3)
  // Money without a word stays there.
  await bed.send({ from: bed.owner, to: bed.proxy.address, value: toNano('0.1'), body: Cell.EMPTY })
  expect(await surplus()).toBeGreaterThan(0.02)
})
