import { ByteReader } from './byte-reader.ts'

/** Report of the quoting enclave about itself (the SGX report body of Intel's quote format). */
export interface QeReport {
  readonly miscSelect: Uint8Array
  readonly attributes: Uint8Array
  readonly mrEnclave: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly isvSvn: number
  readonly reportData: Uint8Array
}

export const qeReportBytes = 384

/** @throws RangeError unless there are 384 bytes */
export function readQeReport(bytes: Uint8Array): QeReport {
  const reader = new ByteReader(bytes)
  reader.take(16) // CPUSVN: the one of the platform counts, which Intel's certificate tells.
  const miscSelect = reader.take(4)
  reader.take(28)
  const attributes = reader.take(16)
  const mrEnclave = reader.take(32)
  reader.take(32)
  const mrSigner = reader.take(32)
  reader.take(96)
  const isvProdId = reader.u16()
  const isvSvn = reader.u16()
  reader.take(60)
  const reportData = reader.take(64)
  reader.end()
  return { miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData }
}
