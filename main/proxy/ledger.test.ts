import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { type Database, openDatabase } from '../storage/database.ts'
import { fillableDisk } from '../storage/testing/full-disk.ts'
import type { Account } from './account.ts'
import { Ledger } from './ledger.ts'
import { LedgerStore, makeCurrent, type PendingCommit, proxyMigrations } from './ledger-store.ts'
import { temporaryFolder } from './testing/fixtures.ts'

const instance = Address.parseRaw(`0:${'aa'.repeat(32)}`)
const owners = [1, 2, 3].map((n) => Address.parseRaw(`0:${n.toString(16).padStart(64, '0')}`))

function open(path: string): Database {
  const db = openDatabase(path, proxyMigrations, { logger: silentLogger })
  makeCurrent(db, { contract: instance, paramsVersion: 1, params: new Uint8Array([1]), createdMs: 1 })
  return db
}

const freshLedger = (db: Database): Ledger => new Ledger(new LedgerStore(db, instance), new Uint8Array(randomBytes(32)))

type Command =
  | { readonly do: 'book'; readonly client: number; readonly worker: number; readonly tokens: bigint }
  | { readonly do: 'commit' }
  | { readonly do: 'prepare' }
  | { readonly do: 'restart' }
  | { readonly do: 'seen'; readonly which: number; readonly forged: boolean }

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('book' as const),
      client: fc.nat(2),
      worker: fc.nat(2),
      tokens: fc.bigInt({ min: 0n, max: 2n ** 40n }),
    }),
    fc.constantFrom({ do: 'commit' as const }, { do: 'prepare' as const }, { do: 'restart' as const }),
    fc.record({ do: fc.constant('seen' as const), which: fc.nat(5), forged: fc.boolean() }),
  ),
  { maxLength: 30 },
)

describe('ledger', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let db: Database
  let path: string

  beforeEach(() => {
    folder = temporaryFolder()
    path = join(folder.path, 'proxy.db')
  })
  afterEach(() => {
    db.close()
    folder.remove()
  })

  const pair = (ledger: Ledger): [Account, Account] => {
    const [a, b] = owners
    if (a === undefined || b === undefined) throw new Error('no owners')
    return [ledger.open('client', a, a), ledger.open('worker', b, b)]
  }

  it('keeps chain ≤ disk ≤ counted, never falls, and loses nothing that was committed', () => {
    let run = 0
    fc.assert(
      fc.property(commands, (list) => {
        run += 1
        db = open(`${path}.${run}`)
        let ledger = freshLedger(db)
        const prepared: PendingCommit[] = []
        const known = new Map<string, { db: bigint; chain: bigint }>()
        let booked = 0n
        let onDisk = 0n
        const workers = (): bigint => [...ledger.accounts].filter((a) => a.kind === 'worker').reduce((sum, a) => sum + a.max, 0n)
        for (const command of list) {
          if (command.do === 'book') {
            const [c, w] = [owners[command.client], owners[command.worker]]
            if (c === undefined || w === undefined) throw new Error('no owners')
            ledger.book(ledger.open('client', c, c), ledger.open('worker', w, w), command.tokens)
            booked += command.tokens
          } else if (command.do === 'commit') {
            ledger.commit()
            onDisk = booked
          } else if (command.do === 'prepare') {
            const commit = ledger.prepareChainCommit()
            onDisk = booked
            if (commit !== undefined) prepared.push(commit)
          } else if (command.do === 'restart') {
            db.close()
            db = open(`${path}.${run}`)
            ledger = freshLedger(db)
            booked = onDisk
          } else {
            const commit = prepared[command.which]
            if (commit === undefined) continue
            const session = command.forged ? new Uint8Array(32) : commit.session
            const seen = ledger.chainCommitSeen(commit.seqno, session)
            if (command.forged) expect(seen.kind).not.toBe('final')
            if (seen.kind === 'final') onDisk = booked
          }
          expect(workers()).toBe(booked)
          for (const account of ledger.accounts) {
            const before = known.get(account.key) ?? { db: 0n, chain: 0n }
            expect(account.chain).toBeLessThanOrEqual(account.db)
            expect(account.db).toBeLessThanOrEqual(account.max)
            expect(account.db).toBeGreaterThanOrEqual(before.db)
            expect(account.chain).toBeGreaterThanOrEqual(before.chain)
            known.set(account.key, { db: account.db, chain: account.chain })
          }
        }
        // The last memo, seen twice, brings everything to the chain exactly once.
        const last = ledger.prepareChainCommit()
        if (last !== undefined) {
          expect(ledger.chainCommitSeen(last.seqno, last.session).kind).toBe('final')
          expect(ledger.chainCommitSeen(last.seqno, last.session).kind).toBe('old')
        }
        for (const account of ledger.accounts) expect(account.chain).toBe(account.max)
        db.close()
      }),
      { numRuns: 40 },
    )
    db = open(path)
  })

  it('matches a memo that was sent before a crash', () => {
    db = open(path)
    const before = freshLedger(db)
    const [client, worker] = pair(before)
    before.book(client, worker, 10n)
    const commit = before.prepareChainCommit()
    if (commit === undefined) throw new Error('nothing to commit')
    before.book(client, worker, 5n)
    before.commit()
    db.close()
    db = open(path)
    const after = freshLedger(db)
    expect(pair(after)[1]).toMatchObject({ max: 15n, db: 15n, chain: 0n })
    expect(after.chainCommitSeen(commit.seqno, commit.session).kind).toBe('final')
    expect(pair(after)[1]).toMatchObject({ max: 15n, db: 15n, chain: 10n })
  })

  it('counts a memo in full that it saw first on a full disk', () => {
    const disk = fillableDisk(open(path))
    db = disk.database
    const ledger = freshLedger(db)
    const [client, worker] = pair(ledger)
    ledger.book(client, worker, 10n)
    const commit = ledger.prepareChainCommit()
    if (commit === undefined) throw new Error('nothing to commit')
    disk.full = true
    expect(() => ledger.chainCommitSeen(commit.seqno, commit.session)).toThrow(expect.objectContaining({ code: 'disk-full' }))
    expect([client.chain, worker.chain]).toEqual([0n, 0n])
    disk.full = false
    expect(ledger.chainCommitSeen(commit.seqno, commit.session)).toEqual({ kind: 'final', accounts: [client, worker] })
    const [clientOnDisk, workerOnDisk] = pair(freshLedger(db))
    expect([client.chain, clientOnDisk.chain, workerOnDisk.chain]).toEqual([10n, 10n, 10n])
  })

  it('notices that the database is older than the chain', () => {
    db = open(path)
    const ledger = freshLedger(db)
    expect(ledger.chainCommitSeen(3, new Uint8Array(32)).kind).toBe('unknown')
    const [client, worker] = pair(ledger)
    for (let i = 0; i < 4; i++) {
      ledger.book(client, worker, 1n)
      ledger.commit()
    }
    expect(ledger.chainCommitSeen(3, new Uint8Array(32)).kind).toBe('old')
  })

  it('refuses to fall', () => {
    db = open(path)
    const [client, worker] = pair(freshLedger(db))
    expect(() => freshLedger(db).book(client, worker, -1n)).toThrow('never falls')
    expect(() => client.count(-1n)).toThrow('never falls')
    expect(() => client.committedToDb(1n)).toThrow('more on disk')
    expect(() => client.committedToChain(1n)).toThrow('more on chain')
    expect([client.raiseTo(5n), client.raiseTo(4n), client.max]).toEqual([true, false, 5n])
  })
})
