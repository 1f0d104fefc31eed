import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { commitHash } from './catalog.ts'

/** Of the file in the library's folder that holds them. */
export const recordsName = 'library.json'

const pin = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().positive(),
  /** Revision of the hub repository at that time; absent where the hub did not say. */
  commit: commitHash.optional(),
})

const fileRecord = z.object({
  path: z.string().min(1),
  origin: z.enum(['catalog', 'own']),
  /** Size, time and hash belong together: while the first two stand, the hash need not be computed again. */
  sizeBytes: z.number().int().nonnegative(),
  mtimeMs: z.number(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  source: z.string().nullable(),
  tokensPerSecond: z.number().nonnegative().optional(),
})
export type FileRecord = z.infer<typeof fileRecord>

const records = z.object({ version: z.literal(1), pins: z.record(z.string(), pin), files: z.record(z.string(), fileRecord) })
export type Records = z.infer<typeof records>

/** What the library remembers. A missing or damaged file means an empty memory: everything in it can be found out again. */
export function readRecords(path: string): Records {
  try {
    return records.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return { version: 1, pins: {}, files: {} }
  }
}

/**
 * Writes nothing where the file says the same already: also a disk that is full, or takes no write, lets models be used that are known.
 * @throws Failure as `writeFileAtomic`
 */
export function writeRecords(path: string, value: Records): void {
  const text = JSON.stringify(value, null, 1)
  if (textOf(path) !== text) writeFileAtomic(path, text)
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
