import 'reflect-metadata'
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** Extension that holds the raw quote (10 §7.1). */
export const quoteOid = '1.3.6.1.4.1.12345.1'
/** Extension that holds the raw public key. */
export const userClaimsOid = '1.3.6.1.4.1.12345.2'
/** Report data, report and VCEK certificate of AMD SEV-SNP (95 §6). */
export const sevSnpOids: readonly string[] = ['1.3.6.1.4.1.12345.100', '1.3.6.1.4.1.12345.101', '1.3.6.1.4.1.12345.102']

/** What one side of a connection shows to the other: an Ed25519 key and a self-signed certificate over it. */
export interface Identity {
  readonly certificatePem: string
  /** A secret: never log it. */
  readonly privateKeyPem: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  readonly notAfter: Date
}

export interface IdentityOptions {
  /** Makes the quote for this key; without it the certificate carries no attestation (policy `any`). */
  readonly quote?: (publicKey: Uint8Array) => Uint8Array | Promise<Uint8Array>
  /** Now, unless given. The certificate is valid from a minute before, for clocks that go slow. */
  readonly nowMs?: number
  /** How long it is valid; a day, unless given. */
  readonly validForMs?: number
}

const dayMs = 86_400_000
const clockSkewMs = 60_000
/** In the string types that the reference writes. */
const subject = new Name([
  { C: [{ printableString: 'AE' }] },
  { ST: [{ utf8String: 'DUBAI' }] },
  { O: [{ utf8String: 'TDLib Development' }] },
  { OU: [{ utf8String: 'Security' }] },
  { CN: [{ utf8String: 'localhost' }] },
])

/** A fresh key and its certificate in the layout of 10 §7.1. */
export async function createIdentity({ quote, nowMs = Date.now(), validForMs = dayMs }: IdentityOptions = {}): Promise<Identity> {
  cryptoProvider.set(webcrypto)
  const pair = generateKeyPairSync('ed25519')
  const keys = {
    privateKey: pair.privateKey.toCryptoKey('Ed25519', false, ['sign']),
    publicKey: pair.publicKey.toCryptoKey('Ed25519', true, ['verify']),
  }
  const publicKey = new Uint8Array(await webcrypto.subtle.exportKey('raw', keys.publicKey))
  const attestation = quote
    ? [
        new Extension(quoteOid, true, new Uint8Array(await quote(publicKey))),
        new Extension(userClaimsOid, true, new Uint8Array(publicKey)),
      ]
    : []
  const notAfter = new Date(nowMs + validForMs)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: subject,
    notBefore: new Date(nowMs - clockSkewMs),
    notAfter,
    signingAlgorithm: { name: 'Ed25519' },
    keys,
    extensions: [
      ...attestation,
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth], true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      // 127.0.0.1 as a DNS name: it is what the reference compares with (10 §7).
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'dns', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
    ],
  })
  return {
    certificatePem: certificate.toString('pem'),
    privateKeyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey,
    notAfter,
  }
}

/** 128 random bits in hex. The first bit is left clear: the number must be positive and keep its length. */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}
