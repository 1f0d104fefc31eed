import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { keySigner, publicKeyOfSeed } from '../../../contracts/signed.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { childEntries } from '../../child-entries.ts'
import { openDialer } from '../../core/dialer.ts'
import { fakeTsm } from '../../hardware/testing/fake-tsm.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import { readQuote } from '../../protocol/attestation/quote.ts'
import { QuoteVerifier } from '../../protocol/attestation/quote-verifier.ts'
import { syntheticImageHash, syntheticQuote } from '../../protocol/attestation/testing/manipulated-peers.ts'
import { evidenceWith, goodWorld } from '../../protocol/attestation/testing/synthetic-intel.ts'
import type { GpuClaim, SealingIdentity } from '../../protocol/sealed/direct/worker-key.ts'
import { identity, owner } from '../../protocol/sealed/testing/sealing-scene.ts'
import { securePort } from '../../proxy/ports.ts'
import { goldenRoot, goldenSeed, pseudoProxy } from '../../proxy/testing/fixtures.ts'
import { type Database, openDatabase } from '../../storage/database.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { workerMigrations } from '../../worker/balance-store.ts'
import { ScriptedBackend } from '../../worker/testing/scripted-backend.ts'
import { modelName } from '../../worker/testing/worker-peer.ts'
import { Worker } from '../../worker/worker.ts'
import { sealingMachine } from '../attesting.ts'

/** Quotes, keys and readings of the contract are held against each other: all are of one clock. */
const beganMs = Date.now()
const { collateral, roots } = evidenceWith(undefined, beganMs)
const entries = childEntries(new URL('./attested-network.ts', import.meta.url).href)
/** What proxy and worker run. */
export const image = Buffer.from(syntheticImageHash).toString('hex')
/** A quote of the synthetic machine. */
export const quoteFor = (reportData: Uint8Array): Uint8Array =>
  evidenceWith(({ quote }) => {
    quote.reportData = reportData
  }, beganMs).quote
const register = new Uint8Array(48).fill(0x20)
const otherRtmrs = [register, register, register, register] as const
/** What another proxy runs: a quote for its key, and its image. */
export const otherProxyQuote = (publicKey: Uint8Array): Uint8Array =>
  evidenceWith(({ quote }) => {
    quote.reportData = new Uint8Array(createHash('sha512').update(publicKey).digest())
    quote.rtmrs = [...otherRtmrs]
  }, beganMs).quote
export const otherImage = Buffer.from(
  imageHash({ ...goodWorld().quote, rtmrs: otherRtmrs, reportData: new Uint8Array(64) }),
).toString('hex')
export const isOfOtherProxy = (quote: Uint8Array): boolean =>
  Buffer.compare(readQuote(quote).body.measured.rtmrs[0], register) === 0
const otherSeed = Buffer.alloc(32, 9)
/** Judges them, by a clock that starts at about now. */
export const judgeAt = (now: () => number): QuoteVerifier =>
  new QuoteVerifier({ collateral: { with: async (_platform, use) => use(collateral) }, roots, now })
const tee = { kind: 'tdx-guest', canQuote: true, sentence: '' } as const

/** What is wrong with a network; nothing where left out. */
export interface Flaws {
  /** Quote in the proxy's certificate. */
  readonly proxyQuote?: ((publicKey: Uint8Array) => Uint8Array) | undefined
  readonly root?: Partial<RootConfig>
  readonly isTest?: boolean
  /** Machine of the worker, as its kernel attests it; null for none. */
  readonly machine?: ((reportData: Uint8Array) => Uint8Array) | null
  readonly gpu?: GpuClaim
  /** What the workers ask, in thousandths of the usual price; 1000. */
  readonly coefficient?: number | undefined
  /** How many workers come to the proxy; one. */
  readonly workers?: number
  /** Another proxy, of another image, and a worker of its own. */
  readonly otherProxy?: boolean
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
  #coefficient = 1000
  #startAnother: () => Promise<void> = () => Promise.reject(new Error('The network was not started.'))
  readonly folder = mkdtempSync(join(tmpdir(), 'cocoon-attested-'))
  readonly entries = entries
  /** Clock of whoever judges quotes. */
  nowMs = beganMs
  readonly quotes = judgeAt(() => this.nowMs)
  /** What clients read. */
  readonly root = new Signal<RootConfig | null>(null)
  readonly backend = new ScriptedBackend()

  constructor() {
    this.closers.push(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  async start(flaws: Flaws = {}): Promise<void> {
    const { gpu = 'none', machine = quoteFor, sealing } = flaws
    const tsm = machine && fakeTsm('tdx_guest', machine)
    if (tsm) this.closers.push(() => rmSync(tsm.folder, { recursive: true, force: true }))
    const served: SealingIdentity = {
      ...identity,
      ...(tsm && sealingMachine('builtin', { tee, files: tsm, gpu: async () => gpu })),
      ...sealing,
    }
    this.workers = flaws.workers ?? 1
    this.#coefficient = flaws.coefficient ?? 1000
    const first = await this.#startProxy('proxy', flaws, 'proxyQuote' in flaws ? flaws.proxyQuote : syntheticQuote)
    for (let count = 0; count < this.workers; count += 1) await this.#startWorker(`worker-${count}`, first, served)
    this.#startAnother = () => this.#startWorker(`worker-${this.workers++}`, first, served)
    const second = flaws.otherProxy ? await this.#startProxy('other-proxy', flaws, otherProxyQuote, otherSeed) : undefined
    if (second !== undefined) await this.#startWorker('other-worker', second, served)
    const proxies = [...first.proxies, ...(second?.proxies ?? [])]
    this.root.set({ ...first, proxies: proxies.map((proxy, index) => ({ ...proxy, seqno: index + 1 })), ...flaws.root })
  }

  /** One more than there were at the start, of the first proxy. */
  addWorker(): Promise<void> {
    return this.#startAnother()
  }

  /** @returns the contract as this proxy and its workers read it: without the other one */
  async #startProxy(name: string, flaws: Flaws, quote: Flaws['proxyQuote'], seed = goldenSeed): Promise<RootConfig> {
    const port = { host: '127.0.0.1', port: 0, difficulty: 1, logger: silentLogger, ...(quote && { quote }) }
    const golden = goldenRoot()
    const rootWith = (ports: { workers: number; clients: number }): RootConfig => ({
      ...golden,
      params: { ...golden.params, isTest: flaws.isTest ?? false },
      proxyHashes: new Set([image, otherImage]),
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
    // What a proxy should refuse it may let pass: clients look for themselves.
    const root = new Signal<RootConfig | null>(rootWith({ workers: 1, clients: 1 }))
    const folder = join(this.folder, name)
    mkdirSync(folder)
    const proxy = pseudoProxy(
      folder,
      {},
      {
        root,
        key: { publicKey: publicKeyOfSeed(seed), signer: keySigner(seed) },
        openWorkerPort: securePort({ ...port, policy: { kind: 'tdx', quotes: this.quotes } }),
        openClientPort: securePort({ ...port, policy: { kind: 'any' } }),
      },
    )
    await proxy.start()
    this.closers.push(() => proxy.stop())
    const { workerPort, clientPort } = proxy.status.value
    const told = rootWith({ workers: workerPort ?? 0, clients: clientPort ?? 0 })
    root.set(told)
    return told
  }

  async #startWorker(name: string, root: RootConfig, sealing: SealingIdentity): Promise<void> {
    const worker = new Worker({
      root: new Signal<RootConfig | null>(root),
      owner,
      money: undefined,
      backend: this.backend,
      modelName,
      database: this.database(name, workerMigrations),
      // How a worker finds its proxy genuine is not the question here; the proxy asks it for its own quote.
      dial: openDialer(entries.powThread, { quote: syntheticQuote }),
      dialChecksImageHashes: true,
      sealing,
      coefficient: this.#coefficient,
      logger: silentLogger,
      reconnectMs: 50,
    })
    worker.start()
    this.closers.push(() => worker.stop())
    await ready(worker)
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
