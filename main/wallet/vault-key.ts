import { argon2, hkdfSync, randomBytes, scrypt } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'
import type { KdfParameters } from './vault-envelope.ts'

const keyFilePrefix = 'cocoon-vault-key-1:'

/**
 * New parameters for a password: argon2id with 64 MiB and 3 passes (about 0.2 s), or scrypt with N = 2^17 where the runtime's
 * OpenSSL has no argon2.
 */
export function freshKdf(): KdfParameters {
  const salt = randomBytes(16).toString('base64')
  if (typeof argon2 === 'function') return { name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 1, salt }
  return { name: 'scrypt', logN: 17, r: 8, p: 1, salt }
}

/** @returns 32 bytes. The password is normalized (NFKC), so that it is the same from every keyboard. */
export function keyFromPassword(password: string, kdf: KdfParameters): Promise<Uint8Array> {
  const message = password.normalize('NFKC')
  const salt = Buffer.from(kdf.salt, 'base64')
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, key: Uint8Array): void => (error === null ? resolve(new Uint8Array(key)) : reject(error))
    if (kdf.name === 'argon2id') {
      const { memoryKiB: memory, passes, lanes: parallelism } = kdf
      argon2('argon2id', { message, nonce: salt, memory, passes, parallelism, tagLength: 32 }, done)
    } else {
      const N = 2 ** kdf.logN
      scrypt(message, salt, 32, { N, r: kdf.r, p: kdf.p, maxmem: 256 * N * kdf.r }, done)
    }
  })
}

/** Makes a new key file of mode 0600. @returns its 32 bytes. */
export function makeKeyFile(path: string): Uint8Array {
  const key = randomBytes(32)
  writeFileAtomic(path, `${keyFilePrefix}${key.toString('base64')}\n`, { mode: 0o600 })
  return new Uint8Array(key)
}

/** @throws Failure `vault-key-file-missing` or `vault-key-file-wrong` */
export function readKeyFile(path: string): Uint8Array {
  if (!existsSync(path))
    throw new Failure('vault-key-file-missing', `The key file ${path} is missing, and the vault opens only with it.`, {
      advice: 'Put the key file back from a backup of the data folder, then start again.',
    })
  // A copy or a restored backup may have become readable for others.
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  const text = readFileSync(path, 'utf8').trim()
  const key = Buffer.from(text.slice(keyFilePrefix.length), 'base64')
  if (!text.startsWith(keyFilePrefix) || key.length !== 32) throw wrongKeyFile(path)
  return new Uint8Array(key)
}

export function wrongKeyFile(path: string): Failure<'vault-key-file-wrong'> {
  return new Failure('vault-key-file-wrong', `The key file ${path} does not belong to this vault.`, {
    advice: 'Put back the key file that was made together with vault.json.',
  })
}

/** HKDF-SHA256 without salt: the input is a uniform key already (RFC 5869 §3.1). @returns 32 bytes. */
export function deriveKey(key: Uint8Array, label: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), `cocoon-desktop/1/${label}`, 32))
}
