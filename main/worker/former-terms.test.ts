import { join } from 'node:path'
import { type Address, toNano } from '@ton/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ATTACH } from '../../contracts/common.ts'
import type { Params } from '../../contracts/params.ts'
import { keySigner, signedBoc, signMessage } from '../../contracts/signed.ts'
import { workerInit } from '../../contracts/worker.ts'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain, testKey } from '../localnet/testing.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { OutMessage } from '../wallet/sender.ts'
import { W5Wallet, w5Address } from '../wallet/w5-wallet.ts'
import { BalanceStore, workerMigrations } from './balance-store.ts'
import type { WorkerOptions } from './options.ts'
import { paidTokens } from './payout.ts'
import { completeHandshake, payoutOf, workerPeer } from './testing/worker-peer.ts'

const nodeKey = testKey(71)
const proxyKey = testKey(72)
const node = w5Address(nodeKey.publicKey, 'local')
const fee = localParams.workerFeePerToken

/** Contracts of former terms on the embedded chain. The wallet stands for their proxy contract: it takes whatever message comes. */
describe('worker contracts of former terms', () => {
  const folder = newFolder()
  let local: LocalChain
  let wallet: W5Wallet
  let database: Database
  let peer: Awaited<ReturnType<typeof workerPeer>> | undefined
  /** What the worker has sent, by receiver. */
  const sent: Address[] = []
  let files = 0

  beforeAll(async () => {
    local = await startChain(folder.path, { genesis: [{ address: node, balance: toNano('1000') }] })
    wallet = new W5Wallet(local.chain, nodeKey)
  })
  afterEach(async () => {
    await peer?.dispose()
    database.close()
    peer = undefined
    sent.length = 0
  })
  afterAll(async () => {
    wallet.close()
    await local.close()
    folder.remove()
  })

  const former = (uniqueId: number) => {
    const params: Params = { ...localParams, uniqueId }
    const { address, init } = workerInit({ owner: scriptedNetwork.owner, proxy: node, publicKey: proxyKey.publicKey, params })
    const payout = (tokens: bigint) =>
      signMessage({ kind: 'worker-payout', queryId: tokens, contract: address, tokens }, node, keySigner(proxyKey.secretKey))
    return { address, init, payout }
  }

  /** Pays so many tokens out on chain. */
  async function paid(uniqueId: number, tokens: bigint): Promise<void> {
    const { address, init, payout } = former(uniqueId)
    await wallet.send([{ to: address, value: ATTACH.workerPayout, body: payout(tokens), init, bounce: false }])
    await expect.poll(() => paidTokens(local.chain, address)).toBe(tokens)
  }

  function openBook(): void {
    database = openDatabase(join(folder.path, `${++files}.sqlite`), workerMigrations, { logger: silentLogger })
  }

  /** What the book says was signed, before the worker is started. */
  function signed(uniqueId: number, tokens: bigint): Address {
    const { address, init, payout } = former(uniqueId)
    const store = new BalanceStore(database)
    const known = { network: scriptedNetwork.root.address.toString(), proxyContract: node, proxyKey: proxyKey.publicKey }
    const told = { feePerToken: fee, paramsVersion: 1, endpoint: '', nowMs: uniqueId }
    const record = store.open({ ...known, ...told, contract: address, init })
    store.save({ ...record, signedTokens: tokens, signedBoc: signedBoc(payout(tokens)) })
    return address
  }

  async function start(options: Partial<WorkerOptions> = {}) {
    const nodeWallet = {
      address: node,
      send: (messages: readonly OutMessage[]) => {
        sent.push(...messages.map(({ to }) => to))
        return wallet.send(messages)
      },
    }
    peer = await workerPeer({ database, money: { chain: local.chain, nodeWallet }, payoutTimeoutMs: 1_500, ...options })
    peer.worker.start()
    return peer
  }

  it('count as paid after a restart as far as the chain has paid them, and nothing is shown before that is known', async () => {
    await paid(1, 1000n)
    await paid(2, 1500n)
    openBook()
    signed(1, 1000n)
    signed(2, 2000n)
    const { worker, proxy, events } = await start()
    const shown = new Set([worker.state.value.unpaidTokens])
    worker.state.onChange(({ unpaidTokens }) => shown.add(unpaidTokens))
    await completeHandshake(await proxy.accept())
    await expect.poll(() => worker.state.value).toMatchObject({ unpaidTokens: 500n, unpaid: 500n * fee })
    await expect.poll(() => events.filter(({ type }) => type === 'settled').length).toBe(2)
    expect([...shown]).toEqual([0n, 500n])
  })

  it('do not make the worker pay for a payout at each signature of the present one', async () => {
    await paid(3, 1_000_000n)
    openBook()
    signed(3, 1_000_000n)
    let sends = 0
    const ended = Promise.withResolvers<void>()
    const nodeWallet = {
      address: node,
      send: async (messages: readonly OutMessage[]) => {
        // The contract is deployed at first contact; here only payouts count, and the first one takes its time.
        if (messages[0]?.body.bits.length !== 0) {
          sends += 1
          await ended.promise
        }
        throw new Failure('send-refused', 'The wallet refused the message.')
      },
    }
    const money = { chain: local.chain, nodeWallet }
    // The scripted network pays 1 nanoton a token.
    const { worker, proxy } = await start({ money, automaticPayoutAbove: 1_000n })
    try {
      const connection = await proxy.accept()
      await completeHandshake(connection, { signed: 100n, db: 100n, max: 100n })
      await expect.poll(() => worker.state.value.unpaidTokens).toBe(100n)
      await connection.send(payoutOf(900n))
      await expect.poll(() => worker.state.value.unpaidTokens).toBe(900n)
      // A payout would have to read the chain first.
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(sends).toBe(0)
      for (let tokens = 1_000n; tokens < 1_010n; tokens++) await connection.send(payoutOf(tokens))
      await expect.poll(() => worker.state.value.unpaidTokens).toBe(1_009n)
      await expect.poll(() => sends).toBe(1)
    } finally {
      ended.resolve()
    }
  })

  it('are paid out by themselves after a start, when enough is signed', async () => {
    await paid(4, 10n)
    openBook()
    const contract = signed(4, 5_000n)
    signed(5, 10n)
    await start({ automaticPayoutAbove: 1_000n * fee })
    await expect.poll(() => paidTokens(local.chain, contract)).toBe(5_000n)
    expect(sent.map(String)).toEqual([contract.toString()])
  })

  it('are deployed by their own terms when they were never deployed', async () => {
    openBook()
    const contract = signed(6, 700n)
    const { worker } = await start()
    // The wallet that stands for the proxy contract pays no owner.
    await expect(worker.settle(contract)).rejects.toMatchObject({ code: 'payout-unconfirmed' })
    expect(await local.chain.account(contract)).toMatchObject({ status: 'active' })
    expect(await paidTokens(local.chain, contract)).toBe(700n)
  })

  it('cost nothing when nobody knows what deploys them', async () => {
    openBook()
    const contract = signed(7, 700n)
    database.exec('UPDATE worker_contract SET state_init = NULL')
    const { worker } = await start()
    await expect(worker.settle(contract)).rejects.toMatchObject({ code: 'contract-not-deployed', money: 'Nothing was sent.' })
    expect(sent).toEqual([])
  })
})
