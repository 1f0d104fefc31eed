import { readFile, rm, stat } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'

/** What lies beside a part. */
const partState = z.object({
  key: z.string(),
  /** Whose tag it is; absent for the one of the key. */
  url: z.string().optional(),
  etag: z.string().nullable(),
  totalBytes: z.number().int().positive().nullable(),
  /**
   * Of a file that is loaded in pieces: which are there, and the SHA-256 that each had as it came. The part then has its full length from the
   * beginning.
   */
  pieces: z
    .object({
      bytes: z.number().int().positive(),
      done: z.array(z.number().int().nonnegative()),
      hashes: z.record(z.string(), z.string()).optional(),
      /** Others than `url` gave some of them too. */
      mixed: z.boolean().optional(),
    })
    .optional(),
})
export type PartState = z.infer<typeof partState>

const stateOf = (partPath: string): string => `${partPath}.json`

/** What is known of a part that belongs to `key`; undefined where the part is worthless. */
export async function readState(partPath: string, key: string): Promise<PartState | undefined> {
  const state = await anyState(partPath)
  return state?.key === key ? state : undefined
}

/** Notes what is known of a part, at once or not at all. */
export function writeState(partPath: string, state: PartState): void {
  writeFileAtomic(stateOf(partPath), JSON.stringify(state))
}

/** The part stays, and nothing is known of it any more. */
export const forgetState = (partPath: string): Promise<void> => rm(stateOf(partPath), { force: true })

/** Removes a part and its state. */
export async function removePart(partPath: string): Promise<void> {
  await rm(partPath, { force: true })
  await forgetState(partPath)
}

/** Bytes of an unfinished download that a later one can go on with; 0 where there is nothing of use. */
export async function keptBytes(partPath: string): Promise<number> {
  const state = await anyState(partPath)
  return state === undefined ? 0 : partSize(partPath, state)
}

/** What of a part is really there: a part in pieces has its full length from the beginning. */
export async function partSize(partPath: string, state: PartState | undefined): Promise<number> {
  const size = await fileSize(partPath)
  return state?.pieces === undefined ? size : Math.min(size, state.pieces.done.length * state.pieces.bytes)
}

/** 0 where there is none. */
export async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}

async function anyState(partPath: string): Promise<PartState | undefined> {
  try {
    return partState.parse(JSON.parse(await readFile(stateOf(partPath), 'utf8')))
  } catch {
    // Missing or damaged: the part is worthless without it.
    return undefined
  }
}
