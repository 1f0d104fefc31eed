import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { z } from 'zod'
import { asError, Failure } from '../base/failure.ts'

/**
 * Reads a JSON file of at most `mostBytes` and parses it by `schema`.
 * @param what how messages name it, e.g. "The network file"
 * @throws Failure `file-missing`, `file-too-large`, `file-malformed`
 */
export function readJsonFile<T>(path: string, what: string, mostBytes: number, schema: z.ZodType<T>): T {
  const text = readBounded(path, what, mostBytes)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (thrown) {
    throw new Failure('file-malformed', `${what} ${path} is not JSON: ${asError(thrown).message.slice(0, 120)}`, {
      cause: thrown,
    })
  }
  const repeated = repeatedKey(text)
  if (repeated !== undefined) throw new Failure('file-malformed', `${what} ${path} has a key twice: ${repeated.slice(0, 60)}.`)
  return parseBy(schema, json, `${what} ${path}`)
}

/** A key that one object of this valid JSON has twice: readers would disagree about which of its values counts. */
function repeatedKey(text: string): string | undefined {
  const keys: Array<Set<string> | undefined> = []
  for (const [token, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{') keys.push(new Set())
    else if (token === '[') keys.push(undefined)
    else if (token === '}' || token === ']') keys.pop()
    else if (colon !== undefined) {
      const key = String(JSON.parse(token.slice(0, -colon.length)))
      if (keys.at(-1)?.has(key)) return key
      keys.at(-1)?.add(key)
    }
  }
  return undefined
}

/** Parses by `schema`; what does not fit becomes one sentence a fault. Throws Failure `file-malformed`. */
export function parseBy<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
  throw new Failure('file-malformed', `${what} cannot be used: ${faults.join('; ')}.`, {
    advice: 'docs/operators.md describes the format.',
  })
}

function readBounded(path: string, what: string, mostBytes: number): string {
  let file: number
  try {
    // A pipe without a writer would hold up the plain call for ever.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (thrown) {
    throw new Failure('file-missing', `${what} ${path} cannot be read: ${asError(thrown).message}`, { cause: thrown })
  }
  try {
    // A pipe or a device has no size, and a file may grow while it is read.
    const room = Buffer.alloc(mostBytes + 1)
    let size = 0
    if (!fstatSync(file).isFile()) throw new Failure('file-missing', `${what} ${path} is no ordinary file.`)
    for (let read = 1; read > 0 && size <= mostBytes; size += read) read = readSync(file, room, size, room.length - size, null)
    if (size > mostBytes) throw new Failure('file-too-large', `${what} ${path} is larger than ${mostBytes / 1024} KiB.`)
    return room.toString('utf8', 0, size)
  } finally {
    closeSync(file)
  }
}
