import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { asError, Failure } from '../base/failure.ts'

const seed = z.base64().transform((text, context) => {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  if (bytes.length === 32) return bytes
  context.addIssue(`${bytes.length} bytes instead of 32`)
  return z.NEVER
})

const shapes = {
  client: z.strictObject({ version: z.literal(1), walletKey: seed, masterSecret: seed, accessHash: z.string().min(16) }),
  worker: z.strictObject({ version: z.literal(1), walletKey: seed, accessHash: z.string().min(16) }),
  proxy: z.strictObject({ version: z.literal(1), walletKey: seed, machineKey: seed, accessHash: z.string().min(16) }),
  /** `machineKey` signs the public keys, `sealKey` closes the private ones on the disk. */
  'key-manager': z.strictObject({
    version: z.literal(1),
    walletKey: seed,
    machineKey: seed,
    sealKey: seed,
    accessHash: z.string().min(16),
  }),
}

export type RoleName = keyof typeof shapes

/** Secrets of one role on one network. Keys are 32-byte Ed25519 seeds. Never logged, never on a command line. */
export type RoleKeys<R extends RoleName> = z.output<(typeof shapes)[R]>

const seedText = (): string => randomBytes(32).toString('base64')

/**
 * Reads the key file of a role, or makes it (mode 0600). `created` says that it is new: nothing lies in its wallet yet.
 * @throws Failure `key-file-open` (others may read it), `key-file-invalid`, `disk-full`, `write-failed`
 */
export function openKeyFile<R extends RoleName>(
  path: string,
  role: R,
): { readonly keys: RoleKeys<R>; readonly created: boolean } {
  const created = !existsSync(path)
  if (created) writeFileAtomic(path, `${JSON.stringify(freshKeys(role), undefined, 2)}\n`)
  requirePrivate(path)
  const parsed = shapes[role].safeParse(readJson(path))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    // The message names the field; its value stays out of it.
    throw invalid(path, `${issue?.path.join('.') || 'the file'}: ${issue?.message}`)
  }
  // The shape was looked up by the same name.
  return { keys: parsed.data as RoleKeys<R>, created }
}

function freshKeys(role: RoleName): Record<string, string | number> {
  return {
    version: 1,
    walletKey: seedText(),
    ...(role === 'client' ? { masterSecret: seedText() } : {}),
    ...(role === 'proxy' || role === 'key-manager' ? { machineKey: seedText() } : {}),
    ...(role === 'key-manager' ? { sealKey: seedText() } : {}),
    accessHash: randomBytes(24).toString('base64url'),
  }
}

function requirePrivate(path: string): void {
  // Windows has no such bits; there the folder of the user protects it.
  if (process.platform === 'win32') return
  const { mode, uid } = statSync(path)
  const foreign = process.getuid !== undefined && uid !== process.getuid()
  if ((mode & 0o077) === 0 && !foreign) return
  throw new Failure('key-file-open', `${path} ${foreign ? 'belongs to another user' : 'may be read by others'}; it holds keys.`, {
    advice: foreign ? 'Run the role as the user who owns the file.' : `Run: chmod 600 ${path}`,
  })
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (thrown) {
    // A parser's message may quote the file.
    throw invalid(path, thrown instanceof SyntaxError ? 'it is no JSON' : asError(thrown).message)
  }
}

function invalid(path: string, why: string): Failure<'key-file-invalid'> {
  return new Failure('key-file-invalid', `${path} cannot be used: ${why}.`, {
    advice: 'Restore it from a backup: it opens the wallet of this role. It was not changed.',
  })
}
