import { Failure, type FailureOptions } from '../../base/failure.ts'

export type AttestationErrorCode =
  | CertificateErrorCode
  | QuoteErrorCode
  | ChainErrorCode
  | CollateralErrorCode
  | TcbErrorCode
  | RootListErrorCode

/** The certificate that the peer shows in TLS. */
export type CertificateErrorCode =
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

/** The quote inside it, by itself and against the policy. */
export type QuoteErrorCode =
  /** The policy wants a quote and there is none. */
  | 'quote-missing'
  | 'quote-malformed'
  | 'quote-version-unsupported'
  /** A quote of an SGX enclave or of something else that is no TDX machine. */
  | 'quote-not-tdx'
  /** Signed with something else than ECDSA over P-256. */
  | 'quote-key-type-unsupported'
  /** The quoting enclave is not Intel's. */
  | 'quote-vendor-unknown'
  /** The quote carries no chain of certificates of its platform. */
  | 'quote-certification-unsupported'
  | 'quote-signature-wrong'
  /** The key that signs the quote is not the one that the quoting enclave made. */
  | 'quote-key-not-bound'
  /** The machine can be looked into by its host. */
  | 'quote-debug'
  /** Attributes of the machine that weaken it or that are not known. */
  | 'quote-attributes-not-allowed'
  /** The quote belongs to another key. */
  | 'quote-not-for-this-key'
  /** A measurement, image hash or collateral root hash is not among those that the policy lists. */
  | 'measurement-not-allowed'
  /** AMD evidence (95 §6), for which there is no verifier. */
  | 'sev-snp-not-verifiable'

/** Intel's certificates and revocation lists. */
export type ChainErrorCode =
  | 'chain-malformed'
  /** A certificate is not signed by the next one. */
  | 'chain-broken'
  | 'chain-expired'
  | 'chain-not-yet-valid'
  /** A certificate that was made for another task. */
  | 'chain-wrong-purpose'
  | 'root-not-trusted'
  | 'chain-revoked'
  | 'crl-malformed'
  /** A revocation list of somebody else, or not signed by its issuer. */
  | 'crl-wrong-issuer'
  | 'crl-signature-wrong'

/** What Intel says about platforms and quoting enclaves. */
export type CollateralErrorCode =
  | 'collateral-unavailable'
  | 'collateral-malformed'
  | 'collateral-signature-wrong'
  | 'collateral-expired'
  | 'collateral-not-yet-valid'
  /** It speaks of another model of processor. */
  | 'collateral-not-for-this-platform'

/** The state of platform, TDX module and quoting enclave. */
export type TcbErrorCode =
  | 'qe-signature-wrong'
  | 'qe-not-recognized'
  | 'qe-debug'
  | 'tdx-module-not-recognized'
  /** Older than everything that Intel lists. */
  | 'tcb-not-listed'
  | 'tcb-hardening-needed'
  | 'tcb-configuration-needed'
  | 'tcb-configuration-and-hardening-needed'
  | 'tcb-out-of-date'
  | 'tcb-out-of-date-and-configuration-needed'
  | 'tcb-revoked'
  /** A state that this version does not know. */
  | 'tcb-status-unknown'

/** The lists of the network contract. */
export type RootListErrorCode =
  | 'image-not-listed'
  | 'image-not-attested'
  /** The list was read too long ago. */
  | 'root-too-old'
  | 'root-from-the-future'
  /** Endpoints of the blockchain disagree about the contract. */
  | 'root-disputed'

/** Why a peer's certificate or attestation was refused. */
export class AttestationError extends Failure<AttestationErrorCode> {
  constructor(
    code: AttestationErrorCode,
    message: string,
    options: Pick<FailureOptions, 'cause' | 'advice' | 'retryable' | 'values'> = {},
  ) {
    super(code, message, options)
    this.name = 'AttestationError'
  }
}
