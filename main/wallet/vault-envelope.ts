import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Failure } from '../base/failure.ts'

const base64 = (least: number, most: number) => z.base64().min(least).max(most)

/** Upper bounds keep an altered file from eating all memory or hours; lower bounds keep it from being worthless. */
const argon2id = z.strictObject({
  name: z.literal('argon2id'),
  memoryKiB: z.number().int().min(19_456).max(1_048_576),
  passes: z.number().int().min(1).max(16),
  lanes: z.number().int().min(1).max(16),
  salt: base64(22, 88),
})
const scrypt = z.strictObject({
  name: z.literal('scrypt'),
  logN: z.number().int().min(15).max(20),
  r: z.number().int().min(8).max(16),
  p: z.number().int().min(1).max(4),
  salt: base64(22, 88),
})
export const kdfParameters = z.discriminatedUnion('name', [argon2id, scrypt])
export type KdfParameters = z.infer<typeof kdfParameters>

const wrapped = {
  /** Tells a wrong password or key file from an altered envelope; derived from the wrapping key, so it costs a guesser a full KDF run. */
  check: base64(44, 44),
  /** The master key under the wrapping key (base/aead.ts). */
  sealed: base64(84, 84),
}
const body = z.strictObject({
  version: z.literal(1),
  createdAtMs: z.number().int().nonnegative(),
  wrap: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('password'), kdf: kdfParameters, ...wrapped }),
    z.strictObject({ kind: z.literal('key-file'), ...wrapped }),
  ]),
})
/** The vault file without its checksum. */
export type Envelope = z.infer<typeof body>

const envelope = body.extend({ checksum: z.string().regex(/^[0-9a-f]{64}$/) })

/** SHA-256 over the fields in their fixed order. It finds damage, not malice; malice is found by the seal. */
function checksumOf(fields: Envelope): string {
  return createHash('sha256')
    .update(JSON.stringify(body.parse(fields)))
    .digest('hex')
}

export function serializeEnvelope(fields: Envelope): string {
  return `${JSON.stringify({ ...body.parse(fields), checksum: checksumOf(fields) }, null, 2)}\n`
}

/** @throws Failure `vault-version` for a newer format, `vault-tampered` for everything else that is not an intact envelope. */
export function parseEnvelope(text: string): Envelope {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (thrown) {
    throw tamperedVault(thrown)
  }
  const version = z.looseObject({ version: z.number() }).safeParse(json)
  if (version.success && version.data.version !== 1)
    throw new Failure(
      'vault-version',
      `The vault has format ${version.data.version}, which this version of the app does not know.`,
      {
        advice: 'Update the app. Nothing was changed.',
      },
    )
  const parsed = envelope.safeParse(json)
  if (!parsed.success) throw tamperedVault(parsed.error)
  const { checksum, ...fields } = parsed.data
  if (checksum !== checksumOf(fields)) throw tamperedVault(new Error('checksum differs'))
  return fields
}

export function tamperedVault(cause: unknown): Failure<'vault-tampered'> {
  return new Failure('vault-tampered', 'The vault file is damaged or was changed from outside.', {
    advice: 'Restore vault.json from a backup of the data folder. Without it, chats and wallets of this folder cannot be opened.',
    cause,
  })
}
