import { ByteReader } from './byte-reader.ts'
import { measurementBytes, reportDataBytes, type TdxMeasurements } from './image-hash.ts'

/** Body of a TDX quote (10 §9.1): what the processor says about the machine. */
export interface TdxBody {
  readonly type: 'tdx-1.0' | 'tdx-1.5'
  /** Versions of the TDX module (first two bytes) and of microcode, 16 bytes. */
  readonly teeTcbSvn: Uint8Array
  readonly mrSeam: Uint8Array
  readonly mrSignerSeam: Uint8Array
  readonly seamAttributes: Uint8Array
  readonly tdAttributes: Uint8Array
  readonly xfam: Uint8Array
  readonly measured: TdxMeasurements
  /** TDX 1.5 only: 16 bytes. */
  readonly teeTcbSvn2: Uint8Array | undefined
  /** TDX 1.5 only: the service TD that may move this machine, 48 bytes; zeros for none. */
  readonly mrServiceTd: Uint8Array | undefined
}

export const bodyBytes = { 'tdx-1.0': 584, 'tdx-1.5': 648 } as const

/** @throws RangeError unless the length is the one of the type */
export function readTdxBody(type: TdxBody['type'], bytes: Uint8Array): TdxBody {
  const reader = new ByteReader(bytes)
  const measurement = (): Uint8Array => reader.take(measurementBytes)
  const head = {
    teeTcbSvn: reader.take(16),
    mrSeam: measurement(),
    mrSignerSeam: measurement(),
    seamAttributes: reader.take(8),
    tdAttributes: reader.take(8),
    xfam: reader.take(8),
  }
  const measured = readMeasurements(reader)
  const isNewer = type === 'tdx-1.5'
  const body = {
    type,
    ...head,
    measured,
    teeTcbSvn2: isNewer ? reader.take(16) : undefined,
    mrServiceTd: isNewer ? measurement() : undefined,
  }
  reader.end()
  return body
}

/** What attests what software runs, in the order of quotes and of peer information (10 §9.2). @throws RangeError when bytes are missing */
export function readMeasurements(reader: ByteReader): TdxMeasurements {
  const next = (): Uint8Array => reader.take(measurementBytes)
  return {
    mrTd: next(),
    mrConfigId: next(),
    mrOwner: next(),
    mrOwnerConfig: next(),
    rtmrs: [next(), next(), next(), next()],
    reportData: reader.take(reportDataBytes),
  }
}
