import { type Address, toNano } from '@ton/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { clientIncreaseStake, clientInit, clientRequestRefund, clientTopUp, clientWithdraw, parseClientState } from './client.ts'
import { proxyIncreaseStake, proxyPayoutRequest } from './proxy.ts'
import { actor, createTestbed } from './testbed.ts'
import { workerInit } from './worker.ts'

const VALUE = toNano('0.3')
const FEE = 150_000n
const PRICE = 200_000n
/** A notice of one nanoton cannot pay the storage rent since the last message; the next one that runs does. */
const RENT = 1_000n

type Step =
  | { do: 'topUp'; client: number; amount: bigint }
  | { do: 'charge' | 'grant'; client: number; tokens: bigint }
  | { do: 'withdraw' | 'refund'; client: number }
  | { do: 'increaseStake'; client: number; amount: bigint }
  | { do: 'payout' | 'lastPayout'; worker: number; tokens: bigint }
  | { do: 'commission' }
  | { do: 'deposit'; amount: bigint }
  | { do: 'wait'; seconds: number }

const party = fc.nat({ max: 2 })
const amount = fc.bigInt({ min: 0n, max: toNano('9') })
const tokens = fc.bigInt({ min: 0n, max: 20_000n })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('topUp' as const), client: party, amount }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('charge' as const), client: party, tokens }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('payout' as const), worker: party, tokens }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('withdraw' as const), client: party }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refund' as const), client: party }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('grant' as const), client: party, tokens }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lastPayout' as const), worker: party, tokens }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('increaseStake' as const), client: party, amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('commission' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deposit' as const), amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.nat({ max: 40 }) }) },
)

it('keeps every nanoton, and never lets the proxy hold less than it owes', async () => {
  let operations = 0
  let succeeded = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 40 }), async (steps) => {
      const bed = await createTestbed()
      const envelope = { queryId: 1n, excesses: bed.excesses }
      const common = { proxy: bed.proxy.address, publicKey: (await deployProxy()).publicKey, params: bed.params }
      const clients = [0, 1, 2].map((n) => ({
        owner: actor(`client ${n}`),
        ...clientInit({ ...common, owner: actor(`client ${n}`) }),
      }))
      const workers = [0, 1, 2].map((n) => ({
        owner: actor(`worker ${n}`),
        ...workerInit({ ...common, owner: actor(`worker ${n}`) }),
      }))
      const used = [0n, 0n, 0n]
      const paid = [0n, 0n, 0n]
      const received = new Map<string, bigint>()
      // What the clients' contracts let the proxy have, less what workers got: an honest proxy signs no more than this.
      let unearned = 0n

      async function deployProxy() {
        const body = proxyIncreaseStake({ queryId: 1n, excesses: bed.excesses }, toNano('2'))
        await bed.send({ from: bed.owner, to: bed.proxy.address, value: toNano('2.3'), body, deploy: bed.proxy })
        return bed.proxyState()
      }
      const owedTo = async (address: Address) => {
        const account = (await bed.chain.getContract(address)).accountState
        return account?.type === 'active' && account.state.data ? parseClientState(account.state.data) : null
      }

      for (const next of steps) {
        operations += 1
        if (next.do === 'wait') {
          bed.pass(next.seconds)
          continue
        }
        if (next.do === 'commission' || next.do === 'deposit') {
          const isDeposit = next.do === 'deposit'
          const body = isDeposit ? proxyIncreaseStake(envelope, next.amount) : proxyPayoutRequest(envelope)
          const before = (await bed.proxyState()).balance
          const value = isDeposit ? next.amount + VALUE : VALUE
          const outcome = await bed.send({ from: bed.stranger, to: bed.proxy.address, value, body })
          expect(outcome.failures).toEqual([])
          if (!isDeposit) expect(sum(outcome.arrivedAt(bed.owner))).toBe(before)
          succeeded += 1
        } else if ('worker' in next) {
          const worker = pick(workers, next.worker)
          const done = paid[next.worker] ?? 0n
          const delta = next.tokens * PRICE > unearned ? unearned / PRICE : next.tokens
          const total = done + delta
          const kind = next.do === 'payout' ? 'worker-payout' : 'worker-last-payout'
          const body = bed.signed({ kind, queryId: 2n, tokens: total, contract: worker.address })
          const outcome = await bed.send({ from: bed.stranger, to: worker.address, value: toNano('0.5'), body, deploy: worker })
          if (outcome.exitCode === 0) {
            expect(outcome.failures).toEqual([])
            expect(sum(outcome.arrivedAt(worker.owner))).toBe(delta * FEE)
            paid[next.worker] = total
            unearned -= delta * PRICE
            succeeded += 1
          } else expect([1000, 1006]).toContain(outcome.exitCode)
        } else {
          const client = pick(clients, next.client)
          const before = await owedTo(client.address)
          const done = used[next.client] ?? 0n
          const total = done + ('tokens' in next ? next.tokens : 0n)
          const body = {
            topUp: () => clientTopUp(envelope, 'amount' in next ? next.amount : 0n),
            increaseStake: () => clientIncreaseStake(envelope, 'amount' in next ? next.amount : 0n),
            charge: () => bed.signed({ kind: 'client-charge', queryId: 3n, tokens: total, contract: client.address }),
            grant: () => bed.signed({ kind: 'client-grant-refund', queryId: 3n, tokens: total, contract: client.address }),
            withdraw: () => clientWithdraw(envelope),
            refund: () => clientRequestRefund(envelope),
          }[next.do]()
          const value = next.do === 'topUp' ? next.amount + toNano('0.4') : toNano('0.4')
          const outcome = await bed.send({ from: client.owner, to: client.address, value, body, deploy: client })
          if (outcome.exitCode === 0) {
            expect(outcome.failures).toEqual([])
            const balance = before?.balance ?? 0n
            if ('tokens' in next) {
              used[next.client] = total
              const cost = next.tokens * PRICE
              unearned += cost < balance ? cost : balance
            }
            succeeded += 1
          } else expect([1000, 1002, 1003, 1006, 1011]).toContain(outcome.exitCode)
          const key = client.owner.toRawString()
          received.set(key, (received.get(key) ?? 0n) + sum(outcome.arrivedAt(client.owner)))
        }

        const states = await Promise.all(clients.map((client) => owedTo(client.address)))
        const owed = states.reduce((total, state) => total + (state?.balance ?? 0n), 0n)
        const proxy = await bed.proxyState()
        const held = await bed.balance(bed.proxy.address)
        expect(held + RENT).toBeGreaterThanOrEqual(owed + proxy.balance + proxy.stake + unearned + toNano('0.01'))
      }
    }),
    { numRuns: 8, seed: 20_261_122, endOnFailure: true },
  )
  expect(operations).toBeGreaterThan(200)
  expect(succeeded).toBeGreaterThan(100)
}, 120_000)

function sum(messages: readonly { readonly value: bigint }[]): bigint {
  return messages.reduce((total, message) => total + message.value, 0n)
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`no item ${index}`)
  return item
}
