import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { listen } from '../protocol/wire/listen.ts'
import { openDatabase } from '../storage/database.ts'
import { createSealer } from '../storage/sealer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { KeyBook, keyBookMigrations, type OwnKey } from './key-book.ts'
import { KeyManager, type KeyManagerOptions, type KeyManagerPort } from './key-manager.ts'
import { KeySource } from './key-source.ts'

const hourMs = 3_600_000
const image = new Uint8Array(32).fill(0x5c)
let folder: string
const closers: (() => Promise<unknown> | unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-keys-'))
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
})

const openPort: KeyManagerOptions['openPort'] = async (onPeer): Promise<KeyManagerPort> => {
  const place = { host: '127.0.0.1', port: 0, plain: true } as const
  const listener = await listen(place, ({ connection }) => onPeer({ connection, imageHash: image }))
  return { port: listener.port, close: () => listener.close() }
}
const book = (sealKey = 7): KeyBook => {
  const db = openDatabase(join(folder, 'keys.db'), keyBookMigrations, { logger: silentLogger })
  closers.push(() => db.close())
  return new KeyBook(db, createSealer(new Uint8Array(32).fill(sealKey)))
}
const fast = { everyMs: hourMs, validMs: 24 * hourMs, leadMs: 15_000, tickMs: 5, retryMs: 20 }

/** A key manager whose clock the test holds, and which lists keys in a contract of the test. */
async function startManager(change: Partial<KeyManagerOptions> = {}) {
  const clock = { ms: 1_800_000_000_000 }
  const root = new Signal<RootConfig | null>({ ...scriptedNetwork.root, version: 7 })
  const published: OwnKey[] = []
  const publish = async (_root: RootConfig, key: OwnKey): Promise<void> => {
    published.push({ ...key, seed: key.seed.slice() })
    const listed = { publicKey: Buffer.from(key.publicKey).toString('hex'), type: 1, expiresAtSec: key.validUntilMs / 1000 }
    root.update((config) => {
      const keys = [...(config?.keyManager?.keys ?? []), listed]
      return config && { ...config, keyManager: { keys, publicKey: '', imageHash: '', endpoints: null } }
    })
  }
  const options = { root, openPort, publish, rotation: fast, logger: silentLogger, now: () => clock.ms }
  const manager = new KeyManager({ ...options, book: change.book ?? book(), ...change })
  await manager.start()
  closers.push(() => manager.stop())
  return { manager, clock, root, published }
}

async function connect(manager: KeyManager) {
  const port = manager.state.value.port ?? 0
  const { connection } = await dialDirect({ host: '127.0.0.1', port, plain: true })
  await connection.start({})
  closers.push(() => connection.close())
  const ask = async (question: TlObject): Promise<TlObject<'keyManager.privateKeys'>> =>
    decode(await connection.query(encode(question), { timeoutMs: 60_000 }), 'keyManager.privateKeys')
  return { connection, ask }
}
const newer = { '@type': 'keyManager.getProxyPrivateKeysNewer', proto_version: 4 } as const
const listedKeys = (manager: KeyManager) => manager.state.value.keys.filter(({ listed }) => listed).length

describe('a key manager', () => {
  it('gives a key out before it lists it, so that no proxy is asked for one that it does not know', async () => {
    const { manager, clock, published } = await startManager()
    const { ask } = await connect(manager)
    const { keys } = await ask(newer)
    expect(keys).toHaveLength(1)
    expect(keys[0]?.valid_until_utime).toBe((clock.ms + 24 * hourMs) / 1000)
    clock.ms += 14_999
    await pause(50)
    expect(published).toEqual([])
    clock.ms += 1
    await expect.poll(() => published.length).toBe(1)
    expect(keys[0]?.private_key).toEqual(published[0]?.seed)
    await expect.poll(() => listedKeys(manager)).toBe(1)
  })

  it('makes a key an hour, keeps each for a day, and lists each once', async () => {
    const { manager, clock, published } = await startManager()
    const { ask } = await connect(manager)
    const first = (await ask(newer)).keys[0]
    for (let hour = 1; hour <= 24; hour++) {
      clock.ms += 15_000
      await expect.poll(() => published.length).toBe(hour)
      clock.ms += hourMs - 15_000
      await expect.poll(() => manager.state.value.keys.at(-1)?.validUntilMs).toBe(clock.ms + 24 * hourMs)
    }
    // The first has lived its day, and is gone from the disk too.
    const { keys } = await ask(newer)
    expect(keys).toHaveLength(24)
    expect(keys.map(({ private_key }) => private_key)).not.toContainEqual(first?.private_key)
    expect(book().valid(0)).toHaveLength(24)
  })

  it.each([
    newer,
    { '@type': 'keyManager.getWorkerPrivateKeysNewer', proto_version: 0 },
    { '@type': 'keyManager.getProxyPrivateKeys', min_config_version: 7 },
    { '@type': 'keyManager.getWorkerPrivateKeys', min_config_version: -1 },
  ] as const)('answers $@type', async (question) => {
    const { manager } = await startManager()
    expect((await (await connect(manager)).ask(question)).keys).toHaveLength(1)
  })

  it('answers nothing else, and nobody who knows a newer network than itself', async () => {
    const { manager } = await startManager()
    const { ask, connection } = await connect(manager)
    await expect(ask({ '@type': 'worker.updatePaymentStatus' })).rejects.toMatchObject({
      peerCode: 0,
      peerMessage: 'Lost promise',
    })
    await expect(ask({ '@type': 'keyManager.getProxyPrivateKeys', min_config_version: 8 })).rejects.toMatchObject({
      peerCode: 602,
    })
    const cut = encode(newer).subarray(0, 4)
    await expect(connection.query(cut, { timeoutMs: 60_000 })).rejects.toMatchObject({ peerCode: 0 })
    // More than any question has.
    await connection.query(new Uint8Array(1_000), { timeoutMs: 2_000 }).catch(() => undefined)
    await expect(connection.closed).resolves.toBeDefined()
    expect((await (await connect(manager)).ask(newer)).keys).toHaveLength(1)
  })

  it('gives keys only to images that pass its check, each role by its own list', async () => {
    const { manager } = await startManager({
      check: (holder, imageHash, { version }) => {
        if (holder === 'worker' && version === 7 && imageHash[0] === 0x5c) return
        throw new Failure('image-not-listed', 'not listed')
      },
    })
    const { ask } = await connect(manager)
    const refused = { peerCode: 621, peerMessage: `invalid proxy image hash ${'5c'.repeat(32)}` }
    await expect(ask(newer)).rejects.toMatchObject(refused)
    expect((await ask({ '@type': 'keyManager.getWorkerPrivateKeysNewer', proto_version: 4 })).keys).toHaveLength(1)
  })

  it('gives none where the network demands attestation and it checks nobody, or has not read the network', async () => {
    const { manager, root } = await startManager()
    const { ask } = await connect(manager)
    const known = root.value
    root.set(known && { ...known, params: { ...known.params, isTest: false } })
    await expect(ask(newer)).rejects.toMatchObject({ peerCode: 651 })
    root.set(null)
    await expect(ask(newer)).rejects.toMatchObject({ peerCode: 651 })
    root.set(known)
    expect((await ask(newer)).keys).toHaveLength(1)
  })

  it('has the same keys after a restart, sealed on the disk', async () => {
    const { manager } = await startManager()
    const before = await (await connect(manager)).ask(newer)
    await manager.stop()
    for (const close of closers.splice(0).reverse()) await close()
    const onDisk = ['keys.db', 'keys.db-wal'].map((name) => {
      try {
        return readFileSync(join(folder, name))
      } catch {
        return Buffer.alloc(0)
      }
    })
    const seed = Buffer.from(before.keys[0]?.private_key ?? [])
    expect(seed).toHaveLength(32)
    expect(onDisk.some((bytes) => bytes.includes(seed))).toBe(false)
    expect(() => book(8).valid(0)).toThrow(expect.objectContaining({ code: 'sealed-tampered' }))
    const again = await startManager()
    expect(await (await connect(again.manager)).ask(newer)).toEqual(before)
  })

  it('says what keeps it from listing a key, and tries again', async () => {
    let tries = 0
    const { manager, clock } = await startManager({
      publish: async () => {
        tries++
        if (tries < 3) throw new Failure('balance-too-low', 'The wallet is empty.', { advice: 'Fill it.' })
      },
    })
    clock.ms += 15_000
    await expect.poll(() => manager.state.value.trouble).toBe('The wallet is empty. Fill it.')
    await expect.poll(() => manager.state.value.trouble).toBeNull()
    expect(tries).toBeGreaterThan(2)
  })

  it('without a chain has one key that stays, since the network file lists it', async () => {
    const clock = { ms: 1_800_000_000_000 }
    const root = new Signal<RootConfig | null>(scriptedNetwork.root)
    const manager = new KeyManager({
      root,
      openPort,
      book: book(),
      rotation: fast,
      logger: silentLogger,
      now: () => clock.ms,
    })
    await manager.start()
    closers.push(() => manager.stop())
    clock.ms += 100 * hourMs
    await expect.poll(() => manager.state.value.keys).toMatchObject([{ validUntilMs: (2 ** 31 - 1) * 1000 }])
  })

  it('is what proxies and workers of ours ask', async () => {
    const { manager, published, clock } = await startManager()
    const source = new KeySource({
      holder: 'worker',
      root: new Signal<RootConfig | null>(scriptedNetwork.root),
      address: { host: '127.0.0.1', port: manager.state.value.port ?? 0 },
      dial: async (address) => (await dialDirect({ ...address, plain: true })).connection,
      dialChecksImageHash: false,
      refreshMs: [10, 20],
      logger: silentLogger,
      now: () => clock.ms,
    })
    source.start()
    closers.push(() => source.stop())
    await expect.poll(() => source.state.value.keys).toBe(1)
    clock.ms += 15_000
    await expect.poll(() => published.length).toBe(1)
    expect(source.privateKeyOf(published[0]?.publicKey ?? new Uint8Array(32))).toEqual(published[0]?.seed)
    expect(manager.state.value.connections).toBe(1)
  })
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
