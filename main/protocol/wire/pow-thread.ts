import { parentPort, workerData } from 'node:worker_threads'
import { searchWithin } from './pow-search.ts'

/** What a thread is started with. */
export interface PowJob {
  readonly salt: Uint8Array
  readonly difficulty: number
  readonly budgetMs: number
}

const job: PowJob = workerData
parentPort?.postMessage(searchWithin(job.salt, job.difficulty, job.budgetMs))
