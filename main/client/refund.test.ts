import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Address, toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientInit } from '../../contracts/client.ts'
import { randomQueryId } from '../../contracts/common.ts'
import type { Params } from '../../contracts/params.ts'
import { proxyIncreaseStake, proxyInit } from '../../contracts/proxy.ts'
import type { RootState } from '../../contracts/root.ts'
import { keySigner, signedBoc, signMessage } from '../../contracts/signed.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { bystander, eventually, newFolder, startChain, testKey } from '../localnet/testing.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { ScriptedProxy } from '../protocol/testing/scripted-proxy.ts'
import { openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { readHistory } from '../wallet/history.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { Account } from './account.ts'
import { AccountStore, clientMigrations } from './account-store.ts'
import { Client } from './client.ts'

const userKey = testKey(21)
const proxyKey = testKey(22)
const user = w5Address(userKey.publicKey, 'local')
const network = bystander(5)
const params: Params = { ...localParams, clientDelaySec: 2, proxyDelaySec: 4 }

/** The real embedded chain and contracts; a proxy that takes connections and never says a word. */
describe('money comes back without the proxy', () => {
  const folder = newFolder()
  const databases = mkdtempSync(join(tmpdir(), 'cocoon-refund-'))
  let local: LocalChain
  let wallet: W5Wallet
  let silent: ScriptedProxy
  const sent: (readonly OutMessage[])[] = []
  const counted: Sender = {
    address: user,
    send: async (messages) => {
      sent.push(messages)
      await wallet.send(messages)
    },
  }

  beforeAll(async () => {
    local = await startChain(folder.path, { genesis: [{ address: user, balance: toNano('1000') }] })
    wallet = new W5Wallet(local.chain, userKey)
    silent = await ScriptedProxy.listen()
  })
  afterAll(async () => {
    wallet.close()
    await silent.close()
    await local.close()
    folder.remove()
    rmSync(databases, { recursive: true, force: true })
  })

  const rootOf = (terms: Params): RootConfig => {
    const endpoint = { host: '127.0.0.1', port: 9 }
    const state: RootState = {
      ...scriptedNetwork.root,
      params: terms,
      proxies: [{ seqno: 1, forWorkers: endpoint, forClients: endpoint }],
    }
    return { ...state, address: network, readAtMs: Date.now() }
  }

  /** A client with an account of 5 TON at a proxy with that stake; `uniqueId` makes contracts of their own. */
  async function open(uniqueId: number, proxyStake: bigint, clientDelaySec = params.clientDelaySec) {
    const terms: Params = { ...params, uniqueId, clientDelaySec }
    const proxy = proxyInit({ owner: bystander(6), publicKey: proxyKey.publicKey, root: network, params: terms })
    const contract = clientInit({ owner: user, proxy: proxy.address, publicKey: proxyKey.publicKey, params: terms }).address
    const database = openDatabase(join(databases, `${uniqueId}.sqlite`), clientMigrations, { logger: silentLogger })
    const store = new AccountStore(database)
    const root = new Signal<RootConfig | null>(rootOf(terms))
    const client = new Client({
      root,
      owner: user,
      money: { chain: local.chain, wallet: counted },
      masterSecret: new Uint8Array(32).fill(3),
      database,
      dial: silent.dial,
      logger: silentLogger,
      oldAccountsMs: 100,
      owedPauseMs: 50,
    })
    const stake = proxyIncreaseStake({ queryId: randomQueryId(), excesses: user }, proxyStake)
    await wallet.send([{ to: proxy.address, value: proxyStake + toNano('0.2'), body: stake, init: proxy.init, bounce: false }])
    const opened = store.open({
      ...{ contract, network: network.toString(), owner: user, proxyContract: proxy.address },
      ...{ proxyKey: proxyKey.publicKey, params: terms, endpoint: '127.0.0.1:9', nowMs: Date.now() },
    })
    const account = new Account(store, opened, () => undefined)
    await client.accounts.agree(account, toNano('5'))
    await client.accounts.register(account, { nonce: 7n, secretHash: new Uint8Array(32).fill(1) })
    await eventually(async () => ((await client.accounts.read(contract))?.balance === toNano('5') ? true : undefined))
    const close = async (): Promise<void> => {
      await client.stop()
      database.close()
    }
    return { client, store, contract, proxy: proxy.address, root, terms, close }
  }

  const payouts = async (from: Address): Promise<bigint[]> =>
    (await readHistory(local.chain, user, 100))
      .filter(({ counterparty, title }) => counterparty === from.toString() && title !== 'Returned by the contract')
      .map(({ amount }) => amount)
  /** Grows with each message of the wallet. */
  const walletTime = async (): Promise<bigint> => (await local.chain.account(user)).last?.lt ?? 0n
  const pastUnlock = async (client: Client, contract: Address): Promise<void> => {
    const unlockAtSec = (await client.accounts.read(contract))?.unlockAtSec ?? 0
    await new Promise((resolve) => setTimeout(resolve, unlockAtSec * 1000 + 1_100 - Date.now()))
  }

  it('is asked for, and charged, once however many ask at the same time', async () => {
    const { client, store, contract, close } = await open(106, toNano('6'), 3_600)
    const payload = { kind: 'client-charge', queryId: randomQueryId(), contract, tokens: 1000n } as const
    const signed = signedBoc(signMessage(payload, user, keySigner(proxyKey.secretKey)))
    const record = store.find(contract) ?? expect.unreachable('no record')
    store.save({ ...record, signedTokens: 1000n, signedBoc: signed })
    sent.length = 0
    await Promise.all(Array.from({ length: 16 }, () => client.accounts.charge(contract)))
    expect(sent).toHaveLength(1)
    expect((await client.accounts.read(contract))?.tokensUsed).toBe(1000n)
    await expect(client.accounts.charge(contract)).rejects.toMatchObject({ code: 'nothing-to-charge' })

    const asked = await Promise.allSettled([1, 2, 3].map(() => client.accounts.requestRefund(contract)))
    expect(asked).toMatchObject([
      { value: { state: 'closing' } },
      { reason: { code: 'refund-too-early' } },
      { reason: { code: 'refund-too-early' } },
    ])
    expect(sent).toHaveLength(2)
    await close()
  })

  it('not before the waiting time is over: nothing is sent', async () => {
    const { client, contract, close } = await open(107, toNano('6'), 3_600)
    expect(await client.accounts.requestRefund(contract)).toMatchObject({ state: 'closing', balance: toNano('5') })
    await expect(client.accounts.requestRefund(contract)).rejects.toMatchObject({
      code: 'refund-too-early',
      money: 'Nothing was sent.',
    })
    await close()
  })

  it('in full by a forced close, when the stake of the proxy covers it', async () => {
    const { client, contract, proxy, close } = await open(101, toNano('6'))
    client.start()
    expect(await client.accounts.requestRefund(contract)).toMatchObject({ state: 'closing', balance: toNano('5') })
    await pastUnlock(client, contract)
    expect(await client.accounts.requestRefund(contract)).toMatchObject({ state: 'closed', balance: 0n })
    await eventually(async () => ((await payouts(proxy)).includes(toNano('5')) ? true : undefined))
    expect(client.accounts.list(network)).toMatchObject([{ closed: true }])
    await expect(client.accounts.requestRefund(contract)).rejects.toMatchObject({ code: 'account-closed' })
    await close()
  })

  it('as far as the stake reaches, and the rest stays owed until the proxy speaks', async () => {
    const { client, contract, proxy, close } = await open(102, toNano('1'))
    await client.accounts.requestRefund(contract)
    await pastUnlock(client, contract)
    await client.accounts.requestRefund(contract)
    await eventually(async () => ((await payouts(proxy)).includes(toNano('1')) ? true : undefined))
    const owed = await eventually(async () => {
      const state = await client.accounts.read(contract)
      return state !== undefined && state.balance > 0n ? state : undefined
    })
    expect(owed).toMatchObject({ state: 'closed', balance: toNano('4') })
    expect(client.accounts.list(network)).toMatchObject([{ closed: false }])
    await expect(client.accounts.requestRefund(contract)).rejects.toMatchObject({ code: 'refund-owed' })
    await close()
  })

  it('what stays owed is asked for again when the stake covers it, and not before', async () => {
    const { client, contract, proxy, root, terms, close } = await open(105, toNano('1'))
    client.start()
    root.set(rootOf({ ...terms, paramsVersion: terms.paramsVersion + 1 }))
    await eventually(async () => ((await payouts(proxy)).includes(toNano('1')) ? true : undefined))
    await eventually(() => (client.state.value.returning[0]?.phase === 'owed' ? true : undefined))
    expect(client.state.value.returning).toMatchObject([{ amount: toNano('4') }])
    const sent = await walletTime()
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(await walletTime()).toBe(sent)
    for (const [stake, left] of [
      [toNano('1.5'), toNano('2.5')],
      [toNano('3'), 0n],
    ] as const) {
      const more = proxyIncreaseStake({ queryId: randomQueryId(), excesses: user }, stake)
      await wallet.send([{ to: proxy, value: stake + toNano('0.2'), body: more }])
      await eventually(async () => ((await client.accounts.read(contract))?.balance === left ? true : undefined))
    }
    expect(await payouts(proxy)).toEqual(expect.arrayContaining([toNano('1'), toNano('1.5'), toNano('2.5')]))
    await eventually(() =>
      client.accounts.list(network).find((one) => one.contract.equals(contract))?.closed ? true : undefined,
    )
    await eventually(() => (client.state.value.returning.length === 0 ? true : undefined))
    await close()
  })

  it('by itself, once the terms of the network have changed', async () => {
    const { client, contract, proxy, root, terms, close } = await open(103, toNano('6'))
    client.start()
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(client.state.value.returning).toEqual([])
    root.set(rootOf({ ...terms, paramsVersion: terms.paramsVersion + 1 }))
    const phases = new Set<string>()
    const stop = client.state.onChange(({ returning: [one] }) => {
      if (one === undefined) return
      expect(one).toMatchObject({ amount: toNano('5') })
      expect(one.contract.equals(contract)).toBe(true)
      phases.add(one.phase)
    })
    await eventually(async () => ((await payouts(proxy)).includes(toNano('5')) ? true : undefined))
    await eventually(() => (client.state.value.returning.length === 0 ? true : undefined))
    stop()
    expect([...phases]).toEqual(['waiting', 'closing'])
    expect(client.accounts.list(network)).toMatchObject([{ closed: true }])
    await close()
  })

  it('by the word of the proxy, which needs no forced close', async () => {
    const { client, contract, proxy, root, terms, close } = await open(104, toNano('1'))
    client.start()
    root.set(rootOf({ ...terms, paramsVersion: terms.paramsVersion + 1 }))
    await eventually(() => client.state.value.returning[0])
    const grant = { kind: 'client-grant-refund', queryId: randomQueryId(), contract, tokens: 0n } as const
    const body = signMessage(grant, user, keySigner(proxyKey.secretKey))
    await wallet.send([{ to: contract, value: toNano('0.5'), body }])
    await eventually(async () => ((await payouts(proxy)).includes(toNano('5')) ? true : undefined))
    await eventually(() => (client.state.value.returning.length === 0 ? true : undefined))
    await close()
  })
})
