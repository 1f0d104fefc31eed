import 'reflect-metadata'
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { cryptoProvider, X509CertificateGenerator } from '@peculiar/x509'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { SecretStore } from '../wallet/secret-store.ts'

const secretName = 'devices/own key'

/**
 * This install as its paired devices know it: one Ed25519 key for good, kept with the other secrets, and a certificate that is made anew at
 * each start. The certificate carries the key and nothing else that anybody looks at: its name and dates say nothing, because the key is pinned.
 */
export async function deviceIdentity(secrets: SecretStore): Promise<Identity> {
  const pkcs8 = await secrets.getOrCreate(secretName, () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    return new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }))
  })
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' })
  const publicKey = createPublicKey(privateKey)
  cryptoProvider.set(webcrypto)
  const notAfter = new Date('9999-12-31T23:59:59Z')
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Positive, and of one length.
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    name: 'CN=cocoon-desktop device',
    notBefore: new Date('2000-01-01T00:00:00Z'),
    notAfter,
    signingAlgorithm: { name: 'Ed25519' },
    keys: {
      privateKey: privateKey.toCryptoKey('Ed25519', false, ['sign']),
      publicKey: publicKey.toCryptoKey('Ed25519', true, ['verify']),
    },
  })
  return {
    certificatePem: certificate.toString('pem'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)),
    notAfter,
  }
}
