import { isIP } from 'node:net'
import { Failure } from '../base/failure.ts'

/** A port of a router. */
export type RouterPort =
  /** The way out: runners ask by SOCKS5. Loopback only, since it does whatever it is asked for. */
  | { readonly kind: 'socks'; readonly port: number; readonly policy: string }
  /** The way in, on all interfaces: peers that pass the policy reach the target. */
  | {
      readonly kind: 'forward'
      readonly port: number
      readonly target: { readonly host: string; readonly port: number }
      readonly policy: string
    }

export interface RouterLimits {
  /** Longest that a peer or a runner may take to be connected. */
  readonly handshakeLimitMs: number
  /** Longest that a connection for a runner may take, proof of work included; below `handshakeLimitMs`, so that the runner is told. */
  readonly dialLimitMs: number
  /** A connection on which nothing moves for so long is closed. */
  readonly idleLimitMs: number
  readonly mostHandshakes: number
  readonly mostConnections: number
}

/** Runners ping after 10 s and give up after 20 s of silence (10 §3), so an idle connection is a dead one. */
export const usualRouterLimits: RouterLimits = {
  handshakeLimitMs: 20_000,
  dialLimitMs: 18_000,
  idleLimitMs: 120_000,
  mostHandshakes: 128,
  mostConnections: 1_024,
}

/** Ports below are the system's (10 §6.2). */
const leastPort = 1_024

/** `port[@policy]`, as the reference writes it. @throws Failure `bad-router-port` */
export function parseSocksPort(text: string): RouterPort {
  const { bare, policy } = splitPolicy(text)
  return { kind: 'socks', port: portOf(bare, text), policy }
}

/** `port:host:port[@policy]`, host being an IP address of the runner. @throws Failure `bad-router-port` */
export function parseForwardPort(text: string): RouterPort {
  const { bare, policy } = splitPolicy(text)
  const parts = /^(\d+):(.+):(\d+)$/.exec(bare)
  const [, port = '', host = '', targetPort = ''] = parts ?? []
  const ip = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(ip) === 0) throw badPort(text)
  return { kind: 'forward', port: portOf(port, text), target: { host: ip, port: portOf(targetPort, text) }, policy }
}

function splitPolicy(text: string): { bare: string; policy: string } {
  const at = text.indexOf('@')
  return at < 0 ? { bare: text, policy: 'any' } : { bare: text.slice(0, at), policy: text.slice(at + 1) }
}

function portOf(text: string, whole: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < leastPort || port > 65_535) throw badPort(whole)
  return port
}

function badPort(text: string): Failure<'bad-router-port'> {
  return new Failure('bad-router-port', `${text} is no port of a router.`, {
    advice: 'Write 8116@any for the way out and 11001:127.0.0.1:11101@any for the way in; ports go from 1024 to 65535.',
  })
}
