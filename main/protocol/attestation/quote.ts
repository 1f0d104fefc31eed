import { AttestationError, type AttestationErrorCode } from './attestation-error.ts'
import { ByteReader } from './byte-reader.ts'
import { qeReportBytes } from './qe-report.ts'
import { bodyBytes, readTdxBody, type TdxBody } from './tdx-body.ts'

/** A TDX quote taken apart (10 §9.1); nothing in it is verified. */
export interface TdxQuote {
  readonly version: 4 | 5
  readonly body: TdxBody
  /** Header and body, as they are signed. */
  readonly signed: Uint8Array
  /** r and s, 32 bytes each, over `signed`. */
  readonly signature: Uint8Array
  /** x and y of the P-256 key of that signature, 32 bytes each. */
  readonly attestationKey: Uint8Array
  readonly qeReport: Uint8Array
  /** r and s over `qeReport`, by the key of the platform. */
  readonly qeReportSignature: Uint8Array
  readonly qeAuthData: Uint8Array
  /** PEM: certificate of the platform, of its issuer, and the root. */
  readonly pckChain: string
}

const ecdsaP256 = 2
const tees = { sgx: 0, tdx: 0x81 } as const
const intelVendorId = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex')
const bodyTypes: Readonly<Record<number, TdxBody['type']>> = { 2: 'tdx-1.0', 3: 'tdx-1.5' }
const certification = { pckChain: 5, qeReport: 6 } as const
const signatureBytes = 64
const keyBytes = 64

/**
 * Reads a quote of version 4 or 5 of a TDX machine. Lengths are exact, except that zero bytes may follow: the kernel fills its buffer.
 * @throws AttestationError `quote-malformed`, `quote-version-unsupported`, `quote-not-tdx`, `quote-key-type-unsupported`,
 * `quote-vendor-unknown`, `quote-certification-unsupported`
 */
export function readQuote(bytes: Uint8Array): TdxQuote {
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof AttestationError) throw error
    throw new AttestationError('quote-malformed', 'The attestation of the peer cannot be read', { cause: error })
  }
}

function read(bytes: Uint8Array): TdxQuote {
  const reader = new ByteReader(bytes)
  const version = reader.u16()
  if (version !== 4 && version !== 5) throw refused('quote-version-unsupported', `A quote of version ${version}`)
  const keyType = reader.u16()
  const tee = reader.u32()
  if (tee !== tees.tdx) throw refused('quote-not-tdx', tee === tees.sgx ? 'A quote of an SGX enclave' : `A quote of TEE ${tee}`)
  if (keyType !== ecdsaP256) throw refused('quote-key-type-unsupported', `A quote with a key of type ${keyType}`)
  reader.take(4)
  if (!intelVendorId.equals(reader.take(16))) throw refused('quote-vendor-unknown', 'The quoting enclave is not Intel’s')
  reader.take(20)
  const body = version === 4 ? readTdxBody('tdx-1.0', reader.take(bodyBytes['tdx-1.0'])) : newerBody(reader)
  const signed = bytes.slice(0, reader.at)
  const signatureData = reader.take(reader.u32())
  if (reader.rest().some((byte) => byte !== 0)) throw refused('quote-malformed', 'Bytes behind the quote')
  return { version, body, signed, ...readSignatureData(signatureData) }
}

function newerBody(reader: ByteReader): TdxBody {
  const typeNumber = reader.u16()
  const length = reader.u32()
  const type = bodyTypes[typeNumber]
  if (type === undefined) throw refused('quote-not-tdx', `A quote with a body of type ${typeNumber}`)
  // Takes no other length than that of the type.
  return readTdxBody(type, reader.take(length))
}

function readSignatureData(bytes: Uint8Array): Omit<TdxQuote, 'version' | 'body' | 'signed'> {
  const outer = new ByteReader(bytes)
  const signature = outer.take(signatureBytes)
  const attestationKey = outer.take(keyBytes)
  const inner = new ByteReader(certificationData(outer, certification.qeReport))
  outer.end()
  const qeReport = inner.take(qeReportBytes)
  const qeReportSignature = inner.take(signatureBytes)
  const qeAuthData = inner.take(inner.u16())
  const pem = certificationData(inner, certification.pckChain)
  inner.end()
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthData, pckChain: Buffer.from(pem).toString('latin1') }
}

function certificationData(reader: ByteReader, wanted: number): Uint8Array {
  const type = reader.u16()
  if (type !== wanted) throw refused('quote-certification-unsupported', `A quote with certification data of type ${type}`)
  return reader.take(reader.u32())
}

function refused(code: AttestationErrorCode, message: string): AttestationError {
  return new AttestationError(code, message)
}
