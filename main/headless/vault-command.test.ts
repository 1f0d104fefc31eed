import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataPaths } from '../storage/files.ts'
import { openVault } from '../wallet/vault.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-vault-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function secretFile(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, 0o600)
  return path
}

/** The command line as a program without a terminal. */
function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; output: string }> {
  const cli = fileURLToPath(new URL('cli.ts', import.meta.url))
  const child = spawn(process.execPath, [cli, ...args, '--data-dir', folder], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

it('a password takes the place of the key file, opens the same keys, and can be taken away again', async () => {
  const paths = dataPaths(folder)
  const before = await openVault(paths)
  const key = before.derive('chat')
  before.close()
  const password = secretFile('password', 'several words are best\n')

  const set = await run(['vault', 'set-password', '--new-password-file', password])
  expect(set).toEqual({ code: 0, output: expect.stringContaining('opens by the password alone') })
  expect(existsSync(paths.keyFile)).toBe(false)
  expect((await openVault(paths, { password: 'several words are best' })).derive('chat')).toEqual(key)

  // The app says what is missing, and opens with it; a file that others may read is no secret.
  const locked = await run(['serve', '--port', '0'])
  expect(locked).toEqual({ code: 1, output: expect.stringContaining('there is no terminal to ask for it') })
  const wrong = secretFile('wrong', 'some other words')
  expect((await run(['vault', 'remove-password'], { COCOON_VAULT_PASSWORD_FILE: wrong })).output).toContain('not the password')
  chmodSync(password, 0o644)
  expect((await run(['serve', '--port', '0'], { COCOON_VAULT_PASSWORD_FILE: password })).output).toContain(
    'may be read by others',
  )
  chmodSync(password, 0o600)

  expect((await run(['vault', 'remove-password'], { COCOON_VAULT_PASSWORD_FILE: password })).code).toBe(0)
  expect((await openVault(paths)).derive('chat')).toEqual(key)
})

it('the password is asked for only when the vault has one', async () => {
  let asked = 0
  const password = async (): Promise<string> => {
    asked++
    return 'several words are best'
  }
  const paths = dataPaths(folder)
  const vault = await openVault(paths, { password })
  expect({ kind: vault.kind, asked }).toEqual({ kind: 'key-file', asked: 0 })
  await vault.changePassword('several words are best')
  expect((await openVault(paths, { password })).kind).toBe('password')
  expect(asked).toBe(1)
})
