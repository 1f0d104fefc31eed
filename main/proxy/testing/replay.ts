import { decode } from '../../protocol/tl/codec.ts'
import type { CocoonProxy } from '../proxy.ts'
import { RawPeer, type Received } from './raw-peer.ts'

interface Json {
  readonly [key: string]: unknown
}

interface GoldenEvent {
  readonly n: number
  readonly t: number
  readonly dir?: string
  readonly kind: string
  readonly frame_hex?: string
  readonly hex?: string
  readonly tl?: Json
}

export interface GoldenCase {
  readonly case: string
  readonly connections: readonly { readonly role: string; readonly events: readonly GoldenEvent[] }[]
}

/** What was expected and what came, as comparable text, in order. */
export interface Outcome {
  readonly expected: string
  readonly received: string
}

/** Golden waits of a second are cut to this. */
const quietMs = 120

class Replay {
  readonly outcomes: Outcome[] = []
  /** Request ids of the reference's worker side, in order of appearance, with ours. */
  readonly #ids = new Map<string, string>()
  readonly #ourIds: string[] = []
  readonly #peers = new Map<number, RawPeer>()
  /** Peers that hung up by the script. */
  readonly #left = new Set<number>()
  readonly #proxy: CocoonProxy
  readonly #golden: GoldenCase
  readonly #baseline: number
  readonly #slackMs: number
  readonly #extras: number

  constructor(golden: GoldenCase, proxy: CocoonProxy, { baseline, slackMs = 700, extras = 0 }: ReplayOptions) {
    this.#extras = extras
    this.#slackMs = slackMs
    this.#golden = golden
    this.#proxy = proxy
    const totals = golden.connections.flatMap((one) =>
      one.events.filter((e) => e.dir === 's2c').flatMap((e) => allNumbers(e.tl, 'max_tokens')),
    )
    this.#baseline = baseline ?? (golden.connections.length === 1 ? 0 : Math.min(...totals))
  }

  async run(): Promise<Outcome[]> {
    const events = this.#golden.connections
      .flatMap((connection, at) => connection.events.map((event) => ({ at, role: connection.role, event })))
      .sort((a, b) => a.event.t - b.event.t || a.event.n - b.event.n)
    let before = events[0]?.event.t ?? 0
    for (const { at, role, event } of events) {
      // The reference needed this long; a loaded machine may need some more.
      await this.#step(at, role, event, Math.min((event.t - before) * 1000, 4000) + this.#slackMs)
      before = event.t
    }
    const until = Date.now() + this.#slackMs
    const unread = (): number => [...this.#peers.values()].reduce((sum, peer) => sum + peer.unread, 0)
    for (const peer of this.#peers.values()) await peer.silent(30)
    while (unread() < this.#extras && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
    for (const [at, peer] of this.#peers) {
      for (const extra of this.#left.has(at) ? [] : rest(peer)) {
        this.outcomes.push({ expected: `${this.#role(at)} nothing`, received: `${this.#role(at)} ${this.#describe(extra, at)}` })
      }
    }
    for (const peer of this.#peers.values()) peer.end()
    return this.outcomes
  }

  #role(at: number): string {
    return this.#golden.connections[at]?.role ?? ''
  }

  async #peer(at: number, role: string): Promise<RawPeer> {
    const known = this.#peers.get(at)
    if (known !== undefined) return known
    const { clientPort, workerPort } = this.#proxy.status.value
    const port = role === 'client' ? clientPort : workerPort
    if (port === null) throw new Error('the proxy has no ports')
    const peer = await RawPeer.open(port)
    this.#peers.set(at, peer)
    return peer
  }

  async #step(at: number, role: string, event: GoldenEvent, limit: number): Promise<void> {
    const peer = await this.#peer(at, role)
    if (event.kind === 'event-closed-by-us') {
      this.#left.add(at)
      return peer.end()
    }
    if (event.kind === 'event-nothing-received') {
      await peer.silent(quietMs)
      return
    }
    if (event.dir === 'c2s') {
      const hex = event.frame_hex ?? event.hex ?? ''
      peer.write(Buffer.from(this.#translate(hex), 'hex'))
      return
    }
    const received = await peer.next(limit).catch((): undefined => undefined)
    // In this order: describing what came learns the id of a forwarded query, which the expectation then pairs with the golden one.
    const came = received === undefined ? 'nothing' : this.#describe(received, at)
    const due = event.kind === 'event-closed-by-peer' ? 'closed' : this.#expectation(event, role)
    this.outcomes.push({ expected: `${role} ${due}`, received: `${role} ${came}` })
  }

  #translate(hex: string): string {
    let text = hex
    for (const [theirs, ours] of this.#ids) text = text.replaceAll(theirs, ours)
    return text
  }

  #expectation(event: GoldenEvent, role: string): string {
    const tl = plain(event.tl ?? {})
    const { data_decoded, ...packet } = tl
    const inner = data_decoded as Json | undefined
    const type = String(inner?.['@type'] ?? '')
    if (role.startsWith('worker') && type.startsWith('proxy.runQuery')) {
      const ours = this.#ourIds[this.#ids.size]
      if (ours !== undefined) this.#ids.set(String(inner?.request_id), ours)
    }
    return JSON.stringify(normal({ ...packet, data: undefined, inner: inner && this.#relative(inner) }, role))
  }

  #relative(inner: Json): Json {
    return typeof inner.max_tokens === 'number' ? { ...inner, max_tokens: inner.max_tokens - this.#baseline } : inner
  }

  #describe(received: Received, at: number): string {
    if (received.kind === 'closed') return 'closed'
    const role = this.#role(at)
    const { packet, inner } = received
    const shown = plain(inner ?? {}) as Json
    const type = String(shown['@type'] ?? '')
    if (role.startsWith('worker') && type.startsWith('proxy.runQuery')) this.#ourIds.push(String(shown.request_id))
    const behind =
      ('db_tokens' in shown || 'tokens_committed_to_db' in shown) &&
      (shown.db_tokens ?? shown.tokens_committed_to_db) !== shown.max_tokens
    const note = behind ? { promised: 'before it was on disk' } : {}
    const outer = plain(packet) as Json
    return JSON.stringify(normal({ ...outer, data: undefined, inner: inner && { ...shown, ...note } }, role))
  }
}

function* rest(peer: RawPeer): Generator<Received> {
  for (let item = peer.takeUnread(); item !== undefined; item = peer.takeUnread()) yield item
}

function allNumbers(value: unknown, key: string): number[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === key && typeof inner === 'number' ? [inner] : allNumbers(inner, key),
  )
}

/** Bigints as numbers, bytes as hex: the form of the golden file, with its `{hex}` wrappers taken off. */
function plain(value: unknown): Json {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner === 'bigint') return Number(inner)
      if (inner instanceof Uint8Array) return Buffer.from(inner).toString('hex')
      if (typeof inner === 'object' && inner !== null && 'hex' in inner) return inner.hex
      return inner
    }),
  ) as Json
}

const dropped = new Set([
  'data',
  'payload_text',
  'answer_text',
  'query_decoded',
  'answer_decoded',
  'db_tokens',
  'tokens_committed_to_db',
])
const texts = new Set(['error', 'message', 'proxy_debug'])
const times = new Set(['proxy_start_time', 'proxy_end_time'])

/** What is compared: everything but random ids, times, signatures and the wording of errors. Keys in a fixed order. */
function normal(value: Json, role: string): Json {
  const walk = (key: string, inner: unknown): unknown => {
    if (texts.has(key)) return 'text'
    if (times.has(key)) return 'time'
    // Whether connectedToProxy carries a payment depends on what the process did before.
    if (key === 'signed_payment') return value['@type'] === 'tcp.queryAnswer' ? 'payment' : (inner as Json)['@type']
    if (key === 'request_id' && role.startsWith('worker')) return 'id'
    if (key === 'answer' && typeof inner === 'string' && inner.startsWith('2bc4d01c')) {
      return walk('', plain(decode(Buffer.from(inner, 'hex'), 'http.response')))
    }
    if (Array.isArray(inner)) return inner.map((item) => walk('', item))
    if (typeof inner !== 'object' || inner === null) return inner
    const named = inner as Json
    if (named['@type'] === 'http.header' && String(named.name).startsWith('X-Cocoon-Proxy')) return { name: named.name }
    return Object.fromEntries(
      Object.entries(named)
        .filter(([name, field]) => !dropped.has(name) && field !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, field]) => [name, walk(name, field)]),
    )
  }
  return walk('', value) as Json
}

/** What a router of the captures said of its peer. */
export function peerInfoOf(cases: readonly GoldenCase[]): Uint8Array {
  const events = cases.flatMap((one) => one.connections.flatMap((connection) => connection.events))
  return Buffer.from(events.find((event) => event.kind === 'attested-peer-info')?.hex ?? '', 'hex')
}

export interface ReplayOptions {
  /** Tokens that the recorded proxy had counted before and ours has not; by default the least total that it told. */
  readonly baseline?: number
  /** How much longer than the recorded one our proxy may take for an answer; 700. */
  readonly slackMs?: number
  /** Messages that ours is known to send behind the last recorded one; they are waited for. */
  readonly extras?: number
}

/** Plays the scripted side of a golden case against our proxy. */
export function replay(golden: GoldenCase, proxy: CocoonProxy, options: ReplayOptions = {}): Promise<Outcome[]> {
  return new Replay(golden, proxy, options).run()
}

/**
 * A line for everything that differs from the golden case: `role: expected -> received`, each as type and error code; when those are
 * equal the whole of both.
 */
export function differences(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter((one) => one.expected !== one.received)
    .map((one) => {
      const [role = '', expected, received] = [one.expected.split(' ')[0], brief(one.expected), brief(one.received)]
      return expected === received ? `${one.expected} -> ${one.received}` : `${role}: ${expected} -> ${received}`
    })
}

function brief(text: string): string {
  const [, body = ''] = /^\S+ (.*)$/s.exec(text) ?? []
  if (!body.startsWith('{')) return body
  const { inner, ...packet } = JSON.parse(body) as Json & { inner?: Json }
  const shown = inner ?? packet
  return [shown['@type'], shown.error_code ?? shown.code, shown.request_tokens].filter((part) => part !== undefined).join(' ')
}
