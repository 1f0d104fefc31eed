import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { RoleProcess } from '../../roles/testing/role-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-key-command-'))
const networkFile = join(folder, 'keys-net.json')
const pseudoRoot = { version: 3, root_owner_address: 'EQBgPMq7ye2WRcudRHK_-yjHwMXjeN-UCzAuoo06TR6hmuea' }
writeFileSync(networkFile, JSON.stringify({ pseudoRoot }))
const running: RoleProcess[] = []
const start = (...args: string[]): RoleProcess => {
  const role = new RoleProcess(['key-manager', '--data-dir', join(folder, 'data'), ...args])
  running.push(role)
  return role
}
afterAll(async () => {
  for (const role of running) await role.kill()
  rmSync(folder, { recursive: true, force: true })
})

/** Each step starts a process, which takes its time on a busy machine. */
const limitMs = 120_000

describe('cocoon-desktop key-manager', () => {
  it(
    'makes a key, tells what the network file has to list, and has it again after a restart',
    async () => {
      const entryOf = async (role: RoleProcess): Promise<string | undefined> => {
        await role.says('Keys and book:', 60_000)
        return /registered_public_keys of the network file: (.*)/.exec(role.output)?.[1]
      }
      const first = start('--network', networkFile, '--plain', '--port', '0')
      const entry = await entryOf(first)
      const { public_key, key_type, expire_at } = JSON.parse(entry ?? '') as Record<string, unknown>
      expect(Buffer.from(String(public_key), 'base64')).toHaveLength(32)
      expect([key_type, expire_at]).toEqual([1, 2 ** 31 - 1])
      expect(statSync(join(folder, 'data/roles/keys-net/key-manager/keys.json')).mode & 0o077).toBe(0)
      first.signal('SIGTERM')
      expect(await first.exit()).toBe(0)
      // What was printed goes into the file, and is read from there.
      const listed = { ...pseudoRoot, registered_public_keys: [JSON.parse(entry ?? '')] }
      writeFileSync(networkFile, JSON.stringify({ pseudoRoot: listed }))
      expect(await entryOf(start('--network', networkFile, '--plain', '--port', '0'))).toBe(entry)
    },
    limitMs,
  )

  it.each([
    [['--network', networkFile, '--policy', 'sgx'], '--policy must be one of'],
    [['--network', networkFile, '--plain', '--host', '0.0.0.0'], 'this computer only'],
    [[], '--network is missing'],
  ])(
    'refuses %j with its help',
    async (args, words) => {
      const role = start(...args)
      expect(await role.exit()).toBe(2)
      expect(role.output).toContain(words)
      expect(role.output).toContain('Usage: cocoon-desktop key-manager')
    },
    limitMs,
  )
})
