/**
 * Random operations against the contracts for minutes, on all cores:
 * `npm run test:contracts:long -- --minutes 10 --seed 1`. With `--sequences` it ends after so many sequences. Prints how many
 * operations it played; on a failure the seed, the operations and a shorter way to the same end, and exits with 1.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { rememberTableEntries } from '../contracts/random/fast-table.ts'

interface Order {
  readonly firstSeed: number
  readonly step: number
  readonly sequences: number
  readonly operations: number
  readonly untilMs: number
}

interface Progress {
  readonly operations: number
  readonly transactions: number
  readonly seen: readonly (readonly [string, number])[]
  readonly failure: string | null
}

const SHRINK_MS = 60_000
const TELL_EVERY_MS = 30_000

if (process.send === undefined) await lead()
else process.once('message', (order) => work(order as Order))

async function lead() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: process.env.MINUTES ?? '10' },
      seed: { type: 'string', default: process.env.SEED ?? String(Date.now() % 1_000_000_000) },
      sequences: { type: 'string' },
      operations: { type: 'string', default: '100' },
      workers: { type: 'string', default: String(availableParallelism()) },
    },
  })
  const seed = whole('seed', values.seed)
  const workers = Math.max(
    1,
    Math.min(whole('workers', values.workers), values.sequences === undefined ? 64 : whole('sequences', values.sequences)),
  )
  const startMs = Date.now()
  const untilMs = startMs + Number(values.minutes) * 60_000
  if (!Number.isFinite(untilMs)) throw new RangeError(`--minutes must be a number, not ${values.minutes}`)
  console.log(`Seed ${seed}, ${workers} processes, sequences of ${values.operations} operations`)

  const total = { sequences: 0, operations: 0, transactions: 0 }
  const seen = new Map<string, number>()
  let failure: string | null = null
  let toldMs = startMs
  const tell = () => {
    const seconds = (Date.now() - startMs) / 1000
    const speed = (total.operations / seconds).toFixed(0)
    console.log(
      `${total.operations} operations in ${total.sequences} sequences, ${total.transactions} transactions, ${seconds.toFixed(0)} s, ${speed} operations/s`,
    )
  }
  const children: ChildProcess[] = []
  const ends = Array.from({ length: workers }, (_, index) => {
    const child = fork(fileURLToPath(import.meta.url))
    children.push(child)
    const sequences =
      values.sequences === undefined ? Number.MAX_SAFE_INTEGER : share(whole('sequences', values.sequences), workers, index)
    const order: Order = {
      firstSeed: seed + index,
      step: workers,
      sequences,
      operations: whole('operations', values.operations),
      untilMs,
    }
    child.on('message', (message) => {
      const progress = message as Progress
      total.sequences += 1
      total.operations += progress.operations
      total.transactions += progress.transactions
      for (const [name, count] of progress.seen) seen.set(name, (seen.get(name) ?? 0) + count)
      if (progress.failure !== null && failure === null) {
        failure = progress.failure
        for (const other of children) if (other !== child) other.kill()
      }
      if (Date.now() - toldMs > TELL_EVERY_MS) {
        toldMs = Date.now()
        tell()
      }
    })
    child.send(order)
    return new Promise<void>((resolve) => {
      child.on('exit', (code, signal) => {
        if (code !== 0 && signal === null && failure === null) failure = `A process ended with code ${code}.`
        resolve()
      })
    })
  })
  await Promise.all(ends)
  tell()
  if (failure !== null) {
    console.error(failure)
    process.exit(1)
  }
  console.log(
    `How each contract ended a message: ${[...seen]
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  )
}

/** Plays sequences until the time or the count is over, and tells about each. */
async function work(order: Order) {
  rememberTableEntries()
  const { contractCode } = await import('../contracts/code.ts')
  const { Failure, play } = await import('../contracts/random/sequence.ts')
  const { report, shrink } = await import('../contracts/random/shrink.ts')
  for (let count = 0; count < order.sequences && Date.now() < order.untilMs; count += 1) {
    const plan = { seed: order.firstSeed + count * order.step, operations: order.operations, codes: contractCode }
    try {
      const played = await play(plan)
      tellLead({ operations: played.operations, transactions: played.transactions, seen: [...played.seen], failure: null })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const smallest = await shrink(plan, error, Date.now() + SHRINK_MS)
      tellLead({ operations: error.played.length, transactions: 0, seen: [], failure: report(error, smallest) })
      break
    }
  }
  process.disconnect()
}

function tellLead(progress: Progress) {
  process.send?.(progress)
}

/** How many of `count` the worker with this index takes. */
function share(count: number, workers: number, index: number): number {
  return Math.floor(count / workers) + (index < count % workers ? 1 : 0)
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`--${name} must be a whole number, not ${text}`)
  return value
}
