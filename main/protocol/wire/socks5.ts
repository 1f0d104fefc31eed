import { isIPv4 } from 'node:net'

/**
 * The part of SOCKS version 5 (RFC 1928, RFC 1929) that runners and routers speak (10 §6.1): CONNECT to an IPv4 address, without
 * authentication or with the name of a policy in the place of a user name.
 */

export const socksVersion = 5
export const socksMethods = { none: 0, userName: 2, noneAcceptable: 0xff } as const
export const socksCommands = { connect: 1 } as const
export const socksAddressTypes = { ipv4: 1, domain: 3, ipv6: 4 } as const
/** Version of the sub-negotiation of RFC 1929. */
export const authVersion = 1
/** User names and passwords are shorter than this (10 §6.1). */
export const mostAuthBytes = 127

/** Reply codes of RFC 1928 §6. */
export const socksReplies = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  timedOut: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const
export type SocksReply = (typeof socksReplies)[keyof typeof socksReplies]

/** Bytes of a request, and of a reply, with an IPv4 address. */
export const socksAddressBytes = 10

export interface SocksAddress {
  /** IPv4 */
  readonly ip: string
  readonly port: number
}

/** Version, code (command or reply), reserved byte, IPv4 address, port. A TypeError tells that `ip` is no IPv4 address. */
export function writeSocksAddress(code: number, { ip, port }: SocksAddress): Uint8Array {
  if (!isIPv4(ip)) throw new TypeError(`${ip} is no IPv4 address`)
  return Uint8Array.of(socksVersion, code, 0, socksAddressTypes.ipv4, ...ip.split('.').map(Number), port >>> 8, port & 0xff)
}

/** Address and port behind the four bytes in front of them. `bytes` are those 6. */
export function readSocksAddress(bytes: Uint8Array): SocksAddress {
  return { ip: bytes.subarray(0, 4).join('.'), port: (bytes[4] ?? 0) * 256 + (bytes[5] ?? 0) }
}

/** What a refusing router means, for a person. */
export function socksReplyText(code: number): string {
  return replyTexts.get(code) ?? `answered with code ${code}`
}

const replyTexts: ReadonlyMap<number, string> = new Map([
  [socksReplies.failure, 'failed'],
  [socksReplies.notAllowed, 'does not accept the attestation of the peer'],
  [socksReplies.networkUnreachable, 'has no network'],
  [socksReplies.hostUnreachable, 'cannot reach the peer'],
  [socksReplies.refused, 'was refused by the peer'],
  [socksReplies.timedOut, 'waited too long for the peer'],
  [socksReplies.commandNotSupported, 'does not know the command'],
  [socksReplies.addressTypeNotSupported, 'takes only IPv4 addresses'],
])
