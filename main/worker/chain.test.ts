import { readdirSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { type Address, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseClientState } from '../../contracts/client.ts'
import { keySigner, signedBoc, signMessage } from '../../contracts/signed.ts'
import { silentLogger } from '../base/logger.ts'
import { clientMigrations } from '../client/account-store.ts'
import { readChatCompletion } from '../client/chat-completion.ts'
import { Client } from '../client/client.ts'
import type { ClientEvent } from '../client/options.ts'
import { contractSecret, secretHash } from '../client/secret.ts'
import { buildLocalNetwork, type LocalNetwork, localEndpoints, localGenesis } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../localnet/testing.ts'
import { PacketConnection } from '../protocol/wire/connection.ts'
import type { KeptWord } from '../proxy/kept-words.ts'
import { plainPort } from '../proxy/ports.ts'
import { CocoonProxy } from '../proxy/proxy.ts'
import type { ProxyConfig } from '../proxy/proxy-config.ts'
import { testConfig } from '../proxy/testing/fixtures.ts'
import { openDatabase } from '../storage/database.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { workerMigrations } from './balance-store.ts'
import { paidTokens } from './payout.ts'
import { ScriptedBackend } from './testing/scripted-backend.ts'
import { Worker } from './worker.ts'
import type { WorkerEvent } from './worker-event.ts'

const keys = {
  networkOwner: testKey(31),
  user: testKey(32),
  proxy: testKey(33),
  proxyWallet: testKey(34),
  workerWallet: testKey(35),
}
const masterSecret = new Uint8Array(32).fill(5)

/** Proxy, client and worker on the local chain: only the engine is scripted, so that the amounts are known beforehand. */
describe('a request paid on the local chain', () => {
  const folder = newFolder()
  const workerEvents: WorkerEvent[] = []
  const clientEvents: ClientEvent[] = []
  const backend = new ScriptedBackend()
  const databases = {
    client: openDatabase(join(folder.path, 'client.sqlite'), clientMigrations, { logger: silentLogger }),
    worker: openDatabase(join(folder.path, 'worker.sqlite'), workerMigrations, { logger: silentLogger }),
  }
  let local: LocalChain
  let network: LocalNetwork
  let root: RootWatcher
  let user: W5Wallet
  let owner: W5Wallet
  let nodes: CocoonWallet[]
  let proxy: CocoonProxy
  let client: Client
  let worker: Worker
  /** Runs before the worker's next message leaves. */
  let beforeSend: (() => Promise<void>) | undefined
  /** What the worker's looks at the chain wait for. */
  let held: Promise<void> = Promise.resolve()
  const holdChain = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    return resolve
  }

  const dial = async (port: number | null): Promise<PacketConnection> => {
    const socket = connectTcp(port ?? 0, '127.0.0.1').setNoDelay(true)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new PacketConnection(socket, { role: 'connecting' })
  }
  const makeProxy = (change: Partial<ProxyConfig> = {}): CocoonProxy =>
    new CocoonProxy(
      {
        ...testConfig(folder.path),
        owner: network.networkOwner,
        stakeNano: toNano('1'),
        // The proxy neither charges nor pays out by itself here: what is seen on chain was sent by client and worker.
        terms: {
          chargeNano: toNano('1000'),
          payoutNano: toNano('1000'),
          chainCommitDelayMs: () => 200,
          tickMs: 100,
          resendMs: 15_000,
        },
        ...change,
      },
      {
        root: root.config,
        side: { kind: 'chain', chain: local.chain, sender: nodes[0] ?? expect.unreachable('no wallet') },
        key: { publicKey: keys.proxy.publicKey, signer: keySigner(keys.proxy.secretKey) },
        openWorkerPort: plainPort(),
        openClientPort: plainPort(),
        logger: silentLogger,
      },
    )
  const newClient = (): Client => {
    const made = new Client({
      root: root.config,
      owner: network.user,
      money: { chain: local.chain, wallet: user },
      masterSecret,
      database: databases.client,
      dial: () => dial(proxy.status.value.clientPort),
      logger: silentLogger,
      reconnectMs: 100,
      paymentStatusMs: [200, 300],
    })
    made.events.on((event) => clientEvents.push(event))
    return made
  }

  beforeAll(async () => {
    local = await startChain(folder.path, { genesis: localGenesis(keys) })
    owner = new W5Wallet(local.chain, keys.networkOwner)
    user = new W5Wallet(local.chain, keys.user)
    const endpoints = localEndpoints({ workerPort: 11101, clientPort: 11102 })
    network = await buildLocalNetwork({ chain: local.chain, keys, owner, endpoints })
    const [proxyNode, workerNode] = [
      new CocoonWallet(local.chain, keys.proxyWallet, network.networkOwner),
      new CocoonWallet(local.chain, keys.workerWallet, network.user),
    ]
    nodes = [proxyNode, workerNode]
    root = watchRoot(local.chain, network.root, { intervalMs: 300 })
    root.start()
    proxy = makeProxy()
    await proxy.start()
    worker = new Worker({
      root: root.config,
      owner: network.user,
      money: {
        chain: {
          kind: 'local',
          endpoint: local.chain.endpoint,
          account: (address) => held.then(() => local.chain.account(address)),
          runGetter: (address, name, args) => local.chain.runGetter(address, name, args),
          transactions: (address, limit, before) => local.chain.transactions(address, limit, before),
          send: (boc) => local.chain.send(boc),
          watch: (address, afterLt, signal) => local.chain.watch(address, afterLt, signal),
        },
        nodeWallet: {
          address: workerNode.address,
          send: async (messages) => {
            await beforeSend?.()
            beforeSend = undefined
            await workerNode.send(messages)
          },
        },
      },
      backend,
      modelName: `Qwen/Qwen3-8B@abc:${'0'.repeat(64)}`,
      database: databases.worker,
      dial: () => dial(proxy.status.value.workerPort),
      logger: silentLogger,
      reconnectMs: 100,
      paymentStatusMs: [200, 300],
    })
    worker.events.on((event) => workerEvents.push(event))
    worker.start()
    client = newClient()
    client.start()
  })

  afterAll(async () => {
    await client.stop()
    await worker.stop()
    await proxy.stop()
    await root.stop()
    for (const wallet of [user, owner, ...nodes]) wallet.close()
    await local.close()
    for (const database of Object.values(databases)) database.close()
    folder.remove()
  })

  /** Everything counted is signed: `tokens` more than before. */
  const signedBeyond = async (tokens: bigint): Promise<bigint> => {
    const signed = (): bigint => worker.contracts()[0]?.signedTokens ?? 0n
    await expect.poll(signed, { timeout: 60_000 }).toBeGreaterThan(tokens)
    const unsigned = (): bigint => (proxy.account('worker', network.user)?.max ?? 0n) - signed()
    await expect.poll(unsigned, { timeout: 60_000 }).toBe(0n)
    return signed()
  }
  const balanceOf = async (address: Address): Promise<bigint> => (await local.chain.account(address)).balance
  const paidTokensNow = async (): Promise<bigint> =>
    await paidTokens(local.chain, worker.contracts()[0]?.contract ?? expect.unreachable('no contract'))
  const paidByChain = (): bigint => proxy.account('worker', network.user)?.settled ?? 0n
  const forgetProxy = (): void => {
    for (const name of readdirSync(folder.path)) if (name.startsWith('proxy.db')) rmSync(join(folder.path, name))
  }
  const connection = () => client.state.value.connections[0]
  const contract = () => connection()?.clientContract ?? expect.unreachable('no contract')
  const answer = async (question: string, signal = new AbortController().signal, onText?: () => void) => {
    const handle = client.runChat(
      {
        model: backend.model,
        body: JSON.stringify({ model: backend.model, messages: [{ role: 'user', content: question }], stream: true }),
      },
      signal,
    )
    let text = ''
    for await (const event of readChatCompletion(handle.body)) {
      if (event.type !== 'text') continue
      text += event.text
      onText?.()
    }
    return { text, end: await handle.end }
  }

  it('opens an account only after consent: deployed, registered, topped up, with a secret of its own', async () => {
    await expect.poll(() => connection()?.phase, { timeout: 60_000 }).toBe('needs-account')
    expect((await local.chain.account(contract())).status).toBe('uninit')
    await client.openAccount({ topUp: toNano('5') }, AbortSignal.timeout(20_000))
    await expect.poll(() => connection()?.balance, { timeout: 60_000 }).toBe(toNano('5'))
    expect(connection()).toMatchObject({ spendableTokens: 25_000n, pendingCharge: 0n })
    const { data } = await local.chain.account(contract())
    const state = parseClientState(data ?? expect.unreachable('not deployed'))
    expect(Buffer.from(state.secretHash)).toEqual(Buffer.from(secretHash(contractSecret(masterSecret, contract()))))
  })

  it('serves with a worker contract that was deployed at first contact', async () => {
    await expect.poll(() => worker.state.value.connections[0]?.phase, { timeout: 60_000 }).toBe('ready')
    const [record] = worker.contracts()
    const deployed = async () => (await local.chain.account(record?.contract ?? expect.unreachable('no contract'))).status
    await expect.poll(deployed, { timeout: 60_000 }).toBe('active')
  })

  it('answers, and the money goes from counted to pending to settled, to the nano', async () => {
    const { text, end } = await answer('hi')
    expect(text).toBe('Hello from fake AI')
    // 12 prompt, 4 cached at 0.1, 4 completion and 1 reasoning at 8: 12 + 0 + 32 + 8 adjusted tokens.
    expect(end.tokens?.total).toBe(52n)
    expect(end.cost).toBe(52n * 200_000n)
    await expect.poll(() => clientEvents).toMatchObject([{ type: 'charged', tokens: 52n, cost: 10_400_000n }])
    await expect.poll(() => workerEvents.find((event) => event.type === 'counted')).toMatchObject({ requestTokens: 52n })
    await expect
      .poll(() => workerEvents.find((event) => event.type === 'signed' && event.tokens === 52n), { timeout: 60_000 })
      .toBeDefined()
    expect(worker.state.value).toMatchObject({ unpaidTokens: 52n, unpaid: 7_800_000n })

    const ownerBefore = (await local.chain.account(network.user)).balance
    const nodeBefore = (await local.chain.account(network.workerWallet)).balance
    const payout = await worker.settle()
    expect(payout).toMatchObject({ state: 'settled', adjustedTokens: 52, expected: 7_800_000n, ownerReceived: 7_800_000n })
    const ownerAfter = (await local.chain.account(network.user)).balance
    const nodeAfter = (await local.chain.account(network.workerWallet)).balance
    // The message credits exactly what was expected; the owner's own wallet pays the fee of receiving it, as for any message.
    const income = (await local.chain.transactions(network.user, 10)).find(
      (one) => one.hash().toString('hex') === payout.transactionHash,
    )
    expect(income?.description).toMatchObject({ creditPhase: { credit: { coins: 7_800_000n } } })
    expect(ownerAfter - ownerBefore).toBe(7_800_000n - (income?.totalFees.coins ?? 0n))
    expect(nodeAfter - nodeBefore).toBe(payout.nodeWalletChange)
    expect(payout.nodeWalletChange).toBeLessThan(0n)
    expect(payout.transactionHash).toMatch(/^[0-9a-f]{64}$/)
    expect(workerEvents.flatMap((event) => (event.type === 'payout' ? [event.payout.state] : []))).toEqual([
      'sending',
      'confirming',
      'settled',
    ])
    await expect.poll(() => workerEvents.find((event) => event.type === 'settled')).toMatchObject({ tokens: 52n })
    await expect(worker.settle()).rejects.toMatchObject({ code: 'nothing-to-settle', money: 'Nothing was sent.' })
  })

  it('stops a running answer through all three, promptly, and pays for what was generated', async () => {
    const stop = new AbortController()
    let stoppedAt = 0
    let deltas = 0
    const { text, end } = await answer('ENDLESS', stop.signal, () => {
      if (++deltas !== 5) return
      stoppedAt = performance.now()
      stop.abort()
    })
    expect(performance.now() - stoppedAt).toBeLessThan(1500)
    expect(end.stopped).toBe('ended')
    const generated = BigInt(text.length)
    expect(generated).toBeGreaterThanOrEqual(5n)
    expect(end.tokens).toMatchObject({ prompt: 16n, completion: generated * 8n })
    await expect.poll(() => workerEvents.filter((event) => event.type === 'counted').length).toBe(2)
    expect(clientEvents.filter((event) => event.type === 'deviation')).toEqual([])
  })

  it('is settled when the proxy was quicker than "Settle now", with the amount that came and the gas that went', async () => {
    await answer('hi')
    const before = await paidTokensNow()
    const signed = await signedBeyond(before)
    // The proxy's own payout lands between the worker's look at the chain and its message.
    beforeSend = async () => {
      proxy.settleNow('worker', network.user)
      await expect.poll(paidByChain, { timeout: 60_000 }).toBe(signed)
    }
    const [ownerBefore, nodeBefore] = [await balanceOf(network.user), await balanceOf(network.workerWallet)]
    const payout = await worker.settle()
    const worth = (signed - before) * 150_000n
    expect(payout).toMatchObject({
      state: 'settled',
      adjustedTokens: Number(signed - before),
      expected: worth,
      ownerReceived: worth,
    })
    expect((await balanceOf(network.workerWallet)) - nodeBefore).toBe(payout.nodeWalletChange)
    expect(payout.nodeWalletChange).toBeLessThan(0n)
    // Refused by the contract, so all but the gas came back.
    expect(payout.nodeWalletChange).toBeGreaterThan(-20_000_000n)
    const income = (await local.chain.transactions(network.user, 10)).find(
      (one) => one.hash().toString('hex') === payout.transactionHash,
    )
    expect((await balanceOf(network.user)) - ownerBefore).toBe(worth - (income?.totalFees.coins ?? 0n))
    expect(workerEvents.findLast((event) => event.type === 'payout')).toMatchObject({ payout: { state: 'settled' } })
  })

  it('is settled too when the proxy was quicker by more, at no cost', async () => {
    await answer('hi')
    const before = await paidTokensNow()
    const signed = await signedBeyond(before)
    const worth = (signed - before) * 150_000n
    // The worker has looked, and shows money to settle; it looks again when it is asked to.
    const settled = workerEvents.filter((event) => event.type === 'settled').length
    const release = holdChain()
    proxy.settleNow('worker', network.user)
    await expect.poll(paidByChain, { timeout: 60_000 }).toBe(signed)
    expect(workerEvents.filter((event) => event.type === 'settled')).toHaveLength(settled)
    const settling = worker.settle()
    release()
    const payout = await settling
    expect(payout).toMatchObject({ state: 'settled', expected: worth, ownerReceived: worth, nodeWalletChange: 0n })
    await expect(worker.settle()).rejects.toMatchObject({ code: 'nothing-to-settle' })
  })

  it('charges nobody for an answer that failed', async () => {
    const before = clientEvents.length
    await expect(answer('BREAK')).rejects.toMatchObject({ money: 'You paid nothing.' })
    await expect.poll(() => clientEvents[before]).toMatchObject({ type: 'charged', tokens: 0n, cost: 0n })
    expect((await answer('hi')).text).toBe('Hello from fake AI')
  })

  it('comes back after a restart by the secret alone, with nothing sent', async () => {
    const account = contract()
    await client.stop()
    const before = (await local.chain.account(network.user)).last?.lt
    client = newClient()
    client.start()
    await client.whenReady(AbortSignal.timeout(10_000))
    expect((await local.chain.account(network.user)).last?.lt).toBe(before)
    expect(client.accounts.list(network.root).map((one) => one.contract.toString())).toEqual([account.toString()])
    expect((await answer('hi')).text).toBe('Hello from fake AI')
  })

  it('keeps what was signed also with a proxy that lost everything: on chain it is paid, and the proxy learns it there', async () => {
    await answer('hi')
    const signed = await signedBeyond(await paidTokensNow())
    const record = () => client.accounts.list(network.root)[0] ?? expect.unreachable('no account')
    await expect.poll(() => record().signedTokens, { timeout: 60_000 }).toBe(proxy.account('client', network.user)?.max)
    const before = { ...record(), pending: connection()?.pendingCharge }
    await Promise.all([client.stop(), worker.stop()])
    await proxy.stop()
    forgetProxy()
    proxy = makeProxy({ acceptLostDatabase: true })
    await proxy.start()
    expect(proxy.account('worker', network.user)?.max).toBeLessThan(signed)

    // The client has no duty to tell, but it does not forget: what it used stays pending.
    client.start()
    await client.whenReady(AbortSignal.timeout(20_000))
    expect(record()).toMatchObject({ signedTokens: before.signedTokens, maxTokens: before.maxTokens })
    expect(connection()).toMatchObject({ usedTokens: before.maxTokens, pendingCharge: before.pending })
    expect(clientEvents.findLast((event) => event.type === 'deviation')).toMatchObject({ deviation: { kind: 'total-fell' } })
    // The worker does not serve a proxy that knows less than it signed, and takes its money with the signature it holds.
    worker.start()
    await expect.poll(() => worker.state.value.connections[0]?.failure, { timeout: 20_000 }).toMatch(/signed \d+ tokens after/)
    expect(await worker.settle()).toMatchObject({ state: 'settled' })
    await expect.poll(() => worker.state.value.connections[0]?.phase, { timeout: 20_000 }).toBe('ready')
    expect(proxy.account('worker', network.user)).toMatchObject({ max: signed, settled: signed })
    // So does a charge by the client's copy.
    await client.accounts.charge(record().contract)
    await expect.poll(() => proxy.account('client', network.user)?.max, { timeout: 20_000 }).toBe(before.signedTokens)
    expect((await answer('hi')).text).toBe('Hello from fake AI')
  })

  it('loses nothing with the database of the proxy, as far as the books of client and worker hold its word', async () => {
    const paid = await paidTokensNow()
    await answer('hi')
    await signedBeyond(paid)
    // Counted and perhaps not signed yet when everything ends.
    await answer('hi')
    await expect
      .poll(() => worker.contracts()[0]?.maxTokens, { timeout: 60_000 })
      .toBe(proxy.account('worker', network.user)?.max)
    await expect.poll(() => client.accounts.list(network.root)[0]?.maxTokens).toBe(proxy.account('client', network.user)?.max)
    await Promise.all([client.stop(), worker.stop()])
    const { max = 0n } = proxy.account('worker', network.user) ?? {}
    await proxy.stop()
    forgetProxy()

    const [ofWorker] = worker.contracts()
    const [ofClient] = client.accounts.list(network.root)
    if (!ofWorker || !ofClient) throw new Error('no books')
    const owner = network.user
    const words: KeptWord[] = [
      { ...ofWorker, kind: 'worker', owner, toldTokens: ofWorker.maxTokens },
      { ...ofClient, kind: 'client', owner, toldTokens: ofClient.maxTokens },
    ]
    const stranger = network.networkOwner
    const payload = { kind: 'worker-payout', queryId: 9n, contract: ofWorker.contract, tokens: max * 10n } as const
    const byOther = signedBoc(signMessage(payload, owner, keySigner(testKey(99).secretKey)))
    const forged: KeptWord[] = [
      { ...ofWorker, kind: 'worker', owner, signedBoc: byOther, toldTokens: 0n },
      // Another contract's payment, one of the wrong kind, and none at all: no word of this proxy for these accounts.
      { ...ofWorker, kind: 'worker', owner: stranger, toldTokens: max * 10n },
      { ...ofWorker, kind: 'worker', owner, signedBoc: ofClient.signedBoc, toldTokens: 0n },
      { ...ofWorker, kind: 'worker', owner, signedBoc: new Uint8Array([1, 2, 3]), toldTokens: 1n << 63n },
    ]
    proxy = makeProxy({ acceptLostDatabase: true, keptWords: [...forged, ...words] })
    await proxy.start()
    expect(proxy.account('worker', owner)).toMatchObject({ max, db: max, chain: ofWorker.signedTokens })
    expect(proxy.account('client', owner)).toMatchObject({ max: ofClient.maxTokens, chain: ofClient.signedTokens })
    expect(proxy.account('worker', stranger)).toBeUndefined()

    const deviations = () => clientEvents.filter((event) => event.type === 'deviation')
    const before = deviations().length
    worker.start()
    client.start()
    await client.whenReady(AbortSignal.timeout(20_000))
    await expect.poll(() => worker.state.value.connections[0]?.phase, { timeout: 20_000 }).toBe('ready')
    expect((await answer('hi')).end.tokens?.total).toBe(52n)
    await expect.poll(() => proxy.account('client', owner)?.max).toBe(ofClient.maxTokens + 52n)
    expect(deviations()).toHaveLength(before)

    // The worker is paid for all of it, once.
    const signed = await signedBeyond(max)
    expect(signed).toBe(max + 52n)
    const payout = await worker.settle()
    expect(payout).toMatchObject({ state: 'settled', ownerReceived: (signed - paid) * 150_000n })
    // And the client owes all of it, once: another start with the same words changes nothing.
    await Promise.all([client.stop(), worker.stop()])
    await proxy.stop()
    proxy = makeProxy({ acceptLostDatabase: true, keptWords: words })
    await proxy.start()
    expect(proxy.account('client', owner)).toMatchObject({ max: ofClient.maxTokens + 52n, chain: ofClient.maxTokens + 52n })
    expect(proxy.account('worker', owner)).toMatchObject({ max: signed, chain: signed, settled: signed })
    worker.start()
    client.start()
    await client.whenReady(AbortSignal.timeout(20_000))
  })

  it('is charged by the stored signature, topped up, and given back', async () => {
    const account = contract()
    await expect.poll(() => client.accounts.list(network.root)[0]?.signedTokens, { timeout: 60_000 }).toBeGreaterThan(52n)
    await client.accounts.charge(account)
    await client.accounts.topUp(account, toNano('1'))
    const state = await client.accounts.read(account)
    expect(state?.tokensUsed).toBeGreaterThan(52n)
    expect(state?.balance).toBe(toNano('6') - (state?.tokensUsed ?? 0n) * 200_000n)
    await client.accounts.withdraw(account)
    expect((await client.accounts.read(account))?.balance).toBe(toNano('5'))
    await client.accounts.requestRefund(account)
    // The proxy sees the wish and grants the refund: closed, with everything paid back.
    await expect.poll(async () => (await client.accounts.read(account))?.state, { timeout: 60_000 }).toBe('closed')
    await expect(client.accounts.requestRefund(account)).rejects.toMatchObject({ code: 'account-closed' })
  })
})
