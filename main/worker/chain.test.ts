import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseClientState } from '../../contracts/client.ts'
import { contractSecret, secretHash } from '../client/secret.ts'
import { masterSecret, PaidNetwork } from '../core/testing/paid-network.ts'

describe('a request paid on the local chain', () => {
  let net: PaidNetwork
  beforeAll(async () => {
    net = await PaidNetwork.start()
  })
  afterAll(() => net.stop())

  it('opens an account only after consent: deployed, registered, topped up, with a secret of its own', async () => {
    await expect.poll(() => net.connection()?.phase).toBe('needs-account')
    expect((await net.chain.account(net.clientContract())).status).toBe('uninit')
    await net.client.openAccount({ topUp: toNano('5') }, AbortSignal.timeout(60_000))
    await expect.poll(() => net.connection()?.balance).toBe(toNano('5'))
    expect(net.connection()).toMatchObject({ spendableTokens: 25_000n, pendingCharge: 0n })
    const { data } = await net.chain.account(net.clientContract())
    const state = parseClientState(data ?? expect.unreachable('not deployed'))
    expect(Buffer.from(state.secretHash)).toEqual(Buffer.from(secretHash(contractSecret(masterSecret, net.clientContract()))))
  })

  it('serves with a worker contract that was deployed at first contact', async () => {
    await expect.poll(() => net.worker.state.value.connections[0]?.phase).toBe('ready')
    const [record] = net.worker.contracts()
    const deployed = async () => (await net.chain.account(record?.contract ?? expect.unreachable('no contract'))).status
    await expect.poll(deployed).toBe('active')
  })

  it('answers, and the money goes from counted to pending to settled, to the nano', async () => {
    const { text, end } = await net.answer('hi')
    expect(text).toBe('Hello from fake AI')
    // 12 prompt, 4 cached at 0.1, 4 completion and 1 reasoning at 8: 12 + 0 + 32 + 8 adjusted tokens.
    expect(end.tokens?.total).toBe(52n)
    expect(end.cost).toBe(52n * 200_000n)
    await expect.poll(() => net.clientEvents).toMatchObject([{ type: 'charged', tokens: 52n, cost: 10_400_000n }])
    await expect.poll(() => net.workerEvents.find((event) => event.type === 'counted')).toMatchObject({ requestTokens: 52n })
    await expect.poll(() => net.workerEvents.find((event) => event.type === 'signed' && event.tokens === 52n)).toBeDefined()
    expect(net.worker.state.value).toMatchObject({ unpaidTokens: 52n, unpaid: 7_800_000n })

    const ownerBefore = (await net.chain.account(net.network.user)).balance
    const nodeBefore = (await net.chain.account(net.network.workerWallet)).balance
    const payout = await net.worker.settle()
    expect(payout).toMatchObject({ state: 'settled', adjustedTokens: 52, expected: 7_800_000n, ownerReceived: 7_800_000n })
    const ownerAfter = (await net.chain.account(net.network.user)).balance
    const nodeAfter = (await net.chain.account(net.network.workerWallet)).balance
    // The message credits exactly what was expected; the owner's own wallet pays the fee of receiving it, as for any message.
    const income = (await net.chain.transactions(net.network.user, 10)).find(
      (one) => one.hash().toString('hex') === payout.transactionHash,
    )
    expect(income?.description).toMatchObject({ creditPhase: { credit: { coins: 7_800_000n } } })
    expect(ownerAfter - ownerBefore).toBe(7_800_000n - (income?.totalFees.coins ?? 0n))
    expect(nodeAfter - nodeBefore).toBe(payout.nodeWalletChange)
    expect(payout.nodeWalletChange).toBeLessThan(0n)
    expect(payout.transactionHash).toMatch(/^[0-9a-f]{64}$/)
    expect(net.workerEvents.flatMap((event) => (event.type === 'payout' ? [event.payout.state] : []))).toEqual([
      'sending',
      'confirming',
      'settled',
    ])
    await expect.poll(() => net.workerEvents.find((event) => event.type === 'settled')).toMatchObject({ tokens: 52n })
    await expect(net.worker.settle()).rejects.toMatchObject({ code: 'nothing-to-settle', money: 'Nothing was sent.' })
  })

  it('stops a running answer through all three, promptly, and pays for what was generated', async () => {
    const stop = new AbortController()
    let stoppedAt = 0
    let deltas = 0
    const { text, end } = await net.answer('ENDLESS', stop.signal, () => {
      if (++deltas !== 5) return
      stoppedAt = performance.now()
      stop.abort()
    })
    expect(performance.now() - stoppedAt).toBeLessThan(10_000)
    expect(end.stopped).toBe('ended')
    const generated = BigInt(text.length)
    expect(generated).toBeGreaterThanOrEqual(5n)
    expect(end.tokens).toMatchObject({ prompt: 16n, completion: generated * 8n })
    await expect.poll(() => net.workerEvents.filter((event) => event.type === 'counted').length).toBe(2)
    expect(net.clientEvents.filter((event) => event.type === 'deviation')).toEqual([])
  })

  it('is settled when the proxy was quicker than "Settle now", with the amount that came and the gas that went', async () => {
    await net.answer('hi')
    const before = await net.paidTokens()
    const signed = await net.signedBeyond(before)
    // The proxy's own payout lands between the worker's look at the chain and its message.
    net.beforeSend = async () => {
      net.proxy.settleNow('worker', net.network.user)
      await expect.poll(() => net.paidByProxy).toBe(signed)
    }
    const [ownerBefore, nodeBefore] = [await net.balanceOf(net.network.user), await net.balanceOf(net.network.workerWallet)]
    const payout = await net.worker.settle()
    const worth = (signed - before) * 150_000n
    expect(payout).toMatchObject({
      state: 'settled',
      adjustedTokens: Number(signed - before),
      expected: worth,
      ownerReceived: worth,
    })
    expect((await net.balanceOf(net.network.workerWallet)) - nodeBefore).toBe(payout.nodeWalletChange)
    expect(payout.nodeWalletChange).toBeLessThan(0n)
    // Refused by the contract, so all but the gas came back.
    expect(payout.nodeWalletChange).toBeGreaterThan(-20_000_000n)
    const income = (await net.chain.transactions(net.network.user, 10)).find(
      (one) => one.hash().toString('hex') === payout.transactionHash,
    )
    expect((await net.balanceOf(net.network.user)) - ownerBefore).toBe(worth - (income?.totalFees.coins ?? 0n))
    expect(net.workerEvents.findLast((event) => event.type === 'payout')).toMatchObject({ payout: { state: 'settled' } })
  })

  it('is settled too when the proxy was quicker by more, at no cost', async () => {
    await net.answer('hi')
    const before = await net.paidTokens()
    const signed = await net.signedBeyond(before)
    const worth = (signed - before) * 150_000n
    // The worker has looked, and shows money to settle; it looks again when it is asked to.
    const settled = net.workerEvents.filter((event) => event.type === 'settled').length
    const release = net.holdChain()
    net.proxy.settleNow('worker', net.network.user)
    await expect.poll(() => net.paidByProxy).toBe(signed)
    expect(net.workerEvents.filter((event) => event.type === 'settled')).toHaveLength(settled)
    const settling = net.worker.settle()
    release()
    const payout = await settling
    expect(payout).toMatchObject({ state: 'settled', expected: worth, ownerReceived: worth, nodeWalletChange: 0n })
    await expect(net.worker.settle()).rejects.toMatchObject({ code: 'nothing-to-settle' })
  })

  it('charges nobody for an answer that failed', async () => {
    const before = net.clientEvents.length
    await expect(net.answer('BREAK')).rejects.toMatchObject({ money: 'You paid nothing.' })
    await expect.poll(() => net.clientEvents[before]).toMatchObject({ type: 'charged', tokens: 0n, cost: 0n })
    expect((await net.answer('hi')).text).toBe('Hello from fake AI')
  })

  it('comes back after a restart by the secret alone, with nothing sent', async () => {
    const account = net.clientContract()
    await net.client.stop()
    const before = (await net.chain.account(net.network.user)).last?.lt
    net.client = net.newClient()
    net.client.start()
    await net.client.whenReady(AbortSignal.timeout(60_000))
    expect((await net.chain.account(net.network.user)).last?.lt).toBe(before)
    expect(net.client.accounts.list(net.network.root).map((one) => one.contract.toString())).toEqual([account.toString()])
    expect((await net.answer('hi')).text).toBe('Hello from fake AI')
  })

  it('is charged by the stored signature, topped up, and given back', async () => {
    const account = net.clientContract()
    await expect.poll(() => net.client.accounts.list(net.network.root)[0]?.signedTokens).toBeGreaterThan(52n)
    await net.client.accounts.charge(account)
    await net.client.accounts.topUp(account, toNano('1'))
    const state = await net.client.accounts.read(account)
    expect(state?.tokensUsed).toBeGreaterThan(52n)
    expect(state?.balance).toBe(toNano('6') - (state?.tokensUsed ?? 0n) * 200_000n)
    await net.client.accounts.withdraw(account)
    expect((await net.client.accounts.read(account))?.balance).toBe(toNano('5'))
    await net.client.accounts.requestRefund(account)
    // The proxy sees the wish and grants the refund: closed, with everything paid back.
    await expect.poll(async () => (await net.client.accounts.read(account))?.state).toBe('closed')
    await expect(net.client.accounts.requestRefund(account)).rejects.toMatchObject({ code: 'account-closed' })
  })
})
