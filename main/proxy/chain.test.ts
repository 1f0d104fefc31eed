import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Address, beginCell, type Cell, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  clientChangeSecretAndTopUp,
  clientInit,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  parseClientState,
} from '../../contracts/client.ts'
import { randomQueryId } from '../../contracts/common.ts'
import { PROXY_OPS, parseProxyState, stateCommitMemo } from '../../contracts/proxy.ts'
import { rootRequest } from '../../contracts/root.ts'
import { keySigner, parseSigned, refuseSigned, signMessage } from '../../contracts/signed.ts'
import { parseWorkerState, workerInit } from '../../contracts/worker.ts'
import { createLogger, silentLogger } from '../base/logger.ts'
import { buildLocalNetwork, type LocalNetwork, localAddresses, localEndpoints, localGenesis } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, eventually, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { openDatabase } from '../storage/database.ts'
import { fillableDisk } from '../storage/testing/full-disk.ts'
import { type RootWatcher, watchRoot } from '../ton/root-config.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { plainPort } from './ports.ts'
import { CocoonProxy } from './proxy.ts'
import type { ProxyDeps } from './proxy-config.ts'
import { testConfig } from './testing/fixtures.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { firstAnswer, lastPart, readyWorker, runQuery } from './testing/scripted.ts'

const keys = {
  networkOwner: testKey(11),
  user: testKey(12),
  proxy: testKey(13),
  proxyWallet: testKey(14),
  workerWallet: testKey(15),
}
const workerOwner = bystander(77)
const secret = Buffer.from('a secret of this client contract')
const secretHash = new Uint8Array(createHash('sha256').update(secret).digest())

const testTerms = {
  chargeNano: toNano('1'),
  payoutNano: toNano('0.5'),
  chainCommitDelayMs: () => 200,
  tickMs: 100,
  resendMs: 15_000,
}

describe('proxy on the local chain', () => {
  const folder = newFolder()
  const log: string[] = []
  let local: LocalChain
  let network: LocalNetwork
  let root: RootWatcher
  let user: W5Wallet
  let owner: W5Wallet
  let node: CocoonWallet
  let proxy: CocoonProxy

  const makeProxy = (change = {}, deps: Partial<ProxyDeps> = {}): CocoonProxy =>
    new CocoonProxy(
      {
        ...testConfig(folder.path),
        owner: network.networkOwner,
        stakeNano: toNano('1'),
        terms: testTerms,
        ...change,
      },
      {
        root: root.config,
        side: { kind: 'chain', chain: local.chain, sender: node },
        key: { publicKey: keys.proxy.publicKey, signer: keySigner(keys.proxy.secretKey) },
        openWorkerPort: plainPort(),
        openClientPort: plainPort(),
        logger: createLogger((line) => log.push(line), 'debug', 'proxy'),
        ...deps,
      },
    )
  const identity = (of: Address) => ({
    owner: of,
    proxy: network.proxyContract,
    publicKey: keys.proxy.publicKey,
    params: network.config.params,
  })
  const toClient = (of: Address, value: string, body: Cell): OutMessage => {
    const { address, init } = clientInit(identity(of))
    return { to: address, value: toNano(value), body, init, bounce: true }
  }
  const envelope = (excesses: Address) => ({ queryId: randomQueryId(), excesses })
  const connect = async (of: Address) => {
    const peer = await RawPeer.open(proxy.status.value.clientPort ?? 0)
    await peer.connect()
    const answer = await peer.query({
      '@type': 'client.connectToProxy',
      params: {
        '@type': 'client.params',
        flags: 3,
        client_owner_address: of.toString(),
        is_test: true,
        min_proto_version: 1,
        max_proto_version: 2,
      },
      min_config_version: root.config.value?.version ?? 0,
    })
    return { peer, answer }
  }
  const serve = async (client: RawPeer, worker: RawPeer, tokens: number) => {
    client.send(runQuery({ max_coefficient: 1000, min_config_version: 0 }))
    const { request_id } = await worker.expect('proxy.runQueryEx')
    worker.send(firstAnswer(request_id))
    worker.send(lastPart(request_id, tokens))
    return client.expect('proxy.clientRequestPayment')
  }

  beforeAll(async () => {
    local = await startChain(folder.path, { genesis: localGenesis(keys) })
    owner = new W5Wallet(local.chain, keys.networkOwner)
    user = new W5Wallet(local.chain, keys.user)
    const endpoints = localEndpoints({ workerPort: 11101, clientPort: 11102 })
    network = await buildLocalNetwork({ chain: local.chain, keys, owner, endpoints })
    expect(network.proxyWallet.equals(localAddresses(keys).proxyWallet)).toBe(true)
    node = new CocoonWallet(local.chain, keys.proxyWallet, network.networkOwner)
    root = watchRoot(local.chain, network.root, { intervalMs: 300 })
    root.start()
    proxy = makeProxy()
    await proxy.start()
  })
  afterAll(async () => {
    await proxy.stop()
    await root.stop()
    user.close()
    owner.close()
    node.close()
    await local.close()
    folder.remove()
  })

  it('authorizes a new client by its register message, and lets it spend what it topped up', async () => {
    expect(proxy.status.value.contract?.equals(network.proxyContract)).toBe(true)
    const { peer, answer } = await connect(network.user)
    if (answer['@type'] !== 'client.connectedToProxy') throw new Error(answer['@type'])
    const { auth } = answer
    if (auth['@type'] !== 'client.proxyConnectionAuthLong') throw new Error('not long')
    const waiting = peer.query({ '@type': 'client.authorizeWithProxyLong' })
    const register = clientRegister(envelope(network.user), BigInt.asUintN(64, auth.nonce))
    await user.send([toClient(network.user, '1', register)])
    expect((await waiting)['@type']).toBe('client.authorizationWithProxySuccess')

    const worker = await readyWorker(proxy, { owner: workerOwner.toString() })
    peer.send(runQuery({ min_config_version: 0 }))
    const poor = await peer.expect('client.queryAnswerErrorEx')
    expect(poor).toMatchObject({ error_code: 602, error: expect.stringContaining('balance is too low') })
    await user.send([toClient(network.user, '5.5', clientChangeSecretAndTopUp(envelope(network.user), secretHash, toNano('5')))])
    await eventually(() => (proxy.account('client', network.user)?.client?.balance === toNano('5') ? true : undefined))

    const payment = await serve(peer, worker, 6000)
    expect(payment).toMatchObject({ request_tokens: 6000n, db_tokens: 6000n, max_tokens: 6000n })
    const counted = Date.now()
    const signed = await worker.expect('proxy.signedPayment')
    // Not only with what goes to the chain, which may wait a minute.
    expect(Date.now() - counted).toBeLessThan(15_000)
    const workerContract = workerInit(identity(workerOwner)).address
    const message = parseSigned(signed.data)
    expect(message.payload.tokens).toBe(6000n)
    const { publicKey } = keys.proxy
    expect(refuseSigned(message, { kinds: ['worker-payout'], contract: workerContract, publicKey })).toBeNull()
    peer.end()
    worker.end()
  })

  it('charges the client and pays the worker its exact share, once', async () => {
    const paid = toNano('0.9')
    await eventually(async () => ((await local.chain.account(workerOwner)).balance === paid ? true : undefined))
    const clientData = () => local.chain.account(clientInit(identity(network.user)).address)
    await eventually(async () => {
      const { data } = await clientData()
      return data !== null && parseClientState(data).tokensUsed === 6000n ? true : undefined
    })
    const state = parseClientState((await clientData()).data ?? beginCell().endCell())
    expect(state.balance).toBe(toNano('5') - 6000n * 200_000n)
    await eventually(() => (proxy.account('worker', workerOwner)?.worker?.tokens === 6000n ? true : undefined))
    const sent = log.filter((line) => /client-charge|worker-payout/.test(line)).length
    expect(sent).toBe(2)
  })

  const inContract = async (): Promise<bigint> => {
    const { data } = await local.chain.account(network.proxyContract)
    return data === null ? 0n : parseProxyState(data).balance
  }
  const ofNetworkOwner = async (): Promise<bigint> => (await local.chain.account(network.networkOwner)).balance

  it('pays its commission to its owner by itself, from the amount on that was set', async () => {
    const commission = 6000n * 50_000n
    await eventually(async () => ((await inContract()) === commission ? true : undefined))
    const before = await ofNetworkOwner()
    const restart = async (withdrawNano: bigint): Promise<void> => {
      await proxy.stop()
      proxy = makeProxy({ terms: { ...testTerms, withdrawNano } })
      await proxy.start()
    }
    await restart(commission + 1n)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(await inContract()).toBe(commission)
    await restart(commission)
    await eventually(async () => ((await inContract()) === 0n ? true : undefined))
    await eventually(async () => ((await ofNetworkOwner()) > before + commission - toNano('0.01') ? true : undefined))
    expect(await ofNetworkOwner()).toBeLessThanOrEqual(before + commission)
  })

  it('comes back from a restart with the same counts, and settles nothing twice', async () => {
    await proxy.stop()
    proxy = makeProxy()
    await proxy.start()
    expect(proxy.account('worker', workerOwner)).toMatchObject({ max: 6000n, db: 6000n, chain: 6000n, settled: 6000n })
    expect(proxy.account('client', network.user)).toMatchObject({ max: 6000n, chain: 6000n, settled: 6000n })
    const before = log.length
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(log.slice(before).filter((line) => /client-charge|worker-payout/.test(line))).toEqual([])
  })

  it('authorizes a known client by its secret, and settles on demand', async () => {
    const wrong = await connect(network.user)
    if (wrong.answer['@type'] !== 'client.connectedToProxy') throw new Error(wrong.answer['@type'])
    expect(wrong.answer.auth['@type']).toBe('client.proxyConnectionAuthShort')
    const refused = await wrong.peer.query({ '@type': 'client.authorizeWithProxyShort', data: Buffer.from('guess') })
    expect(refused).toMatchObject({ '@type': 'tcp.queryError', message: 'sha256 mismatch' })

    const { peer } = await connect(network.user)
    const answer = await peer.query({ '@type': 'client.authorizeWithProxyShort', data: secret })
    expect(answer).toMatchObject({ '@type': 'client.authorizationWithProxySuccess', max_tokens: 6000n })
    const worker = await readyWorker(proxy, { owner: workerOwner.toString() })
    await serve(peer, worker, 1000)
    expect(proxy.settleNow('worker', workerOwner)).toBe(true)
    expect(proxy.settleNow('client', network.user)).toBe(true)
    expect(proxy.settleNow('worker', network.user)).toBe(false)
    // Less the storage fee that the chain has taken from the first payout in the meantime.
    const nearly = toNano('1.05') - 1000n
    await eventually(async () => ((await local.chain.account(workerOwner)).balance >= nearly ? true : undefined))
    await eventually(() => (proxy.account('client', network.user)?.client?.used === 7000n ? true : undefined))
    const { data } = await local.chain.account(workerInit(identity(workerOwner)).address)
    expect(data === null ? 0n : parseWorkerState(data).tokens).toBe(7000n)
    peer.end()
    worker.end()
  })

  it('pays its commission to its owner when it is asked to', async () => {
    expect(await inContract()).toBe(1000n * 50_000n)
    const before = await ofNetworkOwner()
    expect(proxy.withdrawNow()).toBe(true)
    await eventually(async () => ((await inContract()) === 0n ? true : undefined))
    await eventually(async () => ((await ofNetworkOwner()) > before + toNano('0.04') ? true : undefined))
    // All but the fees of the way; the gas was the wallet's.
    expect(await ofNetworkOwner()).toBeLessThanOrEqual(before + 1000n * 50_000n)
  })

  it('signs what it saw on chain while its disk was full, as soon as there is room', async () => {
    await proxy.stop()
    let disk: ReturnType<typeof fillableDisk> | undefined
    // Full from the moment at which the memo leaves: the follower finds the memo and cannot write it down.
    const sender: Sender = {
      address: node.address,
      send: (messages) => {
        if (disk) disk.full = true
        return node.send(messages)
      },
    }
    proxy = makeProxy(
      {},
      {
        side: { kind: 'chain', chain: local.chain, sender },
        openDatabase: (path, migrations) => {
          disk = fillableDisk(openDatabase(path, migrations, { logger: silentLogger }))
          return disk.database
        },
      },
    )
    await proxy.start()
    const { peer } = await connect(network.user)
    await peer.query({ '@type': 'client.authorizeWithProxyShort', data: secret })
    const worker = await readyWorker(proxy, { owner: workerOwner.toString() })
    const before = log.length
    await serve(peer, worker, 10)
    await eventually(() =>
      log.slice(before).some((line) => /following the chain failed.*disk is full/.test(line)) ? true : undefined,
    )
    expect(proxy.account('worker', workerOwner)).toMatchObject({ max: 7010n, chain: 7000n })
    // The peers are told what is on disk; they need not leave.
    expect(await worker.query({ '@type': 'worker.updatePaymentStatus' })).toMatchObject({ db_tokens: 7010n, max_tokens: 7010n })
    if (disk) disk.full = false
    const signed = await worker.expect('proxy.signedPayment')
    expect(parseSigned(signed.data).payload.tokens).toBe(7010n)
    expect(proxy.account('client', network.user)).toMatchObject({ max: 7010n, chain: 7010n })
    peer.end()
    worker.end()
    await proxy.stop()
    proxy = makeProxy()
    await proxy.start()
    expect(proxy.account('worker', workerOwner)).toMatchObject({ max: 7010n, chain: 7010n })
  })

  it('ignores odd and forged messages to its contract', async () => {
    const odd = (body: Cell): OutMessage => ({ to: network.proxyContract, value: toNano('0.2'), body, bounce: true })
    const memo = stateCommitMemo({ queryId: 1n, seqno: 1_000_000, sessionHash: new Uint8Array(32) })
    const forged = beginCell()
      .storeUint(PROXY_OPS.clientRequest, 32)
      .storeUint(1, 64)
      .storeAddress(network.user)
      .storeRef(
        beginCell()
          .storeUint(0, 2)
          .storeCoins(toNano('1000'))
          .storeCoins(toNano('1000'))
          .storeUint(0, 64)
          .storeUint(0, 256)
          .endCell(),
      )
      .storeBit(false)
      .endCell()
    await user.send([odd(memo), odd(forged), odd(beginCell().storeUint(0xdeadbeef, 32).endCell())])
    await eventually(() => (log.some((line) => line.includes('client request of a stranger')) ? true : undefined))
    await eventually(() => (log.some((line) => line.includes('memo of a stranger')) ? true : undefined))
    expect(proxy.account('client', network.user)?.client?.balance).toBe(toNano('5') - 7000n * 200_000n)
    expect(proxy.status.value.trouble).toBeNull()
  })

  it('hears of a payout that its contract refused, and counts it as unpaid again', async () => {
    const refusedOwner = bystander(78)
    const { address, init } = workerInit(identity(refusedOwner))
    // Nobody can send a surplus there, so the proxy contract undoes the payout.
    const nowhere = new Address(5, Buffer.alloc(32, 1))
    const payload = { kind: 'worker-payout', queryId: randomQueryId(), tokens: 50n, contract: address } as const
    const body = signMessage(payload, nowhere, keySigner(keys.proxy.secretKey))
    const before = log.length
    await user.send([{ to: address, value: toNano('0.5'), body, init, bounce: true }])
    await eventually(() =>
      log.slice(before).some((line) => line.includes('settled more than the database knew')) ? true : undefined,
    )
    await eventually(() => (proxy.account('worker', refusedOwner)?.worker?.tokens === 0n ? true : undefined))
    expect(proxy.account('worker', refusedOwner)).toMatchObject({ max: 50n, worker: { state: 'normal', tokens: 0n } })
  })

  it('grants the refund of a client that closes, and serves it no more', async () => {
    await user.send([toClient(network.user, '0.7', clientRequestRefund(envelope(network.user)))])
    await eventually(() => (proxy.account('client', network.user)?.client?.state === 'closed' ? true : undefined))
    const { data } = await local.chain.account(clientInit(identity(network.user)).address)
    expect(data === null ? undefined : parseClientState(data)).toMatchObject({ state: 'closed', balance: 0n, tokensUsed: 7010n })
    expect((await connect(network.user)).answer).toMatchObject({ '@type': 'tcp.queryError', code: 602 })
  })

  it('moves to a new contract when the terms change, and gives the clients of the old one their money back', async () => {
    const other = network.networkOwner
    await owner.send([toClient(other, '3.7', clientTopUp(envelope(other), toNano('3')))])
    await eventually(() => (proxy.account('client', other)?.client?.balance === toNano('3') ? true : undefined))
    const { peer } = await connect(other)
    const params = { pricePerToken: 300_000n, workerFeePerToken: 200_000n }
    const change = rootRequest(randomQueryId(), { op: 'changePrice', ...params })
    await owner.send([{ to: network.root, value: toNano('0.2'), body: change, bounce: true }])
    await eventually(() => {
      const { contract, phase } = proxy.status.value
      return phase === 'serving' && contract !== null && !contract.equals(network.proxyContract) ? contract : undefined
    })
    await eventually(() => (peer.closed ? true : undefined))
    expect(proxy.status.value.oldContracts).toBe(1)
    await eventually(async () => {
      const { data } = await local.chain.account(clientInit(identity(other)).address)
      return data !== null && parseClientState(data).state === 'closed' ? true : undefined
    })
    const fresh = proxy.status.value.contract
    if (fresh === null) throw new Error('no contract')
    const { data } = await local.chain.account(fresh)
    expect(data === null ? undefined : parseProxyState(data)).toMatchObject({ stake: toNano('1') })
    expect(proxy.stats({ walletNano: 1n, commissionNano: 2n, version: 'x' })).toMatchObject({
      smartcontract: { address: fresh.toString(), params_version: 2 },
      old_instances: [{ params_version: 1 }],
    })
  })

  it('ends its start when it is asked to, also while it waits for the chain', async () => {
    const stopping = new AbortController()
    const other = testKey(19)
    // The chain never shows what this wallet was told to send.
    const sender: Sender = { address: node.address, send: async () => undefined }
    const waiting = makeProxy(
      { databasePath: join(folder.path, 'waiting.db') },
      {
        side: { kind: 'chain', chain: local.chain, sender },
        key: { publicKey: other.publicKey, signer: keySigner(other.secretKey) },
      },
    )
    const started = waiting.start(stopping.signal).then(
      () => 'started',
      () => 'ended',
    )
    const early = await Promise.race([started, new Promise((resolve) => setTimeout(() => resolve('waits'), 1_000))])
    expect(early).toBe('waits')
    stopping.abort()
    const late = await Promise.race([started, new Promise((resolve) => setTimeout(() => resolve('waits'), 3_000))])
    expect(late).toBe('ended')
  })

  it('refuses to start with a database that is older than the chain', async () => {
    await proxy.stop()
    const worker = workerOwner
    proxy = makeProxy()
    await proxy.start()
    // A wallet memo that this database never prepared.
    const contract = proxy.status.value.contract
    if (contract === null) throw new Error('no contract')
    await proxy.stop()
    const body = stateCommitMemo({ queryId: 2n, seqno: 999, sessionHash: new Uint8Array(32) })
    await node.send([{ to: contract, value: 1n, body, mode: 1, bounce: false }])
    await eventually(async () => {
      const [newest] = await local.chain.transactions(contract, 1)
      return newest?.inMessage?.info.src?.toString() === node.address.toString() ? true : undefined
    })
    proxy = makeProxy()
    await expect(proxy.start()).rejects.toMatchObject({ code: 'proxy-database-behind' })
    expect(proxy.status.value.phase).toBe('stopped')
    proxy = makeProxy({ acceptLostDatabase: true })
    await proxy.start()
    expect(proxy.account('worker', worker)).toBeUndefined()
  })
})
