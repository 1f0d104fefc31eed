import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSecretStore } from './secret-store.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secrets-'))
  path = join(folder, 'secrets.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const key = new Uint8Array(32).fill(9)
const phrase = new TextEncoder().encode('abandon ability able about')

describe('secret store', () => {
  it('keeps secrets over a restart and shows neither them nor their names on disk', () => {
    const store = openSecretStore(path, key)
    store.put('user-wallet', phrase)
    store.put('proxy', Uint8Array.of(1))
    expect(openSecretStore(path, key).get('user-wallet')).toEqual(phrase)
    expect(openSecretStore(path, key).get('nobody')).toBeUndefined()
    const onDisk = readFileSync(path, 'latin1')
    for (const word of ['abandon', Buffer.from(phrase).toString('base64').slice(0, 12), 'user-wallet'])
      expect(onDisk).not.toContain(word)
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('makes a secret once, also for callers at the same time', async () => {
    const store = openSecretStore(path, key)
    let made = 0
    const make = async (): Promise<Uint8Array> => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return Uint8Array.of(++made)
    }
    const both = await Promise.all([store.getOrCreate('a', make), store.getOrCreate('a', make)])
    expect(both).toEqual([Uint8Array.of(1), Uint8Array.of(1)])
    expect(await openSecretStore(path, key).getOrCreate('a', make)).toEqual(Uint8Array.of(1))
  })

  it('does not hand out a secret that could not be stored', async () => {
    const store = openSecretStore(join(path, 'below-a-file'), key)
    writeFileSync(path, 'a file')
    await expect(store.getOrCreate('a', () => Uint8Array.of(1))).rejects.toMatchObject({ code: 'write-failed' })
    expect(store.get('a')).toBeUndefined()
  })

  it('gives copies, and nothing after close', () => {
    const store = openSecretStore(path, key)
    store.put('a', phrase)
    store.get('a')?.fill(0)
    expect(store.get('a')).toEqual(phrase)
    store.close()
    expect(() => store.get('a')).toThrow('locked')
    expect(() => store.put('a', phrase)).toThrow('locked')
    expect(openSecretStore(path, key).get('a')).toEqual(phrase)
  })

  it('refuses another key, every kind of damage, and newer formats', () => {
    openSecretStore(path, key).put('a', phrase)
    expect(() => openSecretStore(path, new Uint8Array(32))).toThrow('another vault')
    const { version, sealed } = JSON.parse(readFileSync(path, 'utf8'))
    const bytes = Buffer.from(sealed, 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0x80
      writeFileSync(path, JSON.stringify({ version, sealed: damaged.toString('base64') }))
      expect(() => openSecretStore(path, key)).toThrow('changed from outside')
    }
    writeFileSync(path, sealed)
    expect(() => openSecretStore(path, key)).toThrow('changed from outside')
    writeFileSync(path, '{"version":2}')
    expect(() => openSecretStore(path, key)).toThrow('does not know')
  })
})
