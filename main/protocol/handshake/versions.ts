/** The protocol versions that one side of a connection speaks, both ends included (protocol 00 §6, 95 §2). */
export interface VersionRange {
  readonly least: number
  readonly most: number
}

/** The newest version that is known here. */
export const newestVersion = 4
/** From here on queries carry keys (`public_key`, `private_key`); 32 zero bytes say that the query is not encrypted. */
export const keysSince = 3
/** What the network's nodes spoke when they were recorded; the newest without keys. */
export const versionsWithoutKeys: VersionRange = { least: 1, most: 2 }
export const allVersions: VersionRange = { least: 1, most: newestVersion }

/** @throws RangeError for a range upside down, or with versions that are not known here */
export function checkVersions({ least, most }: VersionRange): void {
  if (Number.isInteger(least) && Number.isInteger(most) && least >= 0 && least <= most && most <= newestVersion) return
  throw new RangeError(`no range of protocol versions: ${least} to ${most}`)
}

const keyBytes = 32
const noKey: Uint8Array = new Uint8Array(keyBytes)

/** A key that a query carried, of its own; undefined for none and for the 32 zero bytes that stand for none (protocol 95 §2). */
export function carriedKey(field: Uint8Array | undefined): Uint8Array | undefined {
  return field === undefined || field.every((byte) => byte === 0) ? undefined : field.slice()
}

/** The field of a query for a peer of that version: always there from version 3 on, never before. */
export function keyField(version: number, key: Uint8Array | undefined): Uint8Array | undefined {
  if (key !== undefined && key.length !== keyBytes) throw new RangeError('a key has 32 bytes')
  return version < keysSince ? undefined : (key ?? noKey)
}
