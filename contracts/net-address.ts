/** Where a proxy listens. IPv4 only, as the network's software (protocol 60 §3.3). */
export interface NetAddress {
  readonly host: string
  readonly port: number
}

/** One entry of the root contract's list of proxies. */
export interface ProxyEndpoints {
  readonly forWorkers: NetAddress
  readonly forClients: NetAddress
}

/** `ip:port` (both roles) or `ip:port ip:port` (workers first); null when it does not parse. */
export function parseEndpoints(text: string): ProxyEndpoints | null {
  const parts = text.split(' ')
  const forWorkers = parseNetAddress(parts[0] ?? '')
  if (forWorkers === null || parts.length > 2) return null
  const forClients = parts[1] === undefined ? forWorkers : parseNetAddress(parts[1])
  return forClients === null ? null : { forWorkers, forClients }
}

/** The shortest text that `parseEndpoints` reads back. */
export function formatEndpoints(endpoints: ProxyEndpoints): string {
  const workers = formatNetAddress('forWorkers', endpoints.forWorkers)
  const clients = formatNetAddress('forClients', endpoints.forClients)
  return workers === clients ? workers : `${workers} ${clients}`
}

/** `ip:port`, surrounding brackets are stripped; null when it is anything else. */
export function parseNetAddress(text: string): NetAddress | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}):(\d{1,5})$/.exec(bare)
  if (match === null) return null
  const host = match[1] ?? ''
  const port = Number(match[2])
  if (port < 1 || port > 65_535 || host.split('.').some((part) => Number(part) > 255)) return null
  return { host, port }
}

function formatNetAddress(name: string, address: NetAddress): string {
  const text = `${address.host}:${address.port}`
  if (parseNetAddress(text) === null) throw new RangeError(`${name} must be an IPv4 address and a port, got ${text}`)
  return text
}
