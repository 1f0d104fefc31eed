import { createHash, randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { Failure } from '../../base/failure.ts'
import { type SearchResult, searchWithin } from './pow-search.ts'
import type { PowJob } from './pow-thread.ts'

/** Bytes of a challenge and of a response (10 §5). */
export const challengeBytes = 24
export const responseBytes = 12
/** Harder challenges are refused: 2^24 hashes take some seconds in one thread. */
export const mostDifficulty = 24

const challengeMagic = 0x418e1291
const responseMagic = 0x01827319
/** Up to this difficulty a search takes less time than starting a thread. */
const mostInlineDifficulty = 12

export type PowErrorCode =
  /** The challenge is none. */
  | 'pow-malformed'
  | 'pow-too-difficult'
  /** The search would take, or took, longer than the budget. */
  | 'pow-out-of-time'
  | 'pow-aborted'
  | 'pow-thread-failed'

export class PowError extends Failure<PowErrorCode> {
  constructor(code: PowErrorCode, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(code, message, options)
    this.name = 'PowError'
  }
}

export interface PowChallenge {
  /** Leading zero bits wanted, 0 to 24. */
  readonly difficulty: number
  /** 16 bytes. */
  readonly salt: Uint8Array
}

export interface SolveOptions {
  /** Longest time to spend; 15 s, since all of the handshake must fit into 20 s. */
  readonly budgetMs?: number
  readonly signal?: AbortSignal
  /** The compiled (or source) file of the search thread; by default the one beside this file. */
  readonly threadUrl?: URL
}

const ownThreadUrl = new URL(import.meta.url.endsWith('.ts') ? './pow-thread.ts' : './pow-thread.js', import.meta.url)

/** A fresh challenge of 24 bytes. `difficulty` is 0 to 24. */
export function createChallenge(difficulty: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(challengeBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, challengeMagic, true)
  view.setInt32(4, difficulty, true)
  bytes.set(randomBytes(16), 8)
  return bytes
}

/** @throws PowError `pow-malformed` or `pow-too-difficult` */
export function readChallenge(bytes: Uint8Array): PowChallenge {
  if (bytes.length !== challengeBytes) throw new PowError('pow-malformed', `A challenge of ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(0, true) !== challengeMagic) throw new PowError('pow-malformed', 'The peer sent no proof-of-work challenge')
  const difficulty = view.getInt32(4, true)
  if (difficulty < 0) throw new PowError('pow-malformed', 'The peer sent a challenge of negative difficulty')
  if (difficulty > mostDifficulty)
    throw new PowError(
      'pow-too-difficult',
      `The peer wants proof of work of difficulty ${difficulty}; ${mostDifficulty} is the most done here`,
    )
  return { difficulty, salt: bytes.slice(8) }
}

/**
 * The response to a challenge: 12 bytes with the smallest good nonce. Searches in a thread of its own unless that is quick anyway.
 * @throws PowError
 */
export async function solve(
  challenge: Uint8Array,
  { budgetMs = 15_000, signal, threadUrl = ownThreadUrl }: SolveOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { difficulty, salt } = readChallenge(challenge)
  if (signal?.aborted) throw aborted()
  const job: PowJob = { salt, difficulty, budgetMs }
  const result =
    difficulty <= mostInlineDifficulty ? searchWithin(salt, difficulty, budgetMs) : await searchInThread(job, threadUrl, signal)
  if (!result.found) {
    const expected = Math.round(result.expectedMs / 100) / 10
    throw new PowError('pow-out-of-time', `The proof of work would take about ${expected} s; ${budgetMs / 1000} s are left`, {
      retryable: true,
    })
  }
  return writeResponse(BigInt(result.nonce))
}

/** Whether `response` (12 bytes) answers `challenge` (24 bytes). */
export function verify(challenge: Uint8Array, response: Uint8Array): boolean {
  if (challenge.length !== challengeBytes || response.length !== responseBytes) return false
  const view = new DataView(response.buffer, response.byteOffset, response.length)
  if (view.getUint32(0, true) !== responseMagic) return false
  const difficulty = new DataView(challenge.buffer, challenge.byteOffset, challenge.length).getInt32(4, true)
  const hash = createHash('sha256').update(challenge.subarray(8)).update(response.subarray(4)).digest()
  return difficulty <= 0 || hash.readBigUInt64LE(0) >> BigInt(64 - Math.min(difficulty, 64)) === 0n
}

function writeResponse(nonce: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(responseBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, responseMagic, true)
  view.setBigInt64(4, nonce, true)
  return bytes
}

function searchInThread(job: PowJob, url: URL, signal: AbortSignal | undefined): Promise<SearchResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: job, execArgv: [] })
    const stop = (): void => {
      reject(aborted())
      void worker.terminate()
    }
    signal?.addEventListener('abort', stop)
    worker.on('message', resolve)
    worker.on('error', (error) => reject(new PowError('pow-thread-failed', 'The proof-of-work thread failed', { cause: error })))
    worker.on('exit', () => {
      signal?.removeEventListener('abort', stop)
      reject(new PowError('pow-thread-failed', 'The proof-of-work thread ended without a result'))
    })
  })
}

function aborted(): PowError {
  return new PowError('pow-aborted', 'The proof of work was given up')
}
