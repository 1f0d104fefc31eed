import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keySigner } from '../../contracts/signed.ts'
import { silentLogger } from '../base/logger.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import type { Account } from './account.ts'
import { Ledger } from './ledger.ts'
import { LedgerStore, makeCurrent, proxyMigrations } from './ledger-store.ts'
import { PaymentDesk } from './payment-desk.ts'
import { goldenSeed, goldenWallet, temporaryFolder } from './testing/fixtures.ts'

const instance = Address.parseRaw(`0:${'aa'.repeat(32)}`)
const [clientOwner, workerOwner] = ['01', '02'].map((byte) => Address.parseRaw(`0:${byte.repeat(32)}`)) as [Address, Address]

/** A store on a real database whose disk answers when the test says so. */
class SlowStore extends LedgerStore {
  /** One for each commit that waits for the disk. */
  readonly syncs: PromiseWithResolvers<void>[] = []

  override transactionSoon(work: () => void): Promise<void> {
    const disk = Promise.withResolvers<void>()
    this.syncs.push(disk)
    return Promise.all([super.transactionSoon(work), disk.promise]).then(() => undefined)
  }
}

describe('commits that do not wait for the disk', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let db: Database
  let store: SlowStore
  let ledger: Ledger
  let desk: PaymentDesk
  let client: Account
  let worker: Account
  let said: string[]
  let troubles: (string | undefined)[]

  beforeEach(() => {
    folder = temporaryFolder()
    db = openDatabase(join(folder.path, 'proxy.db'), proxyMigrations, { logger: silentLogger })
    makeCurrent(db, { contract: instance, paramsVersion: 1, params: new Uint8Array([1]), createdMs: 1 })
    store = new SlowStore(db, instance)
    ledger = new Ledger(store, new Uint8Array(32))
    said = []
    troubles = []
    desk = new PaymentDesk({
      ledger,
      signer: keySigner(goldenSeed),
      wallet: goldenWallet,
      commitDelayMs: 5,
      logger: silentLogger,
      onTrouble: (error) => troubles.push(error?.message),
    })
    client = ledger.open('client', clientOwner, clientOwner)
    worker = ledger.open('worker', workerOwner, workerOwner)
  })
  afterEach(() => {
    desk.stop()
    db.close()
    folder.remove()
  })

  const finish = (name: string, tokens = 10n): void => {
    ledger.book(client, worker, tokens)
    desk.afterCommit(() => said.push(`${name} ${worker.db}/${worker.max}`))
  }
  const until = async (done: () => boolean): Promise<void> => {
    await expect.poll(done, { interval: 10 }).toBe(true)
  }
  const synced = (count: number) => until(() => store.syncs.length === count)
  const disk = (at: number): PromiseWithResolvers<void> => store.syncs[at] ?? Promise.withResolvers()

  it('promises nothing before the disk has it, and goes on meanwhile', async () => {
    finish('one')
    await synced(1)
    finish('two')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([said, worker.db, worker.max]).toEqual([[], 0n, 20n])
    disk(0).resolve()
    await until(() => said.length === 1)
    expect([said, worker.db]).toEqual([['one 10/20'], 10n])
    await synced(2)
    disk(1).resolve()
    await until(() => said.length === 2)
    expect([said, client.db]).toEqual([['one 10/20', 'two 20/20'], 20n])
  })

  it('tells everything that waits, once and in order, when somebody cannot wait', async () => {
    finish('one')
    await synced(1)
    finish('two')
    desk.commitNow()
    expect(said).toEqual(['one 20/20', 'two 20/20'])
    disk(0).resolve()
    finish('three', 1n)
    await synced(2)
    expect(said).toHaveLength(2)
    disk(1).resolve()
    await until(() => said.length === 3)
    expect(said[2]).toBe('three 21/21')
  })

  it('writes at once what an earlier commit has not brought to the disk yet, also after one that was overtaken', async () => {
    finish('one')
    await synced(1)
    desk.commitNow()
    finish('two')
    await synced(2)
    // The first disk's word must not be taken for the second's.
    disk(0).resolve()
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([said, worker.db]).toEqual([['one 10/10'], 10n])
    const before = ledger.lastSeqno
    desk.commitNow()
    expect([ledger.lastSeqno, worker.db, said.length]).toEqual([before + 1, 20n, 2])
  })

  it('tries again when the disk refuses, and loses nothing', async () => {
    finish('one')
    await synced(1)
    disk(0).reject(new Error('no disk'))
    await until(() => troubles.length === 1)
    finish('two')
    expect([said, worker.db, troubles]).toEqual([[], 0n, ['no disk']])
    await synced(2)
    disk(1).resolve()
    await until(() => said.length === 2)
    expect([said, troubles]).toEqual([
      ['one 20/20', 'two 20/20'],
      ['no disk', undefined],
    ])
    db.close()
    db = openDatabase(join(folder.path, 'proxy.db'), proxyMigrations, { logger: silentLogger })
    expect(new LedgerStore(db, instance).loadAccounts().map(({ db: tokens }) => tokens)).toEqual([20n, 20n])
  })

  it('says nothing more after its end', async () => {
    finish('one')
    await synced(1)
    desk.stop()
    expect(said).toHaveLength(1)
    disk(0).resolve()
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(said).toHaveLength(1)
  })

  it('counts as behind the chain what is on its way to the disk', async () => {
    ledger.book(client, worker, 5n)
    const written = ledger.commitSoon()
    expect(ledger.chainBehind).toBe(true)
    disk(0).resolve()
    await written
    expect([ledger.prepareChainCommit()?.seqno, worker.db]).toEqual([1, 5n])
  })
})
