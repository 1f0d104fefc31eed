import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { ModelState } from '../../preload/api/system.ts'
import { asError, Failure, sentences, wordsOf } from '../base/failure.ts'
import type { CatalogEntry } from './catalog.ts'
import type { FileRecord } from './library-records.ts'

/** A catalog model as the page sees it; `rest` goes before what the catalog says. */
export function shippedState(entry: CatalogEntry, rest: Partial<ModelState> & Pick<ModelState, 'status'>): ModelState {
  const { id, name, licence, parameters, quantization, contextTokens, abilities } = entry
  const sizeBytes = entry.sources.find((source) => source.sizeBytes !== null)?.sizeBytes ?? null
  const base = { id, name, licence, parameters, quantization, contextTokens, sizeBytes, abilities }
  return { ...base, origin: 'catalog', sha256: null, path: null, loaded: false, ...rest }
}

/** 134515008 becomes "135M". */
export function countText(count: number): string {
  for (const [unit, size] of [
    ['T', 1e12],
    ['B', 1e9],
    ['M', 1e6],
    ['K', 1e3],
  ] as const)
    if (count >= size) return `${count / size >= 100 ? Math.round(count / size) : Number((count / size).toFixed(1))}${unit}`
  return String(count)
}

/** Of a file that cannot be looked at too, e.g. a link to a disk that is away: one such file must not hide the others. */
export async function newRecord(path: string): Promise<FileRecord> {
  const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }))
  return { path, origin: 'own', sizeBytes: size, mtimeMs, sha256: null, source: null }
}

export function ownId(path: string): string {
  return `own-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`
}

export function sentence(error: Error): string {
  return error instanceof Failure && error.advice !== undefined ? sentences(error.message, error.advice) : error.message
}

export function brokenBy({ problem, problemWords }: ModelState): Pick<ModelState, 'problem' | 'problemWords'> {
  return { ...(problem !== undefined && { problem }), ...(problemWords && { problemWords }) }
}

/** A problem as the page shows it, with its words where it has some. */
export function problemOf(error: unknown): Pick<ModelState, 'problem' | 'problemWords'> {
  const words = wordsOf(error)
  return { problem: sentence(asError(error)), ...(words && { problemWords: [{ ...words }] }) }
}

export function unknownModel(): Failure<'unknown-model'> {
  return new Failure('unknown-model', 'There is no such model.')
}
