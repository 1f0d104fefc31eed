import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseProxyMessage } from '../../contracts/proxy.ts'
import { keySigner, parseSigned, publicKeyOfSeed } from '../../contracts/signed.ts'
import { silentLogger } from '../base/logger.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import type { Account } from './account.ts'
import { type ProxyIdentity, peerContract, proxyContract } from './addresses.ts'
import { Ledger } from './ledger.ts'
import { LedgerStore, makeCurrent, proxyMigrations } from './ledger-store.ts'
import { PaymentDesk } from './payment-desk.ts'
import { isDone } from './retirement.ts'
import { Settlement } from './settlement.ts'
import { goldenOwner, goldenRoot, goldenSeed, goldenWallet, temporaryFolder } from './testing/fixtures.ts'

const root = goldenRoot()
const identity: ProxyIdentity = {
  owner: goldenOwner,
  root: root.address,
  publicKey: publicKeyOfSeed(goldenSeed),
  params: root.params,
}
const contract = proxyContract(identity).address
const [clientOwner, workerOwner] = [1, 2].map((n) => Address.parseRaw(`0:${n.toString(16).padStart(64, '0')}`)) as [
  Address,
  Address,
]
const session = new Uint8Array(32).fill(3)

describe('settlement', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let db: Database
  let ledger: Ledger
  let desk: PaymentDesk
  let settlement: Settlement
  let client: Account
  let worker: Account
  let nowMs = 0
  /** How many of the next sends fail. */
  let failing = 0
  const sent: OutMessage[] = []
  const sender: Sender = {
    address: goldenWallet,
    send: async (messages) => {
      if (failing > 0) {
        failing -= 1
        throw new Error('the endpoint does not answer')
      }
      sent.push(...messages)
    },
  }

  beforeEach(() => {
    folder = temporaryFolder()
    db = openDatabase(join(folder.path, 'proxy.db'), proxyMigrations, { logger: silentLogger })
    makeCurrent(db, { contract, paramsVersion: 1, params: new Uint8Array([1]), createdMs: 1 })
    ledger = new Ledger(new LedgerStore(db, contract), session)
    const signer = keySigner(goldenSeed)
    desk = new PaymentDesk({
      ledger,
      signer,
      wallet: goldenWallet,
      commitDelayMs: 5,
      logger: silentLogger,
      onTrouble: () => undefined,
    })
    settlement = new Settlement({
      identity,
      contract,
      ledger,
      desk,
      sender,
      signer,
      terms: { chargeNano: 1_000_000n, payoutNano: 1_000_000n, chainCommitDelayMs: () => 60_000, tickMs: 50, resendMs: 30_000 },
      logger: silentLogger,
      now: () => nowMs,
      winding: () => false,
    })
    client = ledger.open('client', clientOwner, peerContract(identity, contract, 'client', clientOwner).address)
    client.client = { state: 'normal', balance: 10_000n, stake: 10_000n, used: 0n, secretHash: new Uint8Array(32) }
    worker = ledger.open('worker', workerOwner, peerContract(identity, contract, 'worker', workerOwner).address)
    nowMs = 1_000_000
    failing = 0
    sent.length = 0
  })
  afterEach(() => {
    desk.stop()
    db.close()
    folder.remove()
  })

  const tick = (afterMs = 100): Promise<void> => {
    nowMs += afterMs
    return settlement.tick()
  }
  /** What was sent since the last look: a memo's seqno, or a payment's receiver and total. */
  const told = (): unknown[] =>
    sent.splice(0).map(({ to, body }) => {
      const memo = to.equals(contract) ? parseProxyMessage(body) : null
      if (memo?.kind === 'state-commit') return { memo: memo.seqno }
      const { payload } = parseSigned(new Uint8Array(body.toBoc()))
      return { to: to.equals(worker.contract) ? 'worker' : 'client', tokens: payload.tokens }
    })
  const seen = (seqno: number): void => {
    expect(ledger.chainCommitSeen(seqno, session).kind).toBe('final')
    settlement.memoSeen()
  }

  it('settles what was asked for in one message, with the next chain commit, though sends fail in between', async () => {
    ledger.book(client, worker, 100n)
    await tick()
    expect(told()).toEqual([])
    settlement.want(worker)
    failing = 1
    await tick()
    expect(told()).toEqual([])
    await tick(6_000)
    expect(told()).toEqual([{ memo: 1 }])
    seen(1)
    // More is counted meanwhile: not asked for, and not waited for.
    ledger.book(client, worker, 7n)
    failing = 2
    await tick()
    await tick(6_000)
    expect(told()).toEqual([])
    await tick(11_000)
    expect(told()).toContainEqual({ to: 'worker', tokens: 100n })
    await tick(6_000)
    expect(told()).not.toContainEqual({ to: 'worker', tokens: 100n })
  })

  it('keeps the wish when a message was sent and had no effect, and drops it when it has', async () => {
    ledger.book(client, worker, 100n)
    settlement.want(worker)
    settlement.want(client)
    await tick()
    seen(1)
    told()
    await tick()
    expect(told()).toEqual([
      { to: 'client', tokens: 100n },
      { to: 'worker', tokens: 100n },
    ])
    // Lost on the way: sent again after the usual wait, though it is below the threshold.
    await tick(31_000)
    expect(told()).toHaveLength(2)
    worker.worker = { state: 'normal', tokens: 100n }
    client.client = { state: 'normal', balance: 9_800n, stake: 10_000n, used: 100n, secretHash: new Uint8Array(32) }
    await tick(31_000)
    expect(told()).toEqual([])
    ledger.book(client, worker, 5n)
    await tick(61_000)
    await tick(61_000)
    expect(told()).toEqual([{ memo: 2 }])
    seen(2)
    await tick(61_000)
    expect(told()).toEqual([])
  })

  it('does not put a wish off for a newer one, which follows it', async () => {
    ledger.book(client, worker, 100n)
    settlement.want(worker)
    await tick()
    seen(1)
    told()
    // Asked again and again while more is counted all the time.
    for (let more = 0; more < 3; more++) {
      ledger.book(client, worker, 7n)
      settlement.want(worker)
    }
    await tick()
    expect(told()).toEqual([{ memo: 2 }, { to: 'worker', tokens: 100n }])
    worker.worker = { state: 'normal', tokens: 100n }
    seen(2)
    await tick()
    expect(told()).toEqual([{ to: 'worker', tokens: 121n }])
    worker.worker = { state: 'normal', tokens: 121n }
    await tick(61_000)
    expect(told()).toEqual([])
  })

  it('pays again what a worker contract took back because the proxy contract had not paid it: after a while, below the threshold too', async () => {
    ledger.book(client, worker, 100n)
    settlement.want(worker)
    await tick()
    seen(1)
    told()
    await tick()
    expect(told()).toEqual([{ to: 'worker', tokens: 100n }])
    worker.worker = { state: 'normal', tokens: 100n }
    await tick()
    expect(isDone(worker)).toBe(true)
    // The notice that follows the refusal.
    worker.worker = { state: 'normal', tokens: 0n }
    expect(isDone(worker)).toBe(false)
    await tick()
    expect(told()).toEqual([])
    await tick(31_000)
    expect(told()).toEqual([{ to: 'worker', tokens: 100n }])
    worker.worker = { state: 'normal', tokens: 100n }
    await tick(31_000)
    expect(told()).toEqual([])
    expect(isDone(worker)).toBe(true)
    // Refused again: it waits twice as long, and what is counted meanwhile goes along.
    worker.worker = { state: 'normal', tokens: 0n }
    ledger.book(client, worker, 7n)
    settlement.want(worker)
    await tick()
    expect(told()).toEqual([{ memo: 2 }])
    seen(2)
    await tick()
    expect(told()).toEqual([])
    await tick(29_000)
    expect(told()).toEqual([{ to: 'worker', tokens: 107n }])
  })

  it('pays a contract that takes every payout back less and less often, though it earns on', async () => {
    const sentAtMs: number[] = []
    const endMs = nowMs + 12 * 3_600_000
    for (let seqno = 1; nowMs < endMs; ) {
      ledger.book(client, worker, 1_000n)
      settlement.want(worker)
      await tick(300_000)
      for (const one of told() as { memo?: number; to?: string }[]) {
        if (one.memo !== undefined) seen(seqno++)
        if (one.to !== 'worker') continue
        sentAtMs.push(nowMs)
        // It has the total for a moment, and a larger one is due right then; or nobody looked in that moment.
        if (sentAtMs.length % 2 === 0) {
          worker.worker = { state: 'normal', tokens: worker.chain }
          await tick(1_000)
        }
        worker.worker = { state: 'normal', tokens: 0n }
      }
    }
    expect(sentAtMs.length).toBeGreaterThan(5)
    expect(sentAtMs.length).toBeLessThan(20)
    const last = sentAtMs.slice(-2)
    expect((last[1] ?? 0) - (last[0] ?? 0)).toBeGreaterThanOrEqual(30_000 * 2 ** 8)
  })

  it('pays as promptly as ever after a payout that lasted', async () => {
    const waits: number[] = []
    for (let seqno = 1; seqno <= 3; seqno++) {
      ledger.book(client, worker, 100n)
      settlement.want(worker)
      await tick(40_000)
      seen(seqno)
      await tick()
      await tick(31_000)
      // The first of two messages was lost each time.
      waits.push(told().filter((one) => (one as { to?: string }).to === 'worker').length)
      worker.worker = { state: 'normal', tokens: worker.chain }
      await tick()
    }
    expect(waits).toEqual([2, 2, 2])
  })

  it('grants a refund at once after the charge of the same total', async () => {
    ledger.book(client, worker, 100n)
    settlement.want(client)
    await tick()
    seen(1)
    await tick()
    expect(told()).toContainEqual({ to: 'client', tokens: 100n })
    const charged = { balance: 9_800n, stake: 10_000n, used: 100n, secretHash: new Uint8Array(32) }
    client.client = { state: 'normal', ...charged }
    await tick()
    expect(told()).toEqual([])
    client.client = { state: 'closing', ...charged }
    await tick()
    expect(sent.map(({ body }) => parseSigned(new Uint8Array(body.toBoc())).payload.kind)).toEqual(['client-grant-refund'])
  })

  it('grants what a forced close has left owing, until the contract is empty', async () => {
    const { used, stake, secretHash } = client.client ?? expect.unreachable('no contract')
    client.client = { state: 'closed', balance: 4_000n, used, stake, secretHash }
    expect(isDone(client)).toBe(false)
    client.running = 1
    await tick()
    expect(told()).toEqual([])
    client.running = 0
    await tick()
    const [message] = sent
    expect(message && parseSigned(new Uint8Array(message.body.toBoc())).payload.kind).toBe('client-grant-refund')
    expect(told()).toEqual([{ to: 'client', tokens: 0n }])
    await tick()
    expect(told()).toEqual([])
    // It had no effect.
    await tick(31_000)
    expect(told()).toEqual([{ to: 'client', tokens: 0n }])
    client.client = { ...client.client, balance: 0n }
    await tick(31_000)
    expect(told()).toEqual([])
    expect(isDone(client)).toBe(true)
  })

  it('waits for a full disk without falling behind when there is room', async () => {
    // As large as it is: the rows of so many accounts find no place any more.
    db.exec('PRAGMA max_page_count=1')
    for (let n = 3; n < 100; n++) {
      const owner = Address.parseRaw(`0:${n.toString(16).padStart(64, '0')}`)
      ledger.book(ledger.open('client', owner, owner), worker, 1n)
    }
    settlement.want(worker)
    expect(() => ledger.commit()).toThrow(expect.objectContaining({ code: 'disk-full' }))
    for (let look = 0; look < 20; look++) await tick()
    expect(told()).toEqual([])
    db.exec('PRAGMA max_page_count=100000')
    await tick()
    expect(told()).toEqual([{ memo: 1 }])
  })
})
