import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { childEntries } from '../../child-entries.ts'
import { openDialer } from '../../core/dialer.ts'
import { fakeTsm } from '../../hardware/testing/fake-tsm.ts'
import { QuoteVerifier } from '../../protocol/attestation/quote-verifier.ts'
import { syntheticImageHash, syntheticQuote } from '../../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith, syntheticNowMs } from '../../protocol/attestation/testing/synthetic-intel.ts'
import type { GpuClaim, SealingIdentity } from '../../protocol/sealed/direct/worker-key.ts'
import { identity, owner } from '../../protocol/sealed/testing/sealing-scene.ts'
import { securePort } from '../../proxy/ports.ts'
import { goldenRoot, pseudoProxy } from '../../proxy/testing/fixtures.ts'
import { type Database, openDatabase } from '../../storage/database.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { workerMigrations } from '../../worker/balance-store.ts'
import { ScriptedBackend } from '../../worker/testing/scripted-backend.ts'
import { modelName } from '../../worker/testing/worker-peer.ts'
import { Worker } from '../../worker/worker.ts'
import { sealingMachine } from '../attesting.ts'

const { collateral, roots } = evidenceWith()
const entries = childEntries(new URL('./attested-network.ts', import.meta.url).href)
/** What proxy and worker run. */
export const image = Buffer.from(syntheticImageHash).toString('hex')
/** A quote of the synthetic machine. */
export const quoteFor = (reportData: Uint8Array): Uint8Array =>
  evidenceWith(({ quote }) => {
    quote.reportData = reportData
  }).quote
const tee = { kind: 'tdx-guest', sentence: '' } as const

/** What is wrong with a network; nothing where left out. */
export interface Flaws {
  /** Quote in the proxy's certificate. */
  readonly proxyQuote?: ((publicKey: Uint8Array) => Uint8Array) | undefined
  readonly root?: Partial<RootConfig>
  readonly isTest?: boolean
  /** Machine of the worker, as its kernel attests it; null for none. */
  readonly machine?: ((reportData: Uint8Array) => Uint8Array) | null
  readonly gpu?: GpuClaim
  /** How many workers come; one. */
  readonly workers?: number
  /** In the place of the machine. */
  readonly sealing?: Partial<SealingIdentity>
}

/** Outside of a test `expect.poll` has no place. */
async function ready({ state }: Worker): Promise<void> {
  const isReady = (): boolean => state.value.connections[0]?.phase === 'ready'
  if (isReady()) return
  await new Promise<void>((resolve) => {
    const stop = state.onChange(() => {
      if (!isReady()) return
      stop()
      resolve()
    })
  })
}

/** Proxy and workers over real sockets with proof of work and TLS, in a network that demands attestation: the roots of Intel alone are synthetic. */
export class AttestedNetwork {
  protected readonly closers: (() => Promise<unknown> | unknown)[] = []
  protected workers = 1
  readonly folder = mkdtempSync(join(tmpdir(), 'cocoon-attested-'))
  readonly entries = entries
  /** Clock of whoever judges quotes. */
  nowMs = syntheticNowMs
  readonly quotes = new QuoteVerifier({
    collateral: {
      with: async (_platform, use) => use(collateral),
    },
    roots,
    now: () => this.nowMs,
  })
  /** What clients read. */
  readonly root = new Signal<RootConfig | null>(null)
  readonly backend = new ScriptedBackend()

  constructor() {
    this.closers.push(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  async start(flaws: Flaws = {}): Promise<void> {
    const { gpu = 'none', machine = quoteFor, sealing } = flaws
    const proxyQuote = 'proxyQuote' in flaws ? flaws.proxyQuote : syntheticQuote
    const port = { host: '127.0.0.1', port: 0, difficulty: 1, logger: silentLogger }
    const golden = goldenRoot()
    // What a proxy should refuse it may let pass: clients look for themselves.
    const proxyRoot = new Signal<RootConfig | null>(null)
    const proxy = pseudoProxy(
      this.folder,
      {},
      {
        root: proxyRoot,
        openWorkerPort: securePort({
          ...port,
          policy: { kind: 'tdx', quotes: this.quotes },
          ...(proxyQuote && { quote: proxyQuote }),
        }),
        openClientPort: securePort({ ...port, policy: { kind: 'any' }, ...(proxyQuote && { quote: proxyQuote }) }),
      },
    )
    const rootWith = (ports: { workers: number; clients: number }): RootConfig => ({
      ...golden,
      params: { ...golden.params, isTest: flaws.isTest ?? false },
      proxyHashes: new Set([image]),
      workerHashes: new Set([image]),
      modelHashes: new Set([createHash('sha256').update(modelName).digest('hex')]),
      proxies: [
        {
          seqno: 1,
          forWorkers: { host: '127.0.0.1', port: ports.workers },
          forClients: { host: '127.0.0.1', port: ports.clients },
        },
      ],
      readAtMs: Date.now(),
      source: { endpoint: 'http://127.0.0.1:1', block: { seqno: 77, timeMs: Date.now() } },
    })
    proxyRoot.set(rootWith({ workers: 1, clients: 1 }))
    await proxy.start()
    this.closers.push(() => proxy.stop())
    const { workerPort, clientPort } = proxy.status.value
    const told = rootWith({ workers: workerPort ?? 0, clients: clientPort ?? 0 })
    proxyRoot.set(told)
    this.root.set({ ...told, ...flaws.root })

    const tsm = machine && fakeTsm('tdx_guest', machine)
    if (tsm) this.closers.push(() => rmSync(tsm.folder, { recursive: true, force: true }))
    this.workers = flaws.workers ?? 1
    const workers = Array.from({ length: this.workers }, (_, index) => {
      const worker = new Worker({
        root: proxyRoot,
        owner,
        money: undefined,
        backend: this.backend,
        modelName,
        database: this.database(`worker-${index}`, workerMigrations),
        // How a worker finds its proxy genuine is not the question here; the proxy asks it for its own quote.
        dial: openDialer(entries.powThread, { quote: syntheticQuote }),
        dialChecksImageHashes: true,
        sealing: { ...identity, ...(tsm && sealingMachine('builtin', { tee, files: tsm, gpu: async () => gpu })), ...sealing },
        logger: silentLogger,
        reconnectMs: 50,
      })
      worker.start()
      this.closers.push(() => worker.stop())
      return worker
    })
    for (const worker of workers) await ready(worker)
  }

  protected database(name: string, migrations: readonly string[]): Database {
    const database = openDatabase(join(this.folder, `${name}.sqlite`), migrations, { logger: silentLogger })
    this.closers.push(() => database.close())
    return database
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close()
  }
}

/**
 * Begins networks at once for all cases of a file, and closes them after it: proof of work and roads take most of the time. Each is waited for where it is
 * needed.
 */
export function beginning<Scene extends AttestedNetwork>(newScene: () => Scene): (flaws?: Flaws) => () => Promise<Scene> {
  const scenes: Scene[] = []
  afterAll(async () => {
    for (const scene of scenes.splice(0)) await scene.close()
  })
  return (flaws) => {
    const scene = newScene()
    scenes.push(scene)
    const started = scene.start(flaws)
    // Whoever needs it hears of it.
    started.catch(() => undefined)
    return async () => {
      await started
      return scene
    }
  }
}
