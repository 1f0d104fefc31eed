import { type HttpPlace, isLoopback } from '../../base/http-listener.ts'
import { newestVersion, type VersionRange } from '../../protocol/handshake/versions.ts'

/** The command line is wrong; the message says what is expected. */
export class UsageError extends Error {}

export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, not ${text}.`)
}

/** Toncoin as people write them, in nanoton. */
export function toncoin(name: string, text: string): bigint {
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?$/.exec(text)
  if (match === null) throw new UsageError(`--${name} must be an amount of TON, e.g. 5 or 0.5, not ${text}.`)
  return BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
}

/** `host:port`, or a port alone for this computer only. */
export function hostAndPort(name: string, text: string): HttpPlace {
  const match = /^(?:(\[[0-9a-fA-F:]+\]|[^:\s]+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2] ?? Number.NaN)
  if (!(port <= 65_535)) throw new UsageError(`--${name} must be host:port, not ${text}.`)
  return { host: (match?.[1] ?? '127.0.0.1').replaceAll(/[[\]]/g, ''), port }
}

/** A router: the way to it is not encrypted, so it is on this computer. @throws UsageError */
export function routerPlace(name: string, text: string): HttpPlace {
  const place = hostAndPort(name, text)
  if (isLoopback(place.host)) return place
  throw new UsageError(
    `--${name} must be a router on this computer, e.g. 127.0.0.1:${place.port}: the way to it is not encrypted.`,
  )
}

/** Name of a model as the network takes it: 1 to 512 bytes. @throws UsageError */
export function modelName(text: string | undefined): string {
  const name = required('model', text)
  if (name.trim() !== '' && Buffer.byteLength(name) <= 512) return name
  throw new UsageError('--model must be a name of 1 to 512 bytes.')
}

/** `1-4`, or one version alone. @param least the oldest that the role speaks */
export function versionRange(name: string, text: string, least: number): VersionRange {
  const [, first = '', last = first] = /^(\d)(?:-(\d))?$/.exec(text) ?? []
  const range = { least: Number(first), most: Number(last) }
  if (first !== '' && range.least >= least && range.least <= range.most && range.most <= newestVersion) return range
  throw new UsageError(`--${name} must be protocol versions from ${least} to ${newestVersion}, e.g. ${least}-2, not ${text}.`)
}

/** A text that is JSON, as it was written. */
export function jsonText(name: string, text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch {
    throw new UsageError(`--${name} must be JSON, e.g. '{"gpu":"none"}'.`)
  }
}

export function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text)
  if (found === undefined) throw new UsageError(`--${name} must be one of ${choices.join(', ')}, not ${text}.`)
  return found
}

export function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new UsageError(`--${name} is missing.`)
  return value
}
