import { randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { openBytes, sealBytes } from '../base/aead.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'
import { type Envelope, parseEnvelope, serializeEnvelope, tamperedVault } from './vault-envelope.ts'
import { deriveKey, freshKdf, keyFromPassword, makeKeyFile, readKeyFile, wrongKeyFile } from './vault-key.ts'
import { tellPasswordBy } from './vault-password.ts'

/** Fits `dataPaths()` of the storage room. */
export interface VaultPaths {
  readonly vault: string
  readonly keyFile: string
  /** Files that only the present vault can open. If one exists without a vault, no new vault is made over it. */
  readonly secrets: string
  readonly chatDb: string
}

export type VaultKind = 'password' | 'key-file'

/** The one key that everything on disk is sealed under, open. */
export interface Vault {
  readonly kind: VaultKind
  /** @returns 32 bytes, the same for the same label for ever (HKDF-SHA256). Throws `Failure<'vault-closed'>` after close. */
  derive(label: string): Uint8Array
  /**
   * Wraps the same master key anew, so nothing else on disk changes.
   * @param password null: with a key file, for unattended start.
   * @throws Failure `vault-weak-password`, `disk-full`, `write-failed`; the old way in still works then.
   */
  changePassword(password: string | null): Promise<void>
  /** Overwrites the key in memory. Derived keys are their holders' to close. */
  close(): void
}

/** As given, or asked for once it turns out that the vault has one. */
export type VaultPassword = string | (() => Promise<string>)

/**
 * Opens the vault, or makes one at the first start: under `password` if given as such, else under a new key file.
 * A vault with a key file opens by it and ignores `password`.
 * @throws Failure `vault-password-needed`, `vault-wrong-password`, `vault-weak-password`, `vault-tampered`, `vault-version`,
 *   `vault-key-file-missing`, `vault-key-file-wrong`, `vault-missing`, `disk-full`, `write-failed`
 */
export async function openVault(
  paths: VaultPaths,
  options: { password?: VaultPassword | undefined; now?: () => number } = {},
): Promise<Vault> {
  if (existsSync(paths.vault)) {
    const envelope = parseEnvelope(readFileSync(paths.vault, 'utf8'))
    return new OpenVault(paths, await unwrap(envelope, paths, options.password), envelope)
  }
  const orphan = [paths.secrets, paths.chatDb].find((path) => existsSync(path))
  if (orphan !== undefined)
    throw new Failure('vault-missing', `${paths.vault} is missing, but ${orphan} was sealed with it.`, {
      advice: 'Restore vault.json from a backup, or move the whole data folder away to start afresh.',
    })
  const master = new Uint8Array(randomBytes(32))
  const password = typeof options.password === 'string' ? options.password : null
  const envelope = await wrap(master, paths, password, (options.now ?? Date.now)())
  writeFileAtomic(paths.vault, serializeEnvelope(envelope))
  return new OpenVault(paths, master, envelope)
}

class OpenVault implements Vault {
  readonly #paths: VaultPaths
  readonly #master: Uint8Array
  #envelope: Envelope
  #closed = false

  constructor(paths: VaultPaths, master: Uint8Array, envelope: Envelope) {
    this.#paths = paths
    this.#master = master
    this.#envelope = envelope
  }

  get kind(): VaultKind {
    return this.#envelope.wrap.kind
  }

  derive(label: string): Uint8Array {
    this.#assertOpen()
    return deriveKey(this.#master, `derived/${label}`)
  }

  async changePassword(password: string | null): Promise<void> {
    this.#assertOpen()
    const next = await wrap(this.#master, this.#paths, password, this.#envelope.createdAtMs)
    this.#assertOpen()
    writeFileAtomic(this.#paths.vault, serializeEnvelope(next))
    this.#envelope = next
    // An old key file opens nothing any more, except an old copy of the vault.
    if (next.wrap.kind === 'password') rmSync(this.#paths.keyFile, { force: true })
  }

  close(): void {
    this.#closed = true
    this.#master.fill(0)
  }

  #assertOpen(): void {
    if (this.#closed) throw new Failure('vault-closed', 'The vault is locked.', { advice: 'Unlock it and try again.' })
  }
}

/** A key file that exists is used again: it may be the way in of the envelope that is still on disk. */
async function wrap(master: Uint8Array, paths: VaultPaths, password: string | null, createdAtMs: number): Promise<Envelope> {
  if (password === null) {
    const key = existsSync(paths.keyFile) ? readKeyFile(paths.keyFile) : makeKeyFile(paths.keyFile)
    return { version: 1, createdAtMs, wrap: { kind: 'key-file', ...wrapUnder(key, master) } }
  }
  if ([...password.normalize('NFKC')].length < 8)
    throw new Failure('vault-weak-password', 'The password is too short.', {
      advice: 'Take at least 8 characters; several words are best.',
    })
  const kdf = freshKdf()
  const key = await keyFromPassword(password, kdf)
  return { version: 1, createdAtMs, wrap: { kind: 'password', kdf, ...wrapUnder(key, master) } }
}

async function unwrap(envelope: Envelope, paths: VaultPaths, password: VaultPassword | undefined): Promise<Uint8Array> {
  const { wrap: way } = envelope
  if (way.kind === 'key-file') {
    const key = readKeyFile(paths.keyFile)
    if (!checkFits(key, way.check)) throw wrongKeyFile(paths.keyFile)
    return masterUnder(key, way.sealed)
  }
  if (password === undefined)
    throw new Failure('vault-password-needed', 'The vault is locked with a password.', {
      advice: tellPasswordBy,
      retryable: true,
    })
  const key = await keyFromPassword(typeof password === 'string' ? password : await password(), way.kdf)
  if (!checkFits(key, way.check))
    throw new Failure('vault-wrong-password', 'This is not the password of the vault.', {
      advice: 'Try again. A forgotten password cannot be replaced: restore wallets from their recovery phrases.',
      retryable: true,
    })
  return masterUnder(key, way.sealed)
}

const context = new TextEncoder().encode('cocoon-desktop vault master key')

function wrapUnder(key: Uint8Array, master: Uint8Array): { check: string; sealed: string } {
  return {
    check: Buffer.from(deriveKey(key, 'check')).toString('base64'),
    sealed: Buffer.from(sealBytes(deriveKey(key, 'wrap'), master, context)).toString('base64'),
  }
}

function checkFits(key: Uint8Array, check: string): boolean {
  const expected = Buffer.from(check, 'base64')
  return expected.length === 32 && timingSafeEqual(expected, deriveKey(key, 'check'))
}

function masterUnder(key: Uint8Array, sealed: string): Uint8Array {
  const master = openBytes(deriveKey(key, 'wrap'), new Uint8Array(Buffer.from(sealed, 'base64')), context)
  if (master?.length !== 32) throw tamperedVault(new Error('the master key did not open'))
  return master
}
