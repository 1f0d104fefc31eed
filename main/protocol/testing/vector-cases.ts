import { readFileSync } from 'node:fs'

/** The golden files, as they were captured, by the name that the captures gave them. */
const places = {
  'accounting/request_validation': '../requests/vectors/request_validation.json',
  'accounting/token_counter': '../accounting/vectors/token_counter.json',
  'contracts/contracts': '../../../contracts/vectors/contracts.json',
  'ratls/attestation': '../vectors/ratls/attestation.json',
  'ratls/certificates': '../vectors/ratls/certificates.json',
  'ratls/pow': '../vectors/ratls/pow.json',
  'ratls/pow_and_tls_against_router': '../vectors/ratls/pow_and_tls_against_router.json',
  'ratls/tdx_quote_sample': '../vectors/ratls/tdx_quote_sample.json',
  'ratls/verification': '../vectors/ratls/verification.json',
  'tl/constructor_ids': '../vectors/tl/constructor_ids.json',
  'tl/serialization': '../vectors/tl/serialization.json',
  'wire/node_behaviour_scripted_proxy': '../vectors/wire/node_behaviour_scripted_proxy.json',
  'wire/proxy_behaviour_scripted_peers': '../../proxy/vectors/proxy_behaviour_scripted_peers.json',
  'wire/session_long_auth_clean_proxy_restart': '../vectors/wire/session_long_auth_clean_proxy_restart.json',
  'wire/session_long_auth_then_proxy_crash_loss': '../vectors/wire/session_long_auth_then_proxy_crash_loss.json',
  'wire/session_short_auth_all_requests': '../vectors/wire/session_short_auth_all_requests.json',
  'wire/session_short_auth_worker_states': '../vectors/wire/session_short_auth_worker_states.json',
} as const

export type VectorFile = keyof typeof places
export const vectorFiles = Object.keys(places) as VectorFile[]

/** The content of a file. Numbers keep their text where `exactNumbers` is asked for, since some are beyond 2^53. */
export function readVectors<T>(file: VectorFile, options: { exactNumbers?: boolean } = {}): T {
  const text = readFileSync(new URL(places[file], import.meta.url), 'utf8')
  if (!options.exactNumbers) return JSON.parse(text) as T
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? `number ${context?.source}` : value,
  ) as T
}

/** One thing that happened on a recorded connection. */
export interface VectorEvent {
  readonly n: number
  readonly t: number
  readonly dir: 'c2s' | 's2c' | null
  readonly kind: string
  readonly hex?: string
  readonly frame_hex?: string
  readonly seqno?: number
  /** The decoded body of a frame; absent when the frame holds no packet. */
  readonly tl?: unknown
  readonly after_step?: string
}

/** Every recorded connection of a file of `wire/`, under a name that tells it from the others. */
export function connectionsOf(
  file: VectorFile,
): { readonly name: string; readonly leg: string; readonly events: VectorEvent[] }[] {
  const recording = readVectors<Recording>(file, { exactNumbers: true })
  const session = (recording.connections ?? []).map(({ leg, connection, events }) => ({
    name: `${leg}#${String(connection).replace('number ', '')}`,
    leg,
    events,
  }))
  const cases = (recording.cases ?? []).flatMap((one, at) =>
    (one.connections ?? [{ role: one.node ?? '', events: one.events ?? [] }]).map(({ role, events }, i) => ({
      name: `case ${at}, ${role} ${i}`,
      leg: role,
      events,
    })),
  )
  return [...session, ...cases].map(({ name, leg, events }) => ({ name, leg, events: events.map(withPlainPosition) }))
}

interface Recording {
  readonly connections?: readonly { leg: string; connection: unknown; events: VectorEvent[] }[]
  readonly cases?: readonly {
    case: string
    node?: string
    events?: VectorEvent[]
    connections?: readonly { role: string; events: VectorEvent[] }[]
  }[]
  readonly http_steps?: readonly { name: string }[]
}

/** Position and time as numbers again, which they lost to `exactNumbers`. */
function withPlainPosition(event: VectorEvent): VectorEvent {
  const plain = (value: unknown): number => Number(String(value).replace('number ', ''))
  return { ...event, n: plain(event.n), t: plain(event.t), ...(event.seqno !== undefined && { seqno: plain(event.seqno) }) }
}

/** Events in which bytes of the protocol were sent. */
export const wireKinds: ReadonlySet<string> = new Set([
  'frame',
  'attested-peer-info',
  'socks5-greeting',
  'socks5-method-reply',
  'socks5-connect-request',
  'socks5-connect-reply',
  'pow-challenge',
  'pow-response',
  'tls',
  'bytes',
])

export const eventCase = (connection: string, event: VectorEvent): string => `${connection}/${event.n} ${event.kind}`

/** Names of all cases that a file holds, computed from the file. */
export function casesOf(file: VectorFile): string[] {
  const names = listed(file)
  if (new Set(names).size !== names.length) throw new Error(`${file} has two cases of one name`)
  return names
}

function listed(file: VectorFile): string[] {
  const indexed = (list: readonly unknown[], what: string): string[] => list.map((_, i) => `${what} ${i}`)
  switch (file) {
    case 'accounting/request_validation':
    case 'ratls/pow':
      return indexed(readVectors<unknown[]>(file), 'case')
    case 'accounting/token_counter': {
      const content = readVectors<Record<string, unknown[]>>(file)
      return Object.entries(content).flatMap(([name, list]) => indexed(list, name))
    }
    case 'contracts/contracts': {
      const { variants } = readVectors<{ variants: Record<string, unknown>[] }>(file)
      return variants.flatMap((variant, v) => contractCases(variant).map((name) => `variant ${v}: ${name}`))
    }
    case 'ratls/attestation': {
      const { attested_peer_info, ...others } = readVectors<Record<string, unknown[]>>(file)
      return [...Object.keys(others), ...indexed(attested_peer_info ?? [], 'attested_peer_info')]
    }
    case 'ratls/certificates':
      return Object.keys(readVectors<{ certificates: object }>(file).certificates)
    case 'ratls/pow_and_tls_against_router':
    case 'ratls/verification':
      return indexed(readVectors<{ cases: unknown[] }>(file).cases, 'case')
    case 'ratls/tdx_quote_sample':
      return ['image hash', ...Object.keys(readVectors<{ fields: object }>(file).fields).map((name) => `field ${name}`)]
    case 'tl/constructor_ids': {
      const { constructors, bool } = readVectors<{ constructors: { name: string }[]; bool: object }>(file)
      return [...constructors.map(({ name }) => name), ...Object.keys(bool).map((name) => `bool.${name}`)]
    }
    case 'tl/serialization': {
      const { examples, long_bytes } = readVectors<{ examples: unknown[]; long_bytes: unknown[] }>(file)
      return [...indexed(examples, 'example'), ...indexed(long_bytes, 'long')]
    }
    default: {
      const recording = readVectors<Recording>(file)
      const events = connectionsOf(file).flatMap(({ name, events: all }) =>
        all.filter(({ kind }) => wireKinds.has(kind)).map((event) => eventCase(name, event)),
      )
      const played = connectionsOf(file).filter(({ leg }) => playedLegs.has(leg))
      return [
        ...events,
        ...(recording.cases ?? []).map((one) => `played: ${one.node === undefined ? '' : `${one.node}, `}${one.case}`),
        ...played.map(({ name }) => `played: ${name}`),
        ...(recording.http_steps ?? []).map(({ name }) => `step: ${name}`),
      ]
    }
  }
}

/** Legs of the sessions that one of our roles takes part in: as client, as worker, as proxy to either. */
const playedLegs: ReadonlySet<string> = new Set(['csocks', 'wsocks', 'cplain', 'wplain'])

/** What one set of contract parameters holds: lists and groups by their members, the rest by name. */
function contractCases(variant: Record<string, unknown>): string[] {
  return Object.entries(variant).flatMap(([name, value]) => {
    if (name === 'note' || name === 'root_config') return []
    if (Array.isArray(value)) return value.map((_, i) => `${name} ${i}`)
    if (['params_cells', 'cocoon_wallets', 'messages'].includes(name))
      return Object.keys(value as object)
        .filter((key) => key !== 'note')
        .map((key) => `${name}.${key}`)
    return [name]
  })
}
