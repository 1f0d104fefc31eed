import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Chain } from '../ton/chain.ts'
import { httpChain } from '../ton/http-chain.ts'
import { type ChildReport, childReport, type StartOrder } from './chain-link.ts'
import { rpcPath } from './rpc-server.ts'

/** In the folder of the chain; everything of it is in there. */
export const chainFileName = 'chain.sqlite'

export interface LocalChainOptions {
  /** Path of `chain-process.ts`, or of what it was bundled to. */
  readonly entry: string
  /** Folder of its own; made when it is not there. */
  readonly dataDir: string
  /** Wanted port. Another one is chosen when it is taken. 0 or left out: any. */
  readonly port?: number
  /** Coins of the chain's beginning; used at the first start only. */
  readonly genesis: ReadonlyArray<{ readonly address: Address; readonly balance: bigint }>
  /** Newest transactions kept per account. Default 5,000. */
  readonly historyPerAccount?: number
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
  readonly logger: Logger
}

export interface LocalChainState {
  readonly status: 'starting' | 'ready' | 'failed' | 'stopped'
  /** Times that the process was started again after a crash. */
  readonly restarts: number
  readonly error?: Failure
}

/** The child's own heap; the emulator's memory comes on top of it. */
const heapMegabytes = 192
const startTimeoutMs = 60_000
/** So many crashes in a row, each before the process was up for that long, end the attempts. */
const mostCrashes = 5
const steadyMs = 60_000
/** What the child sees of the environment: enough to run, no secret of ours. */
const environment = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'SystemRoot', 'SYSTEMROOT', 'USERPROFILE']

/**
 * The local TON chain in a process of its own, which is started again when it crashes, on the same port.
 * Everything that was acknowledged is on disk, so a crash costs time only.
 */
export class LocalChain {
  readonly chain: Chain
  readonly port: number
  /** True when this start made the chain. */
  readonly created: boolean
  readonly state: Watchable<LocalChainState>
  readonly #keeper: Keeper

  private constructor(keeper: Keeper, ready: Ready) {
    this.#keeper = keeper
    this.port = ready.port
    this.created = ready.created
    this.state = keeper.state
    this.chain = httpChain({ kind: 'local', endpoint: `http://127.0.0.1:${ready.port}${rpcPath}`, logger: keeper.logger })
  }

  /** @throws Failure as the child told it: `chain-in-use`, `chain-newer`, `chain-damaged`, `chain-start-failed`. */
  static async start(options: LocalChainOptions): Promise<LocalChain> {
    const keeper = new Keeper(options)
    return new LocalChain(keeper, await keeper.start())
  }

  get endpoint(): string {
    return this.chain.endpoint
  }

  /** Of the child, as long as it runs. */
  get pid(): number | undefined {
    return this.#keeper.pid
  }

  /** Ends the child; resolves when it is gone. */
  close(): Promise<void> {
    return this.#keeper.close()
  }
}

type Ready = Extract<ChildReport, { type: 'ready' }>

class Keeper {
  readonly logger: Logger
  readonly state = new Signal<LocalChainState>({ status: 'starting', restarts: 0 })
  readonly #options: LocalChainOptions
  readonly #closing = new AbortController()
  #child: ChildProcess | undefined
  #port: number | undefined
  #restarts = 0
  /** In a row. */
  #crashes = 0

  constructor(options: LocalChainOptions) {
    this.#options = options
    this.logger = options.logger
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<Ready> {
    // Not asked to end in order: it would hear it only once it has loaded, and half a start is undone by its database.
    const giveUp = (): void => {
      this.#closing.abort()
      this.#child?.kill('SIGKILL')
    }
    this.#options.signal?.addEventListener('abort', giveUp, { once: true })
    try {
      const ready = await this.#launch()
      this.#port = ready.port
      return ready
    } catch (thrown) {
      await this.close()
      throw thrown
    } finally {
      this.#options.signal?.removeEventListener('abort', giveUp)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      // The end of the channel is the signal to stop that works on every system.
      if (child.connected) child.disconnect()
      else child.kill()
      const patience = setTimeout(() => child.kill('SIGKILL'), 5000)
      await gone
      clearTimeout(patience)
    }
    this.state.set({ status: 'stopped', restarts: this.#restarts })
  }

  async #launch(): Promise<Ready> {
    const child = fork(this.#options.entry, [], {
      execArgv: [`--max-old-space-size=${heapMegabytes}`, '--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'],
      env: Object.fromEntries(
        environment.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
      ),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    child.on('error', (error) => this.logger.warn('chain process', { error: error.message }))
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => this.logger.warn('chain process', { said: text.slice(0, 500) }))
    const ready = await readiness(child, this.#order())
    this.logger.info('local chain ready', { port: ready.port, tookMs: ready.tookMs, created: ready.created })
    if (!this.#closing.signal.aborted) this.state.set({ status: 'ready', restarts: this.#restarts })
    const upSinceMs = performance.now()
    if (child.exitCode !== null || child.signalCode !== null) void this.#revive(upSinceMs)
    else child.once('exit', () => void this.#revive(upSinceMs))
    return ready
  }

  async #revive(upSinceMs: number): Promise<void> {
    const { signal } = this.#closing
    let error = new Failure('chain-start-failed', 'The process of the local chain ended again and again.', {
      advice: 'Restart the app. Everything confirmed is on disk.',
    })
    if (performance.now() - upSinceMs > steadyMs) this.#crashes = 0
    while (!signal.aborted) {
      this.#crashes += 1
      if (this.#crashes >= mostCrashes) {
        this.logger.error('the chain process does not stay up', { code: error.code, crashes: this.#crashes })
        this.state.set({ status: 'failed', restarts: this.#restarts, error })
        return
      }
      this.state.set({ status: 'starting', restarts: this.#restarts })
      await pause(100 * 2 ** this.#crashes, signal)
      if (signal.aborted) return
      this.#restarts += 1
      this.logger.warn('the chain process ended, starting it again', { restarts: this.#restarts })
      try {
        await this.#launch()
        return
      } catch (thrown) {
        error = thrown instanceof Failure ? thrown : new Failure('chain-start-failed', String(thrown), { cause: thrown })
      }
    }
  }

  #order(): StartOrder {
    return {
      type: 'start',
      file: join(this.#options.dataDir, chainFileName),
      port: this.#port ?? this.#options.port ?? 0,
      otherPortAllowed: this.#port === undefined,
      historyPerAccount: this.#options.historyPerAccount ?? 5000,
      genesis: this.#options.genesis.map((one) => ({ address: one.address.toRawString(), balanceNano: one.balance.toString() })),
    }
  }
}

/** Resolves with the child's first report when it is `ready`. */
function readiness(child: ChildProcess, order: StartOrder): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      child.removeAllListeners('message')
      child.off('exit', onExit)
      child.off('error', onError)
      act()
    }
    const fail = (code: string, message: string, advice?: string): void =>
      settle(() => {
        child.kill('SIGKILL')
        reject(new Failure(code, message, { retryable: true, ...(advice === undefined ? {} : { advice }) }))
      })
    const onExit = (): void => fail('chain-start-failed', 'The process of the local chain ended before it was ready.')
    const onError = (error: Error): void =>
      fail('chain-start-failed', `The process of the local chain cannot run: ${error.message}`)
    const timer = setTimeout(() => fail('chain-start-failed', 'The local chain did not start in time.'), startTimeoutMs)
    child.once('exit', onExit)
    child.once('error', onError)
    child.once('message', (raw) => {
      const said = childReport.safeParse(raw)
      if (!said.success) fail('chain-start-failed', 'The process of the local chain sent something else than a report.')
      else if (said.data.type === 'failed') fail(said.data.code, said.data.message, said.data.advice)
      else {
        const ready = said.data
        settle(() => resolve(ready))
      }
    })
    child.send(order)
  })
}
