import { Address, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { PaidNetwork } from '../core/testing/paid-network.ts'
import type { Client } from './client.ts'
import { type ClientState, sentences } from './state.ts'
import { TopUpKeeper } from './top-up-keeper.ts'

describe('the keeper of a balance', () => {
  let net: PaidNetwork
  beforeAll(async () => {
    net = await PaidNetwork.start()
    await net.openAccount()
    await net.workerReady()
    await net.client.stop()
    // As on a real network, the chain is looked at seldom: what happens in between is known only from the proxy.
    net.client = net.newClient({ paymentStatusMs: [600_000, 600_000] })
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
  })
  afterAll(() => net.stop())

  const onChain = async (): Promise<bigint> => (await net.client.accounts.read(net.clientContract()))?.balance ?? 0n

  it('tops up once for what is missing, however often the proxy tells new totals meanwhile', async () => {
    const keeper = new TopUpKeeper(net.client, silentLogger, { amount: toNano('1'), lowMark: toNano('5') })
    for (let asked = 0; asked < 5; asked += 1) await net.answer('hi')
    await expect.poll(onChain).toBe(toNano('6'))
    for (let asked = 0; asked < 5; asked += 1) await net.answer('hi')
    await expect.poll(() => net.connection()?.balance).toBe(toNano('6'))
    keeper.stop()
    // Longer than a top-up takes.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await onChain()).toBe(toNano('6'))
  })

  it('puts there what a refused question lacks, once for two that ask at the same time', async () => {
    const keeper = new TopUpKeeper(net.client, silentLogger, { amount: toNano('1'), lowMark: 0n })
    const { balance = 0n, pendingCharge = 0n } = net.connection() ?? {}
    await Promise.all([keeper.refill(toNano('0.5')), keeper.refill(toNano('0.5'))])
    keeper.stop()
    expect(await onChain()).toBe(balance + toNano('1'))
    expect(net.connection()).toMatchObject({ balance: balance + toNano('1'), pendingCharge })
  })
})

/** What a chain does that cannot be asked to: a message whose fate is unknown. */
describe('the keeper of a balance, when a top-up went wrong', () => {
  const contract = new Address(0, Buffer.alloc(32, 7))
  const ready = (balance: bigint): ClientState => ({
    running: 0,
    returning: [],
    connections: [{ endpoint: '', phase: 'ready', sentence: sentences.ready, clientContract: contract, balance }],
  })

  it('waits a little after it succeeded too: the next look may come from an endpoint that is behind', async () => {
    const state = new Signal(ready(10n))
    let [fills, nowMs] = [0, 1_000]
    const fill = async (): Promise<void> => {
      fills += 1
    }
    const client = { state, accounts: { fill } as unknown as Client['accounts'] }
    const keeper = new TopUpKeeper(client, silentLogger, { amount: 5n, lowMark: 20n }, () => nowMs)
    for (const [balance, laterMs, expected] of [
      [9n, 0, 1],
      [8n, 29_999, 1],
      [7n, 1, 2],
    ] as const) {
      nowMs += laterMs
      state.set(ready(balance))
      await new Promise((resolve) => setImmediate(resolve))
      expect(fills).toBe(expected)
    }
    keeper.stop()
  })

  it.each([
    ['waits until it cannot arrive any more', 'not-confirmed', 600_000],
    ['waits as long when the wallet does not know', 'send-unknown', 600_000],
    ['tries again soon when nothing was sent', 'send-refused', 30_000],
  ])('%s', async (_, code, holdMs) => {
    const state = new Signal(ready(10n))
    let [tries, nowMs] = [0, 1_000]
    const fill = async (): Promise<void> => {
      tries += 1
      throw new Failure(code, 'It went wrong.')
    }
    const client = { state, accounts: { fill } as unknown as Client['accounts'] }
    const keeper = new TopUpKeeper(client, silentLogger, { amount: 5n, lowMark: 20n }, () => nowMs)
    const told = async (balance: bigint): Promise<number> => {
      state.set(ready(balance))
      await new Promise((resolve) => setImmediate(resolve))
      return tries
    }
    expect(await told(9n)).toBe(1)
    nowMs += holdMs - 1
    expect(await told(8n)).toBe(1)
    await expect(keeper.refill(5n)).rejects.toMatchObject({ code })
    expect(tries).toBe(1)
    nowMs += 1
    expect(await told(7n)).toBe(2)
    keeper.stop()
    nowMs += holdMs
    expect(await told(6n)).toBe(2)
  })
})
