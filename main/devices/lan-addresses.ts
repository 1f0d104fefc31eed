import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** The port that is tried first, so that an address without one is enough to type. */
export const usualPort = 4812

/**
 * Addresses under which devices in the same network may reach this computer, private IPv4 first; the loopback address where there is no other.
 * @returns at most 8, each with the port
 */
export function ownAddresses(port: number): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const outward = all.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
  const isPrivate = (address: string): boolean => /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(address)
  const rank = (address: string): number => (isPrivate(address) ? 0 : isIPv4(address) ? 1 : 2)
  const sorted = outward.map(({ address }) => address).toSorted((a, b) => rank(a) - rank(b))
  return (sorted.length > 0 ? sorted : ['127.0.0.1']).slice(0, 8).map((address) => withPort(address, port))
}

export function withPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Host and port of an address as a person types it; null if it is none. Without a port the usual one is meant. */
export function parseAddress(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?))(?::(\d{1,5}))?$/i.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? usualPort)
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port }
}
