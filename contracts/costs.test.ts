import { toNano } from '@ton/core'
import { expect, it } from 'vitest'
import { clientTopUp } from './client.ts'
import { createTestbed } from './testbed.ts'

// The figures of docs/contracts.md. A change that costs noticeably more must change them there.
it('costs what the documentation says', async () => {
  const bed = await createTestbed()
  const { stranger, client, worker } = bed
  await bed.send({ from: bed.owner, to: bed.proxy.address, value: toNano('0.1'), deploy: bed.proxy })
  const topUp = clientTopUp({ queryId: 1n, excesses: bed.excesses }, toNano('5'))
  await bed.send({ from: stranger, to: client.address, value: toNano('5.5'), body: topUp, deploy: client })
  await bed.send({ from: stranger, to: worker.address, value: toNano('0.3'), deploy: worker })

  const send = (to: typeof client.address, body: typeof topUp, value: bigint) => bed.send({ from: stranger, to, value, body })
  const measured = {
    topUp: await send(client.address, topUp, toNano('5.3')),
    charge: await send(client.address, bed.payment('client-charge', 850n), toNano('0.3')),
    payout: await send(worker.address, bed.payment('worker-payout', 850n), toNano('0.3')),
  }
  const limits = { topUp: 20_000, charge: 14_000, payout: 22_000 }
  for (const name of ['topUp', 'charge', 'payout'] as const) {
    const { failures, gas, fees } = measured[name]
    expect(failures).toEqual([])
    expect(gas.reduce((sum, used) => sum + used, 0)).toBeLessThan(limits[name])
    expect(fees).toBeLessThan(toNano('0.012'))
  }
})
