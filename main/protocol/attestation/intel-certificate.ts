import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { bitsOf, childrenOf, type DerElement, derTags, expectTag, oidOf, readDer, smallIntegerOf, timeOf } from './der.ts'

/** What is needed of a certificate of Intel's chains: X.509 v3, P-256, ECDSA with SHA-256 (RFC 5280). Nothing in it is verified. */
export interface IntelCertificate {
  readonly der: Uint8Array
  readonly commonName: string
  /** Names as DER, for comparison. */
  readonly subject: Uint8Array
  readonly issuer: Uint8Array
  /** Hex of the DER integer. */
  readonly serial: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** x and y of the P-256 key behind a byte 4, 65 bytes. */
  readonly point: Uint8Array
  readonly key: KeyObject
  readonly signed: Uint8Array
  readonly signature: Uint8Array
  readonly isAuthority: boolean
  /** How many authorities may stand below it; undefined without a limit. */
  readonly pathLength: number | undefined
  readonly mayCertify: boolean
  readonly maySign: boolean
  readonly maySignLists: boolean
  readonly extensions: ReadonlyMap<string, DerExtension>
}

export interface DerExtension {
  readonly critical: boolean
  readonly value: Uint8Array
}

const oids = {
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
}
const knownCritical: ReadonlySet<string> = new Set([oids.basicConstraints, oids.keyUsage])
/** Subject public key of P-256 up to the point (RFC 5480). */
const p256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')
const pointBytes = 65

/** @throws TypeError, Error when it is no such certificate, or has a critical extension that is not known */
export function readIntelCertificate(der: Uint8Array): IntelCertificate {
  const [body, algorithm, signature, ...more] = childrenOf(readDer(der), derTags.sequence)
  if (more.length > 0) throw new TypeError('too many parts of a certificate')
  requireEcdsa(algorithm)
  const fields = childrenOf(body, derTags.sequence)
  const [version, serial, innerAlgorithm, issuer, validity, subject, keyInfo] = fields
  const [versionNumber] = childrenOf(version, derTags.explicit0)
  if (smallIntegerOf(versionNumber) !== 2) throw new TypeError('a certificate of another version than 3')
  requireEcdsa(innerAlgorithm)
  const [notBefore, notAfter, ...moreTimes] = childrenOf(validity, derTags.sequence)
  if (moreTimes.length > 0) throw new TypeError('too many dates')
  const extensions = readExtensions(fields.slice(7), derTags.explicit3)
  const usage = keyUsageOf(extensions)
  const { key, point } = keyOf(expectTag(keyInfo, derTags.sequence).whole)
  return {
    der,
    commonName: commonNameOf(subject),
    subject: expectTag(subject, derTags.sequence).whole,
    issuer: expectTag(issuer, derTags.sequence).whole,
    serial: hexOf(expectTag(serial, derTags.integer).content),
    notBeforeMs: timeOf(notBefore),
    notAfterMs: timeOf(notAfter),
    point,
    key,
    signed: expectTag(body, derTags.sequence).whole,
    signature: bitsOf(signature),
    ...constraintsOf(extensions),
    maySign: (usage & 0x80) !== 0,
    mayCertify: (usage & 0x04) !== 0,
    maySignLists: (usage & 0x02) !== 0,
    extensions,
  }
}

/** Whether `key` made the ECDSA signature, given as DER, over `signed`. */
export function isSignedBy(key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  return verify('sha256', signed, key, signature)
}

/** Whether the P-256 key made the ECDSA signature, given as r and s, over `signed`. */
export function isSignedRaw(key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

/** The key of x and y, 32 bytes each. @throws Error when they are no point of the curve */
export function p256Key(xy: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([p256Prefix, Uint8Array.of(4), xy]), format: 'der', type: 'spki' })
}

/** What 10 §8 calls the collateral root hash: SHA-384 of the root's key as an uncompressed point, 65 bytes. */
export function rootKeyHash(root: Pick<IntelCertificate, 'point'>): Uint8Array {
  return new Uint8Array(createHash('sha384').update(root.point).digest())
}

/** The extensions inside an explicit tag; none when it is left out. @throws TypeError */
export function readExtensions(fields: readonly DerElement[], tag: number): ReadonlyMap<string, DerExtension> {
  const [holder, ...more] = fields
  const extensions = new Map<string, DerExtension>()
  if (holder === undefined) return extensions
  if (more.length > 0) throw new TypeError('something behind the extensions')
  const [list] = childrenOf(holder, tag)
  for (const one of childrenOf(list, derTags.sequence)) {
    const parts = childrenOf(one, derTags.sequence)
    const oid = oidOf(parts[0])
    const critical = parts.length === 3 && expectTag(parts[1], derTags.boolean).content[0] === 0xff
    if (extensions.has(oid)) throw new TypeError(`extension ${oid} twice`)
    if (critical && !knownCritical.has(oid)) throw new TypeError(`unknown critical extension ${oid}`)
    extensions.set(oid, { critical, value: expectTag(parts.at(-1), derTags.octetString).content })
  }
  return extensions
}

/** @throws TypeError */
export function requireEcdsa(algorithm: DerElement | undefined): void {
  const [oid, ...more] = childrenOf(algorithm, derTags.sequence)
  if (oidOf(oid) !== oids.ecdsaWithSha256 || more.length > 0) throw new TypeError('not signed with ECDSA and SHA-256')
}

function constraintsOf(extensions: ReadonlyMap<string, DerExtension>): Pick<IntelCertificate, 'isAuthority' | 'pathLength'> {
  const extension = extensions.get(oids.basicConstraints)
  if (extension === undefined) return { isAuthority: false, pathLength: undefined }
  const [authority, length] = childrenOf(readDer(extension.value), derTags.sequence)
  if (authority === undefined) return { isAuthority: false, pathLength: undefined }
  const isAuthority = expectTag(authority, derTags.boolean).content[0] === 0xff
  return { isAuthority, pathLength: length === undefined ? undefined : smallIntegerOf(length) }
}

/** The first byte of the key usage; zero without one. */
function keyUsageOf(extensions: ReadonlyMap<string, DerExtension>): number {
  const extension = extensions.get(oids.keyUsage)
  if (extension === undefined) return 0
  return readDer(extension.value, derTags.bitString).content[1] ?? 0
}

function keyOf(keyInfo: Uint8Array): { key: KeyObject; point: Uint8Array } {
  if (keyInfo.length !== p256Prefix.length + pointBytes || !p256Prefix.equals(keyInfo.subarray(0, p256Prefix.length)))
    throw new TypeError('a key that is not of P-256')
  const point = keyInfo.slice(p256Prefix.length)
  return { point, key: p256Key(point.subarray(1)) }
}

function commonNameOf(name: DerElement | undefined): string {
  for (const set of childrenOf(name, derTags.sequence)) {
    for (const attribute of childrenOf(set, derTags.set)) {
      const [type, value] = childrenOf(attribute, derTags.sequence)
      if (oidOf(type) === oids.commonName) return Buffer.from(value?.content ?? []).toString('utf8')
    }
  }
  return ''
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
