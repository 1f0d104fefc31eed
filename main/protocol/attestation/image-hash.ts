import { createHash } from 'node:crypto'

/** What a TDX quote says about the machine behind it (10 §9.1). Measurements have 48 bytes, `reportData` has 64. */
export interface TdxMeasurements {
  readonly mrTd: Uint8Array
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  readonly reportData: Uint8Array
}

export const measurementBytes = 48
export const reportDataBytes = 64

/** Image hash of a peer without attestation (10 §9.2). */
export const noImageHash: Uint8Array = new Uint8Array(32)

/** SHA-256 of the measurements followed by 64 zero bytes in the place of the report data (10 §9.2). */
export function imageHash(measured: TdxMeasurements): Uint8Array {
  const hash = createHash('sha256')
  for (const part of [measured.mrTd, measured.mrConfigId, measured.mrOwner, measured.mrOwnerConfig, ...measured.rtmrs]) {
    if (part.length !== measurementBytes) throw new TypeError('a TDX measurement has 48 bytes')
    hash.update(part)
  }
  return new Uint8Array(hash.update(new Uint8Array(reportDataBytes)).digest())
}
