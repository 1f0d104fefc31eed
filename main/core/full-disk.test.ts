import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger as logger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { openLedger } from '../earnings/ledger.ts'
import { earningsMigrations } from '../earnings/ledger-tables.ts'
import { steadyRecorder } from '../earnings/steady-recorder.ts'
import { PacketConnection } from '../protocol/wire/connection.ts'
import { usualTerms } from '../proxy/settlement.ts'
import { goldenRoot, pseudoProxy, temporaryFolder } from '../proxy/testing/fixtures.ts'
import { readyClient, requestBytes, runQuery, workerOwner } from '../proxy/testing/scripted.ts'
import { openDatabase } from '../storage/database.ts'
import { fillableDisk } from '../storage/testing/full-disk.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import { ScriptedBackend } from '../worker/testing/scripted-backend.ts'
import { Worker } from '../worker/worker.ts'

/** Proxy and worker over real sockets, and the record of earnings, all on one disk that can be full. */
async function scene() {
  const folder = temporaryFolder()
  const disks: ReturnType<typeof fillableDisk>[] = []
  const open = (path: string, migrations: readonly string[]) => {
    const disk = fillableDisk(openDatabase(path, migrations, { logger }))
    disks.push(disk)
    return disk.database
  }
  const terms = { ...usualTerms, chainCommitDelayMs: () => 100, tickMs: 50 }
  const proxy = pseudoProxy(folder.path, { terms }, { openDatabase: open })
  await proxy.start()
  const books = open(join(folder.path, 'worker.db'), workerMigrations)
  const record = open(join(folder.path, 'earnings.db'), earningsMigrations)
  const ledger = openLedger(record)
  const recorder = steadyRecorder(ledger, logger, 50)
  const backend = new ScriptedBackend()
  const worker = new Worker({
    root: new Signal<RootConfig | null>(goldenRoot()),
    owner: Address.parse(workerOwner),
    money: undefined,
    backend,
    modelName: `${backend.model}@abc:${'0'.repeat(64)}`,
    database: books,
    dial: async () => {
      const socket = connectTcp(proxy.status.value.workerPort ?? 0, '127.0.0.1').setNoDelay(true)
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      return new PacketConnection(socket, { role: 'connecting' })
    },
    logger,
    reconnectMs: 50,
    paymentStatusMs: [100, 150],
  })
  worker.events.on((event) => recorder.record(event))
  worker.start()
  await expect.poll(() => proxy.status.value.models[0]?.enabledWorkers).toBe(1)
  const client = await readyClient(proxy)
  onTestFinished(async () => {
    client.end()
    await worker.stop()
    await proxy.stop()
    recorder.close()
    books.close()
    record.close()
    folder.remove()
  })
  const query = requestBytes({ model: backend.model, messages: [{ role: 'user', content: 'hi' }], stream: true })
  return {
    proxy,
    worker,
    ledger,
    ask: () => client.send(runQuery({ model_name: backend.model, query })),
    answered: async (): Promise<void> => {
      while ((await client.expect('client.queryAnswerPartEx')).final_info === undefined);
    },
    fill: (full: boolean): void => {
      for (const disk of disks) disk.full = full
    },
  }
}

describe('an answer served while the disk was full', () => {
  it.each([
    ['and the connection stayed', false],
    ['and the worker had to connect anew meanwhile', true],
  ])('%s, is earned as soon as there is room, without another request', async (_name, anew) => {
    const { proxy, worker, ledger, ask, answered, fill } = await scene()
    fill(true)
    ask()
    await answered()
    await expect.poll(() => proxy.status.value.trouble).toMatch(/disk is full/)
    if (anew) {
      await worker.stop()
      worker.start()
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(worker.state.value.connections[0]).toMatchObject({ phase: 'ready' })
    expect([ledger.requests(5), ledger.totals().counted]).toEqual([[], 0n])

    fill(false)
    // 21 tokens at 1 nanoton: counted, then signed when the proxy's commit is final.
    await expect
      .poll(() => ledger.requests(5).map(({ result, earned, money }) => ({ result, earned, money })))
      .toEqual([{ result: 'answered', earned: 21n, money: 'pending' }])
    expect(ledger.totals()).toMatchObject({ counted: 0n, pending: 21n, answered: 1 })
    expect(worker.contracts()[0]).toMatchObject({ signedTokens: 21n, dbTokens: 21n, maxTokens: 21n })
    await expect.poll(() => proxy.status.value.trouble).toBeNull()
  })
})
