import { type Cell, loadTransaction, type Transaction, toNano } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { clientTopUp } from '../../../contracts/client.ts'
import { proxyIncreaseStake } from '../../../contracts/proxy.ts'
import { publicKeyOfSeed } from '../../../contracts/signed.ts'
import { createTestbed, type Outcome, type Testbed } from '../../../contracts/testbed.ts'
import { findCharge } from './receipt.ts'

// The contract itself, on a chain where anybody can send it anything.

let bed: Testbed
let history: Transaction[]

async function send(body: Cell, value = toNano('0.5')): Promise<{ outcome: Outcome; hash: string }> {
  const outcome = await bed.send({ from: bed.stranger, to: bed.client.address, value, body })
  const [first] = outcome.transactions
  if (first === undefined) throw new Error('nothing was executed')
  history.unshift(first)
  return { outcome, hash: first.hash().toString('hex') }
}
const charge = (tokens: bigint, seed?: string): Promise<{ outcome: Outcome; hash: string }> =>
  send(bed.signed({ kind: 'client-charge', queryId: 7n, contract: bed.client.address, tokens }, seed))

const find = (totalAfter: bigint, seed = bed.proxySeed) =>
  findCharge(
    {
      account: async (address) => ({ status: 'active', balance: 0n, code: null, data: await bed.data(address), last: null }),
      // As bytes, as they come from elsewhere.
      transactions: async (_, limit, before) =>
        history
          .filter(({ lt }) => before === undefined || lt < before.lt)
          .slice(0, limit)
          .map(({ raw }) => loadTransaction(raw.beginParse())),
    },
    { contract: bed.client.address, proxyKey: publicKeyOfSeed(seed), totalAfter },
  )

beforeEach(async () => {
  bed = await createTestbed()
  history = []
  const envelope = { queryId: 42n, excesses: bed.excesses }
  await bed.send({
    from: bed.owner,
    to: bed.proxy.address,
    value: toNano('2'),
    body: proxyIncreaseStake(envelope, toNano('1')),
    deploy: bed.proxy,
  })
  const funded = await bed.send({
    from: bed.clientOwner,
    to: bed.client.address,
    value: toNano('9.5'),
    body: clientTopUp(envelope, toNano('9')),
    deploy: bed.client,
  })
  expect(funded.failures).toEqual([])
  history.unshift(...funded.transactions.slice(0, 1))
})

describe('the charge of a receipt', () => {
  it('is the first that covers it, and none before that', async () => {
    await charge(1_000n)
    expect(await find(2_000n)).toBeNull()
    const { hash } = await charge(2_500n)
    await charge(3_000n)
    expect(await find(2_000n)).toMatchObject({ transaction: hash, tokens: 2_500n })
    expect(await find(3_001n)).toBeNull()
  })

  it('is not hidden by a refused message with a smaller total', async () => {
    const { hash } = await charge(2_500n)
    expect((await charge(0n, 'another key')).outcome.failures).not.toEqual([])
    expect(await find(2_000n)).toMatchObject({ transaction: hash })
  })

  it('is not a refused message with a larger total: a wrong signature, or too little money to carry it out', async () => {
    expect((await charge(9_000n, 'another key')).outcome.failures).not.toEqual([])
    const poor = await send(bed.payment('client-charge', 2_500n), toNano('0.001'))
    expect(poor.outcome.transactions[0]?.description).toMatchObject({ type: 'generic', aborted: true })
    const { hash } = await charge(2_500n)
    await charge(9_000n, 'another key')
    expect(await find(2_000n)).toMatchObject({ transaction: hash, tokens: 2_500n })
  })

  it('is signed by the key of the receipt', async () => {
    await charge(2_500n)
    expect(await find(2_000n, new Uint8Array(32))).toBeNull()
  })

  it('may be a granted refund, which takes what was used and closes', async () => {
    const { hash, outcome } = await send(bed.payment('client-grant-refund', 2_500n))
    expect(outcome.failures).toEqual([])
    expect(await find(2_000n)).toMatchObject({ transaction: hash, tokens: 2_500n })
  })
})
