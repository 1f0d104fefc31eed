import { Failure } from '../../base/failure.ts'

export type AttestationErrorCode =
  /** The peer showed no certificate (also: a resumed session, which shows none). */
  | 'certificate-missing'
  | 'certificate-malformed'
  | 'certificate-not-self-signed'
  | 'certificate-not-ed25519'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  /** Key usage or extended key usage do not allow this part of TLS. */
  | 'certificate-wrong-purpose'
  /** The server certificate lacks the name `127.0.0.1`. */
  | 'certificate-wrong-name'
  | 'certificate-unknown-critical-extension'
  /** The policy wants a quote and there is none. */
  | 'quote-missing'
  | 'quote-malformed'
  /** The quote belongs to another key. */
  | 'quote-not-for-this-key'
  /** A measurement, image hash or collateral root hash is not among those that the policy lists. */
  | 'measurement-not-allowed'

/** Why a peer's certificate or attestation was refused. */
export class AttestationError extends Failure<AttestationErrorCode> {
  constructor(code: AttestationErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, options)
    this.name = 'AttestationError'
  }
}
