import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSecretStore } from '../wallet/secret-store.ts'
import { localSecrets } from './local-keys.ts'

describe('keys of the local network', () => {
  it('are made once, kept, and not made anew for a chain that was begun with others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-keys-'))
    const paths = { secrets: join(folder, 'secrets.json'), chain: join(folder, 'chain') }
    const key = randomBytes(32)
    const first = await localSecrets(openSecretStore(paths.secrets, key), paths)
    mkdirSync(paths.chain)
    writeFileSync(join(paths.chain, 'chain.sqlite'), 'a chain')
    const again = await localSecrets(openSecretStore(paths.secrets, key), paths)
    expect(again.user.publicKey).toEqual(first.user.publicKey)

    rmSync(paths.secrets)
    await expect(localSecrets(openSecretStore(paths.secrets, key), paths)).rejects.toMatchObject({
      code: 'secrets-missing',
      message: expect.stringContaining(paths.secrets),
    })
    expect(existsSync(paths.secrets)).toBe(false)
    rmSync(folder, { recursive: true })
  })
})
