import { timingSafeEqual } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type KeyPair, keyPairFromSeed } from '@ton/crypto'
import { z } from 'zod'
import { openBytes, sealBytes } from '../base/aead.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'
import { readSecretFile } from './secret-file.ts'
import { kdfParameters } from './vault-envelope.ts'
import { deriveKey, freshKdf, keyFromPassword } from './vault-key.ts'

/*
 * One wallet's key in a file, for operators: the Ed25519 seed under a password, with the key derivation of the vault (Argon2id, or scrypt).
 * docs/operators.md gives the format.
 */

const form = z.strictObject({
  format: z.literal('cocoon-wallet-key'),
  version: z.literal(1),
  /** Ed25519 public key, hex: who asks may know whose file it is without the password. */
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  kdf: kdfParameters,
  check: z.base64().length(44),
  /** 32 bytes of seed: version, nonce, ciphertext, tag (base/aead.ts). */
  sealed: z.base64().length(84),
})

const leastPassword = 8

/**
 * Seals a key into a new file of mode 0600.
 * @param seed 32 bytes
 * @throws Failure `key-file-exists`, `key-file-weak-password`, `disk-full`, `write-failed`
 */
export async function writeKeyFile(path: string, seed: Uint8Array, password: string): Promise<void> {
  if (existsSync(path)) throw new Failure('key-file-exists', `${path} exists already; a key file is never overwritten.`)
  if ([...password.normalize('NFKC')].length < leastPassword)
    throw new Failure('key-file-weak-password', 'The password is too short.', {
      advice: `Take at least ${leastPassword} characters; several words are best.`,
    })
  const kdf = freshKdf()
  const key = await keyFromPassword(password, kdf)
  const publicKey = keyPairFromSeed(Buffer.from(seed)).publicKey.toString('hex')
  const sealed = sealBytes(deriveKey(key, 'wallet key seal'), seed, contextOf(publicKey))
  const text = {
    format: 'cocoon-wallet-key',
    version: 1,
    publicKey,
    kdf,
    check: Buffer.from(deriveKey(key, 'wallet key check')).toString('base64'),
    sealed: Buffer.from(sealed).toString('base64'),
  }
  writeFileAtomic(path, `${JSON.stringify(text, null, 2)}\n`, { mode: 0o600 })
}

/**
 * Opens a key file. `password` is asked for only when the file is in order.
 * @throws Failure of `readSecretFile`, `key-file-malformed`, `key-file-wrong-password`
 */
export async function openKeyFile(path: string, password: () => Promise<string>): Promise<KeyPair> {
  const file = parse(path, readSecretFile(path))
  const key = await keyFromPassword(await password(), file.kdf)
  if (!timingSafeEqual(Buffer.from(file.check, 'base64'), deriveKey(key, 'wallet key check')))
    throw new Failure('key-file-wrong-password', `This is not the password of ${path}.`, { retryable: true })
  const sealed = new Uint8Array(Buffer.from(file.sealed, 'base64'))
  const seed = openBytes(deriveKey(key, 'wallet key seal'), sealed, contextOf(file.publicKey))
  if (seed?.length !== 32) throw malformed(path, 'its seal does not open')
  const pair = keyPairFromSeed(Buffer.from(seed))
  seed.fill(0)
  if (pair.publicKey.toString('hex') !== file.publicKey) throw malformed(path, 'it holds another key than it says')
  return pair
}

function contextOf(publicKey: string): Uint8Array {
  return new TextEncoder().encode(`cocoon-desktop wallet key ${publicKey}`)
}

function parse(path: string, text: string): z.infer<typeof form> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's words would carry a piece of the content.
    throw malformed(path, 'it is not JSON')
  }
  const parsed = form.safeParse(json)
  if (parsed.success) return parsed.data
  throw malformed(path, `look at ${parsed.error.issues[0]?.path.join('.') || 'its form'}`)
}

function malformed(path: string, why: string): Failure<'key-file-malformed'> {
  return new Failure('key-file-malformed', `${path} is no key file of this software, or was damaged: ${why}.`, {
    advice: 'Restore it from a backup, or make it anew from the recovery phrase with "cocoon-desktop network make-key".',
  })
}
