import { Worker } from 'node:worker_threads'
import { type Finding, type FuzzJob, type FuzzMessage, presentBytes } from './fuzz-job.ts'

export interface FuzzOptions {
  /** Module that exports `fuzzTargets`. */
  readonly targets: URL
  readonly names: readonly string[]
  readonly seed: number
  readonly seconds: number
  readonly inputs?: number
  /** Silence of the thread beyond which the input in hand counts as a hang. Longer than a busy computer keeps a thread waiting. */
  readonly hangMs?: number
  /** Heap of the thread; 1024. */
  readonly heapMb?: number
  readonly onFinding?: (finding: Finding) => void
  /** Called once a minute with the number of inputs so far. */
  readonly onProgress?: (inputs: number) => void
}

export interface FuzzResult {
  readonly findings: readonly Finding[]
  /** Inputs by target. */
  readonly inputs: Readonly<Record<string, number>>
  readonly tookMs: number
  /** What was held at the end beyond what was held after the first inputs, after collection. */
  readonly grewBytes: number
}

/** Growth beyond this is a leak. */
export const mostGrowthBytes = 32 << 20
const usualHangMs = 20_000

/** Spoils inputs in a thread, under the eyes of this one. Ends with the first hang, since the thread cannot go on. */
export function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { targets, names, seed, seconds, inputs = 0, hangMs = usualHangMs, heapMb = 1_024, onFinding, onProgress } = options
  const present = new SharedArrayBuffer(presentBytes)
  const numbers = new Int32Array(present, 0, 3)
  const job: FuzzJob = { targets: targets.href, names, seed, seconds, inputs, present }
  const thread = new Worker(new URL('./fuzz-thread.ts', import.meta.url), {
    workerData: job,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  })
  const findings: Finding[] = []
  const found = (finding: Finding): void => {
    findings.push(finding)
    onFinding?.(finding)
  }
  const inHand = (what: string): Finding => ({
    target: names[Atomics.load(numbers, 0)] ?? '?',
    what,
    hex: Buffer.from(new Uint8Array(present, 12, Math.min(Atomics.load(numbers, 2), presentBytes - 12))).toString('hex'),
  })
  return new Promise((resolve, reject) => {
    let last = -1
    let lastAt = performance.now()
    let toldAt = lastAt
    const give = (message: Extract<FuzzMessage, { kind: 'done' }>): void => {
      clearInterval(watch)
      resolve({ findings, ...message })
    }
    const nothing = { kind: 'done', inputs: {}, tookMs: 0, grewBytes: 0 } as const
    const watch = setInterval(() => {
      const now = Atomics.load(numbers, 1)
      if (performance.now() - toldAt > 60_000) {
        toldAt = performance.now()
        onProgress?.(now)
      }
      if (now !== last || now === 0) {
        last = now
        lastAt = performance.now()
        return
      }
      if (performance.now() - lastAt < hangMs) return
      found(inHand(`hangs: no end after ${hangMs / 1000} s`))
      void thread.terminate()
      give(nothing)
    }, 100)
    thread.on('message', (message: FuzzMessage) => {
      if (message.kind === 'finding') return found(message.finding)
      if (message.grewBytes > mostGrowthBytes)
        found({ target: names.join(' '), what: `memory grew by ${Math.round(message.grewBytes / 2 ** 20)} MiB`, hex: '' })
      give(message)
    })
    thread.on('error', (error: Error & { code?: string }) => {
      clearInterval(watch)
      if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return reject(error)
      found(inHand('uses up all memory'))
      give(nothing)
    })
  })
}
