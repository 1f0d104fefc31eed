import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { openBytes, sealBytes } from '../base/aead.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { Failure } from '../base/failure.ts'

/** Named secrets: wallet phrases, role keys. Values are copied in and out. */
export interface SecretStore {
  get(name: string): Uint8Array | undefined
  /** Durable when it returns. Throws `Failure` `disk-full` or `write-failed`; nothing is changed then. */
  put(name: string, secret: Uint8Array): void
  /** The stored secret, or the one that `make` gives, stored first. Concurrent callers get the same one. */
  getOrCreate(name: string, make: () => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array>
  close(): void
}

const file = z.strictObject({ version: z.literal(1), sealed: z.base64() })
const contents = z.record(z.string(), z.base64())
const context = new TextEncoder().encode('cocoon-desktop secrets')

/**
 * Opens the store in `path` (one JSON file, sealed as a whole: a secret cannot be removed, swapped or taken from another store unseen).
 * @param key 32 bytes from the vault; copied.
 * @throws Failure `secrets-tampered`, `secrets-version`
 */
export function openSecretStore(path: string, key: Uint8Array): SecretStore {
  const own = Uint8Array.from(key)
  let secrets = read(path, own)
  const running = new Map<string, Promise<Uint8Array>>()
  let closed = false

  const get = (name: string): Uint8Array | undefined => {
    if (closed) throw new Failure('vault-closed', 'The secrets are locked.')
    const found = secrets.get(name)
    return found === undefined ? undefined : Uint8Array.from(found)
  }
  const put = (name: string, secret: Uint8Array): void => {
    if (closed) throw new Failure('vault-closed', 'The secrets are locked.')
    const next = new Map(secrets).set(name, Uint8Array.from(secret))
    writeFileAtomic(path, serialize(next, own))
    secrets = next
  }
  const create = async (name: string, make: () => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array> => {
    const made = await make()
    put(name, made)
    return made
  }
  return {
    get,
    put,
    getOrCreate: async (name, make) => {
      const found = get(name)
      if (found !== undefined) return found
      const making = running.get(name) ?? create(name, make).finally(() => running.delete(name))
      running.set(name, making)
      return Uint8Array.from(await making)
    },
    close: () => {
      closed = true
      own.fill(0)
      for (const secret of secrets.values()) secret.fill(0)
    },
  }
}

function serialize(secrets: ReadonlyMap<string, Uint8Array>, key: Uint8Array): string {
  const entries = [...secrets].map(([name, secret]) => [name, Buffer.from(secret).toString('base64')])
  const plain = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const sealed = sealBytes(key, plain, context)
  plain.fill(0)
  return `${JSON.stringify({ version: 1, sealed: Buffer.from(sealed).toString('base64') })}\n`
}

function read(path: string, key: Uint8Array): Map<string, Uint8Array> {
  if (!existsSync(path)) return new Map()
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (thrown) {
    throw tampered(path, thrown)
  }
  const version = z.looseObject({ version: z.number() }).safeParse(json)
  if (version.success && version.data.version !== 1)
    throw new Failure(
      'secrets-version',
      `${path} has format ${version.data.version}, which this version of the app does not know.`,
      {
        advice: 'Update the app. Nothing was changed.',
      },
    )
  const parsed = file.safeParse(json)
  if (!parsed.success) throw tampered(path, parsed.error)
  const plain = openBytes(key, new Uint8Array(Buffer.from(parsed.data.sealed, 'base64')), context)
  if (plain === null) throw tampered(path, new Error('the seal does not open'))
  const entries = Object.entries(contents.parse(JSON.parse(new TextDecoder().decode(plain))))
  return new Map(entries.map(([name, secret]) => [name, new Uint8Array(Buffer.from(secret, 'base64'))]))
}

function tampered(path: string, cause: unknown): Failure<'secrets-tampered'> {
  return new Failure('secrets-tampered', `${path} is damaged, was changed from outside, or belongs to another vault.`, {
    advice: 'Restore it from a backup together with vault.json. It holds the wallets of this folder.',
    cause,
  })
}
