import { afterEach, describe, expect, it } from 'vitest'
import type { KeyManager } from '../../contracts/root.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { createLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { type ScriptedConnection, ScriptedProxy } from '../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { QueryRefused } from '../protocol/wire/wire-error.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { KeySource, type KeySourceOptions } from './key-source.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const publicKey = (byte: number): Uint8Array => publicKeyOfSeed(seed(byte))
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds
type KeyLine = readonly [byte: number, validUntil: number]
const answer = (...keys: readonly KeyLine[]): TlObject<'keyManager.privateKeys'> => ({
  '@type': 'keyManager.privateKeys',
  keys: keys.map(([byte, valid_until_utime]) => ({
    '@type': 'keyManager.privateKey',
    valid_until_utime,
    private_key: seed(byte),
  })),
})
const managerAt = (port: number, image = '00'.repeat(32)): KeyManager => ({
  keys: [],
  publicKey: '00'.repeat(32),
  imageHash: image,
  endpoints: { forWorkers: { host: '127.0.0.1', port }, forClients: { host: '127.0.0.1', port } },
})

/** A key manager that does what the test says, and a source of keys that knows of it by the network contract. */
async function standBefore(change: Partial<KeySourceOptions> = {}, rootChange: Partial<RootConfig> = {}) {
  const manager = await ScriptedProxy.listen()
  const root = new Signal<RootConfig | null>({ ...scriptedNetwork.root, version: 7, keyManager: managerAt(1), ...rootChange })
  const log: string[] = []
  const source = new KeySource({
    holder: 'proxy',
    root,
    dial: manager.dial,
    dialChecksImageHash: false,
    logger: createLogger((line) => log.push(line), 'debug', 'test'),
    refreshMs: [10, 20],
    reconnectMs: 40,
    ...change,
  })
  closers.push(
    () => manager.close(),
    () => source.stop(),
  )
  source.start()
  return { manager, root, source, log }
}
const asked = (connection: ScriptedConnection) => connection.nextQuery('keyManager.getProxyPrivateKeysNewer')
const give = async (connection: ScriptedConnection, ...keys: readonly KeyLine[]): Promise<void> =>
  (await asked(connection)).answer(answer(...keys))

describe('keys of the key manager', () => {
  it('are asked for again and again; a key that is taken back is forgotten', async () => {
    const { manager, source } = await standBefore()
    const connection = await manager.accept()
    const { question, answer: reply } = await asked(connection)
    expect(question.proto_version).toBe(4)
    reply(answer([1, inSeconds(60)], [2, inSeconds(60)]))
    await expect.poll(() => source.state.value).toEqual({ phase: 'ready', keys: 2 })
    expect(source.privateKeyOf(publicKey(1))).toEqual(seed(1))
    expect(await source.knows(seed(2))).toBe(true)
    await give(connection, [2, inSeconds(60)], [3, inSeconds(60)])
    await expect.poll(() => source.privateKeyOf(publicKey(3))).toEqual(seed(3))
    expect(source.privateKeyOf(publicKey(1))).toBeUndefined()
  })

  it('are asked for by a worker in its own words', async () => {
    const { manager, source } = await standBefore({ holder: 'worker' })
    const connection = await manager.accept()
    const question = await connection.nextQuery('keyManager.getWorkerPrivateKeysNewer')
    question.answer(answer([1, inSeconds(60)]))
    await expect.poll(() => source.state.value.keys).toBe(1)
  })

  it('come from a key manager of the older revision too', async () => {
    const { manager, source } = await standBefore()
    const connection = await manager.accept()
    ;(await asked(connection)).fail(new QueryRefused(0, 'Lost promise'))
    const older = await connection.nextQuery('keyManager.getProxyPrivateKeys')
    expect(older.question.min_config_version).toBe(7)
    older.answer(answer([1, inSeconds(60)]))
    await expect.poll(() => source.state.value.phase).toBe('ready')
  })

  it('expire, whether the key manager is there or not', async () => {
    const { manager, source } = await standBefore({ refreshMs: [60_000, 60_000] })
    await give(await manager.accept(), [1, inSeconds(1)], [2, inSeconds(60)])
    await expect.poll(() => source.privateKeyOf(publicKey(2))).toEqual(seed(2))
    manager.cut()
    await expect.poll(() => source.privateKeyOf(publicKey(1))).toBeUndefined()
    expect(source.privateKeyOf(publicKey(2))).toEqual(seed(2))
  })

  it('that are not known yet are asked for at once, but not for each that somebody makes up', async () => {
    let atMs = 0
    const { manager, source } = await standBefore({ refreshMs: [60_000, 60_000], restMs: 2_000, monotonic: () => atMs })
    const connection = await manager.accept()
    // Nobody has said yet which keys there are.
    expect(await source.knows(seed(2))).toBe(true)
    await give(connection, [1, inSeconds(60)])
    await expect.poll(() => source.state.value.phase).toBe('ready')
    // Just asked.
    atMs += 1_999
    expect(await source.knows(seed(2))).toBe(false)
    atMs += 1
    const known = source.knows(seed(2))
    await give(connection, [1, inSeconds(60)], [2, inSeconds(60)])
    expect(await known).toBe(true)
    expect(await source.knows(seed(1))).toBe(true)
    for (let made = 10; made < 20; made++) expect(await source.knows(seed(made))).toBe(false)
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('that are not known yet are waited for by all who come with them while the question is on its way', async () => {
    let atMs = 0
    const { manager, source } = await standBefore({ refreshMs: [60_000, 60_000], monotonic: () => atMs })
    const connection = await manager.accept()
    await give(connection, [1, inSeconds(60)])
    await expect.poll(() => source.state.value.phase).toBe('ready')
    atMs += 10_000
    const first = source.knows(seed(2))
    const question = await asked(connection)
    const others = [source.knows(seed(2)), source.knows(seed(2)), source.knows(seed(9))]
    question.answer(answer([1, inSeconds(60)], [2, inSeconds(60)]))
    expect(await Promise.all([first, ...others])).toEqual([true, true, true, false])
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('outlive a lost connection, which is made again', async () => {
    const { manager, source } = await standBefore()
    await give(await manager.accept(), [1, inSeconds(60)])
    await expect.poll(() => source.state.value.phase).toBe('ready')
    manager.cut()
    const again = await manager.accept()
    expect(source.privateKeyOf(publicKey(1))).toEqual(seed(1))
    await give(again, [2, inSeconds(60)])
    await expect.poll(() => source.privateKeyOf(publicKey(2))).toEqual(seed(2))
  })

  it('never reach the log, nor does a refusal lose them', async () => {
    const { manager, source, log } = await standBefore()
    const connection = await manager.accept()
    await give(connection, [0xab, inSeconds(60)])
    await expect.poll(() => source.state.value.phase).toBe('ready')
    ;(await asked(connection)).fail(new QueryRefused(621, 'invalid proxy image hash'))
    await expect.poll(() => source.state.value).toMatchObject({ phase: 'waiting', keys: 1 })
    expect(source.state.value.failure).toContain('invalid proxy image hash')
    expect(log.join('\n')).not.toMatch(/abab|q6ur/)
    expect(log.length).toBeGreaterThan(0)
  })

  it.each([
    ['a key of zeros', answer([0, inSeconds(60)]), 0],
    ['a key of the past', answer([1, -5], [2, 1]), 0],
    ['one key twice', answer([1, inSeconds(60)], [1, inSeconds(90)]), 1],
    ['hundreds of keys', answer(...Array.from({ length: 300 }, (_, i) => [(i % 200) + 1, inSeconds(60)] as const)), 200],
  ])('of a strange key manager: %s', async (_name, keys, held) => {
    const { manager, source } = await standBefore()
    ;(await asked(await manager.accept())).answer(keys)
    await expect.poll(() => source.state.value.phase).toBe('ready')
    expect(source.state.value.keys).toBe(held)
    expect(source.privateKeyOf(new Uint8Array(32))).toBeUndefined()
  })

  it('are not taken from an answer that is none, or too large', async () => {
    const { manager, source } = await standBefore()
    const first = await manager.accept()
    ;(await asked(first)).answer({ '@type': 'worker.changedModel' })
    await expect.poll(() => source.state.value.phase).toBe('waiting')
    const second = await manager.accept()
    ;(await asked(second)).answer(answer(...Array.from({ length: 1000 }, () => [1, inSeconds(60)] as const)))
    await manager.accept()
    expect(source.state.value.keys).toBe(0)
  })
})

describe('which key manager is asked', () => {
  it('the one of the network contract, once it names one; another one when that changes', async () => {
    const dialled: number[] = []
    const manager = await ScriptedProxy.listen()
    closers.push(() => manager.close())
    const { root, source } = await standBefore(
      {
        dial: ({ port }) => {
          dialled.push(port)
          return manager.dial()
        },
      },
      { keyManager: null },
    )
    expect(source.state.value.phase).toBe('none')
    expect(await source.knows(seed(1))).toBe(true)
    const change = (keyManager: KeyManager): void => root.update((config) => config && { ...config, keyManager })
    change(managerAt(11))
    await give(await manager.accept(), [1, inSeconds(60)])
    change(managerAt(12))
    await give(await manager.accept(), [2, inSeconds(60)])
    await expect.poll(() => source.privateKeyOf(publicKey(2))).toEqual(seed(2))
    // The same place with another image: it is looked at again.
    change(managerAt(12, '11'.repeat(32)))
    await manager.accept()
    expect(dialled).toEqual([11, 12, 12])
  })

  it('the given one before that of the contract', async () => {
    const dialled: number[] = []
    const manager = await ScriptedProxy.listen()
    closers.push(() => manager.close())
    await standBefore({
      address: { host: '127.0.0.1', port: 99 },
      dial: ({ port }) => {
        dialled.push(port)
        return manager.dial()
      },
    })
    await manager.accept()
    expect(dialled).toEqual([99])
  })

  it('none that is not checked where the network demands attestation', async () => {
    const { params } = scriptedNetwork.root
    const { source } = await standBefore({}, { params: { ...params, isTest: false } })
    await expect.poll(() => source.state.value.failure).toContain('it is not checked')
    const { manager } = await standBefore({ dialChecksImageHash: true }, { params: { ...params, isTest: false } })
    await manager.accept()
  })
})
