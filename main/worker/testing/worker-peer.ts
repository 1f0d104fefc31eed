import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { proxyInit } from '../../../contracts/proxy.ts'
import { workerInit } from '../../../contracts/worker.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import type { WirePayment } from '../../protocol/payments/signed-payment.ts'
import { scriptedNetwork, signedPayment } from '../../protocol/testing/scripted-network.ts'
import { type ScriptedConnection, ScriptedProxy } from '../../protocol/testing/scripted-proxy.ts'
import { cancelExtensionFlag } from '../../protocol/tl/schema.ts'
import type { TlObject } from '../../protocol/tl/types.ts'
import { openDatabase } from '../../storage/database.ts'
import { fillableDisk } from '../../storage/testing/full-disk.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { workerMigrations } from '../balance-store.ts'
import type { WorkerOptions } from '../options.ts'
import { Worker } from '../worker.ts'
import type { WorkerEvent } from '../worker-event.ts'
import { ScriptedBackend } from './scripted-backend.ts'

const { root, owner, proxyKey } = scriptedNetwork
export const proxyContract = proxyInit({ owner, publicKey: proxyKey, root: root.address, params: root.params }).address
export const workerContract = workerInit({ owner, proxy: proxyContract, publicKey: proxyKey, params: root.params }).address
export const modelName = `Qwen/Qwen3-8B@abc123def456:${'0'.repeat(64)}`

export const payoutOf = (tokens: bigint, key?: Uint8Array): WirePayment =>
  signedPayment({ kind: 'worker-payout', queryId: tokens + 1n, contract: workerContract, tokens }, key)

/** A worker with a scripted engine in front of a scripted proxy. */
export async function workerPeer(options: Partial<WorkerOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-worker-'))
  const proxy = await ScriptedProxy.listen()
  const backend = new ScriptedBackend()
  const disk = fillableDisk(openDatabase(join(folder, 'worker.sqlite'), workerMigrations, { logger: silentLogger }))
  const { database } = disk
  const rootSignal = new Signal<RootConfig | null>(root)
  const events: WorkerEvent[] = []
  const worker = new Worker({
    root: rootSignal,
    owner,
    money: undefined,
    backend,
    modelName,
    database,
    dial: proxy.dial,
    logger: silentLogger,
    maxActiveRequests: 60,
    reconnectMs: 20,
    handshakeTimeoutMs: 15_000,
    healthCheckMs: 10,
    ...options,
  })
  worker.events.on((event) => events.push(event))
  return {
    proxy,
    backend,
    worker,
    disk,
    events,
    root: rootSignal,
    dispose: async () => {
      await worker.stop()
      await proxy.close()
      database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const connectedToProxy = (
  change: Partial<TlObject<'proxy.params'>> = {},
  contract = workerContract.toString(),
): TlObject<'worker.connectedToProxy'> => ({
  '@type': 'worker.connectedToProxy',
  params: {
    '@type': 'proxy.params',
    flags: 3 | cancelExtensionFlag,
    proxy_public_key: proxyKey,
    proxy_owner_address: owner.toString(),
    proxy_sc_address: proxyContract.toString(),
    is_test: true,
    proto_version: 2,
    ...change,
  },
  worker_sc_address: contract,
})

interface Totals {
  params?: Partial<TlObject<'proxy.params'>>
  readonly signed?: bigint
  readonly db?: bigint
  readonly max?: bigint
}

/** Answers the worker's handshake honestly, with these totals. */
export async function completeHandshake(
  connection: ScriptedConnection,
  totals: Totals = {},
): Promise<TlObject<'worker.compareBalanceWithProxy'>> {
  const hello = await connection.nextQuery('worker.connectToProxy')
  hello.answer(connectedToProxy(totals.params))
  const question = await compareHonestly(connection, totals)
  const complete = await connection.nextQuery('worker.proxyHandshakeComplete')
  complete.answer({ '@type': 'worker.proxyHandshakeCompleted' })
  return question
}

/** The second of the three steps. */
export async function compareHonestly(
  connection: ScriptedConnection,
  totals: Totals = {},
): Promise<TlObject<'worker.compareBalanceWithProxy'>> {
  const compare = await connection.nextQuery('worker.compareBalanceWithProxy')
  compare.answer({
    '@type': 'worker.compareBalanceWithProxyResult',
    signed_payment: payoutOf(totals.signed ?? 0n),
    tokens_committed_to_db: totals.db ?? 0n,
    max_tokens: totals.max ?? 0n,
    error_code: 0,
  })
  return compare.question
}
