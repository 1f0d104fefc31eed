import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import type { Identity } from '../attestation/certificate.ts'

/**
 * TLS as 10 §7 wants it: version 1.3, AES suites, Ed25519 signatures, no tickets that carry a session (the session ids that OpenSSL sends
 * in their place are never kept, so no session can be resumed). The own check of the raw peer certificate takes the place of OpenSSL's,
 * which knows nothing of quotes.
 */
export function tlsProfile(identity: Identity): SecureContextOptions {
  return {
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
    sigalgs: 'ed25519',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}
