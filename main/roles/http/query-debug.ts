import { createHash } from 'node:crypto'
import type { HopDebug } from '../../client/running-query.ts'

/** What the hops say about one query, and the client itself: times, nothing of question or answer. */
export interface DebugEntry {
  readonly proxy?: Readonly<Record<string, unknown>>
  readonly worker?: Readonly<Record<string, unknown>>
  readonly client: Readonly<Record<string, unknown>>
}

/** Of what a stranger says so much is passed on. */
const mostLetters = 64 * 1024

function objectOf(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined || text.length > mostLetters) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Notes the times of one query whose program asked for them with `enable_debug` (protocol 30 §7.5). */
export class QueryDebug {
  readonly #startedAtMs: number
  #answeredAtMs = 0

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs
  }

  /** The answer begins. */
  answered(nowMs: number): void {
    this.#answeredAtMs = nowMs
  }

  /** @param hops undefined where the query never left; what is no JSON object is left out */
  entry(hops: HopDebug | undefined, nowMs: number): DebugEntry {
    const [proxy, worker] = [objectOf(hops?.proxy), objectOf(hops?.worker)]
    const client = {
      answer_receive_end_at: nowMs / 1000,
      answer_receive_start_at: this.#answeredAtMs / 1000,
      start_time: this.#startedAtMs / 1000,
      type: 'client_stats',
    }
    return { ...(proxy === undefined ? {} : { proxy }), ...(worker === undefined ? {} : { worker }), client }
  }
}

/** What follows a body that has left already: a comment of an event stream, or one more JSON value; nothing in other forms. */
export function debugTail(contentType: string | undefined, entry: DebugEntry): string {
  const type = contentType?.toLowerCase() ?? ''
  if (type.includes('text/event-stream')) return `: cocoon-debug ${JSON.stringify(entry)}\n\n`
  return type.includes('json') ? `${JSON.stringify({ debug: entry })}\n` : ''
}

/** The body with `debug` in its last JSON value; behind it where that is no object. */
export function withDebug(body: string, contentType: string | undefined, entry: DebugEntry): string {
  const end = body.lastIndexOf('}')
  if (end < 0 || body.slice(end + 1).trim() !== '') return `${body}\n${debugTail(contentType, entry)}`
  const comma = body.slice(0, end).trimEnd().endsWith('{') ? '' : ','
  return `${body.slice(0, end)}${comma}"debug":${JSON.stringify(entry)}${body.slice(end)}`
}

const mostEntries = 256
const mostBytes = 1 << 20

/** The newest entries by the `request_guid` of their programs, of which only the hash is kept. In memory only. */
export class DebugLog {
  readonly #entries = new Map<string, string>()
  #bytes = 0

  keep(guid: string, entry: DebugEntry): void {
    const name = nameOf(guid)
    this.#forget(name)
    const text = JSON.stringify(entry)
    this.#entries.set(name, text)
    this.#bytes += text.length
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= mostEntries && this.#bytes <= mostBytes) break
      this.#forget(oldest)
    }
  }

  /** JSON text; undefined where nothing is kept. */
  find(guid: string): string | undefined {
    return this.#entries.get(nameOf(guid))
  }

  #forget(name: string): void {
    this.#bytes -= this.#entries.get(name)?.length ?? 0
    this.#entries.delete(name)
  }
}

const nameOf = (guid: string): string => createHash('sha256').update(guid).digest('hex')
