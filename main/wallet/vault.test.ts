import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { openVault, type VaultPaths } from './vault.ts'
import { keyFromPassword } from './vault-key.ts'

let folder: string
let paths: VaultPaths
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vault-'))
  const at = (name: string): string => join(folder, name)
  paths = { vault: at('vault.json'), keyFile: at('vault.key'), secrets: at('secrets.json'), chatDb: at('chat.db') }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function codeOf(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => new Failure('nothing-thrown', ''),
    (error: unknown) => error,
  )
  if (!(thrown instanceof Failure)) throw thrown
  return thrown.code
}

/** Changes fields of the envelope and makes its checksum right again, as somebody would who knows the format. */
function forge(change: (wrap: Record<string, unknown>) => void): void {
  const { checksum: _, ...fields } = JSON.parse(readFileSync(paths.vault, 'utf8'))
  change(fields.wrap)
  const checksum = createHash('sha256').update(JSON.stringify(fields)).digest('hex')
  writeFileSync(paths.vault, JSON.stringify({ ...fields, checksum }))
}

const password = 'correct horse battery'

describe('openVault with a key file', () => {
  it('gives the same keys after a restart, and different ones for each label and each vault', async () => {
    const first = await openVault(paths)
    expect(first.kind).toBe('key-file')
    const key = first.derive('chat')
    expect(key).toHaveLength(32)
    expect(first.derive('secrets')).not.toEqual(key)
    const again = await openVault(paths)
    expect(again.derive('chat')).toEqual(key)
    if (process.platform !== 'win32')
      for (const path of [paths.vault, paths.keyFile]) expect(statSync(path).mode & 0o777).toBe(0o600)
    rmSync(paths.vault)
    expect((await openVault(paths)).derive('chat')).not.toEqual(key)
  })

  it('names a missing, foreign or unreadable key file', async () => {
    await openVault(paths)
    const own = readFileSync(paths.keyFile, 'utf8')
    rmSync(paths.keyFile)
    expect(await codeOf(openVault(paths))).toBe('vault-key-file-missing')
    expect(existsSync(paths.keyFile)).toBe(false)
    writeFileSync(paths.keyFile, `cocoon-vault-key-1:${Buffer.alloc(32).toString('base64')}\n`)
    expect(await codeOf(openVault(paths))).toBe('vault-key-file-wrong')
    writeFileSync(paths.keyFile, 'nonsense')
    expect(await codeOf(openVault(paths))).toBe('vault-key-file-wrong')
    writeFileSync(paths.keyFile, own)
    chmodSync(paths.keyFile, 0o644)
    await openVault(paths)
    if (process.platform !== 'win32') expect(statSync(paths.keyFile).mode & 0o777).toBe(0o600)
  })

  it('makes no new vault over data that an older one sealed', async () => {
    await openVault(paths)
    rmSync(paths.vault)
    writeFileSync(paths.secrets, '{}')
    expect(await codeOf(openVault(paths))).toBe('vault-missing')
    expect(existsSync(paths.vault)).toBe(false)
  })
})

describe('openVault with a password', () => {
  it('opens with the password alone, however it was typed, and tells wrong from missing', async () => {
    const first = await openVault(paths, { password: 'Zürich Zürich' })
    expect(first.kind).toBe('password')
    expect(existsSync(paths.keyFile)).toBe(false)
    const again = await openVault(paths, { password: 'Zürich Zürich'.normalize('NFD') })
    expect(again.derive('a')).toEqual(first.derive('a'))
    expect(await codeOf(openVault(paths, { password: 'Zurich Zurich' }))).toBe('vault-wrong-password')
    expect(await codeOf(openVault(paths))).toBe('vault-password-needed')
    rmSync(paths.vault)
    expect(await codeOf(openVault(paths, { password: 'short' }))).toBe('vault-weak-password')
    expect(existsSync(paths.vault)).toBe(false)
  })

  it('changes from key file to password and back, with the same keys', async () => {
    const vault = await openVault(paths)
    const key = vault.derive('chat')
    await vault.changePassword(password)
    expect(vault.kind).toBe('password')
    expect(existsSync(paths.keyFile)).toBe(false)
    const second = await openVault(paths, { password })
    expect(second.derive('chat')).toEqual(key)
    expect(await codeOf(second.changePassword('short'))).toBe('vault-weak-password')
    await second.changePassword(null)
    expect((await openVault(paths)).derive('chat')).toEqual(key)
  })

  it('is of no use after close', async () => {
    const vault = await openVault(paths)
    vault.close()
    expect(() => vault.derive('chat')).toThrow('locked')
    expect(await codeOf(vault.changePassword(password))).toBe('vault-closed')
  })
})

describe('the envelope', () => {
  it('shows any damage as such, not as a wrong password', async () => {
    await openVault(paths, { password })
    const intact = readFileSync(paths.vault)
    // Every byte of the values; a flip in the whitespace or between quotes may be harmless or break the JSON.
    for (let at = 0; at < intact.length; at += 7) {
      const damaged = Buffer.from(intact)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      writeFileSync(paths.vault, damaged)
      const code = await codeOf(openVault(paths, { password }))
      expect(['vault-tampered', 'vault-version', 'nothing-thrown']).toContain(code)
      if (code === 'nothing-thrown') expect(String.fromCharCode(intact[at] ?? 0)).toMatch(/\s/)
    }
    writeFileSync(paths.vault, intact.subarray(0, 100))
    expect(await codeOf(openVault(paths, { password }))).toBe('vault-tampered')
  })

  it('is sealed against a forger who can make checksums', async () => {
    await openVault(paths, { password })
    const sealed = Buffer.alloc(61, 1)
    forge((wrap) => {
      wrap.sealed = sealed.toString('base64')
    })
    expect(await codeOf(openVault(paths, { password }))).toBe('vault-tampered')
  })

  it('does not run a key derivation beyond its bounds', async () => {
    await openVault(paths, { password })
    const intact = readFileSync(paths.vault)
    for (const change of [{ memoryKiB: 1_048_577 }, { passes: 17 }, { lanes: 17 }, { memoryKiB: 8 }]) {
      writeFileSync(paths.vault, intact)
      forge((wrap) => Object.assign(wrap.kdf as object, change))
      expect(await codeOf(openVault(paths, { password }))).toBe('vault-tampered')
    }
  })

  it('of a newer version is left alone', async () => {
    writeFileSync(paths.vault, '{"version":2,"anything":true}')
    expect(await codeOf(openVault(paths))).toBe('vault-version')
    expect(readFileSync(paths.vault, 'utf8')).toBe('{"version":2,"anything":true}')
  })
})

describe('keyFromPassword', () => {
  it('runs scrypt as published', async () => {
    // RFC 7914 §12, third vector.
    const salt = Buffer.from('SodiumChloride').toString('base64')
    const key = await keyFromPassword('pleaseletmein', { name: 'scrypt', logN: 14, r: 8, p: 1, salt })
    expect(Buffer.from(key).toString('hex')).toBe('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2')
  })
})
