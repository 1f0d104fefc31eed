import { createHash } from 'node:crypto'
import { ByteReader } from '../attestation/byte-reader.ts'
import { imageHash, measurementBytes, noImageHash, reportDataBytes, type TdxMeasurements } from '../attestation/image-hash.ts'
import { readMeasurements } from '../attestation/tdx-body.ts'
import { WireError } from './wire-error.ts'

/** What a router tells the runner behind it about the peer, before the first frame (10 §6.3). */
export interface PeerInfo {
  readonly attestation: PeerAttestation | undefined
  /** 48 bytes; zeros without a TDX quote. */
  readonly collateralRootHash: Uint8Array
  /** Ed25519 key of the peer's certificate, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly source: Endpoint
  readonly destination: Endpoint
}

export type PeerAttestation =
  | { readonly kind: 'tdx'; readonly measured: TdxMeasurements }
  /** 32 and 64 bytes. */
  | { readonly kind: 'sgx'; readonly mrEnclave: Uint8Array; readonly reportData: Uint8Array }
  /** Only from newer routers (95 §6); 48 and 64 bytes. */
  | { readonly kind: 'sev'; readonly measurement: Uint8Array; readonly reportData: Uint8Array }

export interface Endpoint {
  readonly ip: string
  /** 0 to 65535 */
  readonly port: number
}

/** Longest body of a peer-info frame. */
export const mostPeerInfoBytes = 16_536
/** Bytes of the length in front of the body. */
export const peerInfoHeaderBytes = 4

const hashBytes = 48
const keyBytes = 32
const enclaveBytes = 32
const longestIpBytes = 64
/** Newer routers put a version number in the place of `has_value` (95 §6). */
const newerVersion = 2
const kinds = { tdx: 0, sgx: 1, sev: 1 } as const

/** The whole frame, length included. Attestation by SEV has no form here and is refused with a TypeError. */
export function writePeerInfo({ attestation, collateralRootHash, publicKey, source, destination }: PeerInfo): Uint8Array {
  const body = Buffer.concat([
    ...attestationParts(attestation),
    collateralRootHash,
    tlString(publicKey),
    tlString(Buffer.from(source.ip)),
    int32(source.port),
    tlString(Buffer.from(destination.ip)),
    int32(destination.port),
  ])
  return new Uint8Array(Buffer.concat([int32(body.length), body]))
}

/** @throws WireError `protocol-violation` when the length is none that a router sends */
export function readPeerInfoLength(header: Uint8Array): number {
  const length = new DataView(header.buffer, header.byteOffset, peerInfoHeaderBytes).getUint32(0, true)
  if (length > mostPeerInfoBytes) throw violation(`a length of ${length}`)
  return length
}

/**
 * Reads the body of a frame, of the present form and of the newer one (95 §6).
 * @throws WireError `protocol-violation`
 */
export function readPeerInfo(body: Uint8Array): PeerInfo {
  try {
    return read(new Reader(body))
  } catch (thrown) {
    throw thrown instanceof RangeError ? violation(thrown.message) : thrown
  }
}

function read(reader: Reader): PeerInfo {
  const form = reader.i32()
  const value =
    form === 0
      ? { attestation: undefined, collateralRootHash: reader.take(hashBytes) }
      : form === 1
        ? presentForm(reader)
        : form === newerVersion
          ? newerForm(reader)
          : undefined
  if (value === undefined) throw violation(`form ${form}`)
  const publicKey = reader.string(keyBytes)
  if (publicKey.length !== keyBytes) throw violation(`a key of ${publicKey.length} bytes`)
  const info = { ...value, publicKey, source: reader.endpoint(), destination: reader.endpoint() }
  reader.end()
  return info
}

/** The image hash that a runner compares with the root contract's lists; 32 zero bytes without attestation (10 §9.2). */
export function remoteImageHash({ attestation }: PeerInfo): Uint8Array {
  switch (attestation?.kind) {
    case 'tdx':
      return imageHash(attestation.measured)
    case 'sgx':
      return hashWithoutReportData(attestation.mrEnclave)
    case 'sev':
      return hashWithoutReportData(attestation.measurement)
    case undefined:
      return noImageHash
  }
}

function hashWithoutReportData(measurement: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(measurement).update(new Uint8Array(reportDataBytes)).digest())
}

function attestationParts(attestation: PeerAttestation | undefined): Uint8Array[] {
  if (attestation === undefined) return [int32(0)]
  const head = [int32(1), int32(kinds[attestation.kind])]
  if (attestation.kind === 'sev') throw new TypeError('only newer routers tell of SEV')
  if (attestation.kind === 'sgx') return [...head, attestation.mrEnclave, attestation.reportData]
  const { mrTd, mrConfigId, mrOwner, mrOwnerConfig, rtmrs, reportData } = attestation.measured
  return [...head, mrTd, mrConfigId, mrOwner, mrOwnerConfig, ...rtmrs, reportData]
}

type Attested = Pick<PeerInfo, 'attestation' | 'collateralRootHash'>

function presentForm(reader: Reader): Attested {
  const kind = reader.i32()
  if (kind === kinds.tdx)
    return { attestation: { kind: 'tdx', measured: readMeasurements(reader) }, collateralRootHash: reader.take(hashBytes) }
  if (kind !== kinds.sgx) throw violation(`attestation of kind ${kind}`)
  const mrEnclave = reader.take(enclaveBytes)
  return {
    attestation: { kind: 'sgx', mrEnclave, reportData: reader.take(reportDataBytes) },
    collateralRootHash: reader.take(hashBytes),
  }
}

function newerForm(reader: Reader): Attested {
  const kind = reader.i32()
  if (kind === kinds.tdx)
    return { attestation: { kind: 'tdx', measured: readMeasurements(reader) }, collateralRootHash: reader.take(hashBytes) }
  if (kind !== kinds.sev) throw violation(`attestation of kind ${kind}`)
  const measurement = reader.take(measurementBytes)
  return {
    attestation: { kind: 'sev', measurement, reportData: reader.take(reportDataBytes) },
    collateralRootHash: new Uint8Array(hashBytes),
  }
}

/** The few things a body is made of. */
class Reader extends ByteReader {
  /** A TL string of less than 254 bytes (20 §1); nothing here is longer. */
  string(most: number): Uint8Array {
    const length = this.take(1)[0] ?? 0
    if (length > most) throw violation(`a text of ${length} bytes or more`)
    const content = this.take(length)
    this.take((4 - ((1 + length) % 4)) % 4)
    return content
  }

  endpoint(): Endpoint {
    const ip = Buffer.from(this.string(longestIpBytes)).toString('latin1')
    const port = this.i32()
    if (port < 0 || port > 65_535) throw violation(`port ${port}`)
    return { ip, port }
  }
}

function tlString(content: Uint8Array): Uint8Array {
  if (content.length > longestIpBytes) throw new TypeError('a text of a peer-info frame is short')
  return Buffer.concat([Uint8Array.of(content.length), content, new Uint8Array((4 - ((1 + content.length) % 4)) % 4)])
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function violation(what: string): WireError {
  return new WireError('protocol-violation', `The router sent no peer information: ${what}`)
}
