import { BlockList, isIP } from 'node:net'
import { Failure } from '../base/failure.ts'

const mostRedirects = 10
/** What a request may take along to another server: never a password. */
const notSecret: ReadonlySet<string> = new Set(['range', 'if-range'])

/**
 * Asks a source for a file, whole or in part, and goes where it leads: to web addresses only, never from an encrypted connection to one that is not, and
 * never from the open network to this computer or its own network. The file comes as it is: Node asks for that by itself where a range is asked for.
 * Throws `Failure` `source-refused` when the answer leads nowhere or the file comes packed, and what `fetch` throws when nobody answers.
 */
export async function askSource(
  url: string,
  { headers, signal, source }: { headers: Readonly<Record<string, string>>; signal: AbortSignal; source: string },
): Promise<Response> {
  let at = new URL(url)
  let sent = 'Range' in headers ? headers : { ...headers, 'Accept-Encoding': 'identity' }
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await fetch(at.href, { headers: sent, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      const packed = response.headers.get('content-encoding') ?? 'identity'
      if (packed === 'identity') return response
      await response.body?.cancel()
      throw unusable(source, `it sends the file packed (${packed.slice(0, 20)})`)
    }
    await response.body?.cancel()
    const next = URL.parse(location, at.href)
    const why = next === null ? 'it leads to what is no address' : whyNotTo(next, at)
    if (next === null || why !== undefined) throw unusable(source, why ?? '')
    if (next.origin !== at.origin)
      sent = Object.fromEntries(
        Object.entries(sent).filter(([name]) => notSecret.has(name.toLowerCase()) || name === 'Accept-Encoding'),
      )
    at = next
  }
  throw unusable(source, 'it leads from one address to the next without end')
}

/** Why a source at `from` may not lead to `to`; undefined where it may. */
export function whyNotTo(to: URL, from: URL): string | undefined {
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return 'it leads to an address that is none of the web'
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'it leads to a connection that is not encrypted'
  if (isNear(to.hostname) && !isNear(from.hostname)) return 'it leads into the network of this computer'
  return undefined
}

/** The answer cannot be used, and asking again would not change that. */
export function unusable(source: string, why: string): Failure<'source-refused'> {
  return new Failure('source-refused', `${source} answers in a way that cannot be used: ${why}.`, { values: { source } })
}

/** Addresses of this computer and of networks that are not the internet (RFC 6890). */
const near = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  near.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  near.addSubnet(net, bits, 'ipv6')

function isNear(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const kind = isIP(host)
  return kind !== 0 && near.check(host, kind === 4 ? 'ipv4' : 'ipv6')
}
