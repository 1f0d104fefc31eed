import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyManager } from '../../contracts/root.ts'
import { createLogger, silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { childEntries } from '../child-entries.ts'
import { writeKeys } from '../keys/key-messages.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { syntheticImageHash, syntheticQuote, syntheticVerifier } from '../protocol/attestation/testing/manipulated-peers.ts'
import { syntheticNowMs } from '../protocol/attestation/testing/synthetic-intel.ts'
import { securePort } from '../proxy/ports.ts'
import { goldenOwner, goldenRoot } from '../proxy/testing/fixtures.ts'
import { firstAnswer, lastPart, readyClient, readyWorker, runQuery } from '../proxy/testing/scripted.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { PolicyName } from './attesting.ts'
import { startKeyManagerRole } from './key-manager-role.ts'
import { openKeySource } from './network-keys.ts'
import { startProxyRole } from './proxy-role.ts'
import type { Role } from './role.ts'
import { freePorts } from './testing/role-process.ts'

/** Image of every fake quote (protocol 10 §9.2). */
const fakeImage = '5c55c8f4db4010ba9203d83536d0609856af8c847ac039e37e7dde8fbd574b61'
const entries = childEntries(import.meta.url)
let dataDir: string
let root: Signal<RootConfig | null>
let log: string[]
let managerPort = 0
const closers: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'cocoon-key-role-'))
  log = []
  const [port = 0] = await freePorts(1)
  managerPort = port
  root = new Signal<RootConfig | null>({ ...goldenRoot({ proxyHashes: new Set([fakeImage]) }), keyManager: managerOf(fakeImage) })
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  rmSync(dataDir, { recursive: true, force: true })
})

const managerOf = (imageHash: string): KeyManager => {
  const place = { host: '127.0.0.1', port: managerPort }
  return { keys: [], publicKey: '00'.repeat(32), imageHash, endpoints: { forWorkers: place, forClients: place } }
}
const roleOptions = (signal = new AbortController().signal) => ({
  network: { name: 'test', root, chain: undefined, close: async () => undefined },
  dataDir,
  owner: goldenOwner,
  entries,
  roots: intelRoots,
  logger: createLogger((line) => log.push(line), 'debug', 'role'),
  signal,
})
async function startManager(policy: PolicyName): Promise<Role> {
  const place = { host: '127.0.0.1', port: managerPort, plain: false, difficulty: 4 }
  const role = await startKeyManagerRole({ ...roleOptions(), ...place, policy })
  closers.push(() => role.stop(0))
  return role
}
/** The public key that the key manager tells its operator. */
const publicKeyIn = ({ facts }: Role): Uint8Array => {
  const entry = /For registered_public_keys of the network file: (.*)/.exec(facts.join('\n'))?.[1] ?? ''
  const { public_key, key_type } = JSON.parse(entry) as { public_key: string; key_type: number }
  expect(key_type).toBe(1)
  return new Uint8Array(Buffer.from(public_key, 'base64'))
}
const sourceFor = (holder: 'proxy' | 'worker', policy: PolicyName) => {
  const source = openKeySource(holder, { policy }, roleOptions())
  closers.push(() => source.stop())
  source.start()
  return source
}

describe('the key manager role', () => {
  it('gives an attested proxy the keys that it tells its operator, over proof of work and TLS', async () => {
    const publicKey = publicKeyIn(await startManager('fake_tdx'))
    const source = sourceFor('proxy', 'fake_tdx')
    await expect.poll(() => source.state.value.phase).toBe('ready')
    expect(source.privateKeyOf(publicKey)).toHaveLength(32)
  })

  it('gives none to a role whose image the network does not list, nor to one that shows none', async () => {
    await startManager('fake_tdx')
    // The list of workers is empty.
    const worker = sourceFor('worker', 'fake_tdx')
    await expect.poll(() => worker.state.value.failure).toContain(`invalid worker image hash ${fakeImage}`)
    const stranger = sourceFor('proxy', 'any')
    await expect.poll(() => stranger.state.value.phase).toBe('waiting')
    expect([worker.state.value.keys, stranger.state.value.keys]).toEqual([0, 0])
  })

  it('is believed only with the image that the network contract names', async () => {
    root.update((config) => config && { ...config, keyManager: managerOf('11'.repeat(32)) })
    await startManager('fake_tdx')
    const source = sourceFor('proxy', 'fake_tdx')
    await expect.poll(() => source.state.value.failure).toContain('does not list the software of this key manager')
    root.update((config) => config && { ...config, keyManager: managerOf(fakeImage) })
    await expect.poll(() => source.state.value.phase).toBe('ready')
  })

  it('is left while its connection stands, once its quote holds no more by what Intel says then', async () => {
    const image = Buffer.from(syntheticImageHash).toString('hex')
    root.update((config) => config && { ...config, keyManager: managerOf(image) })
    const place = { host: '127.0.0.1', port: managerPort, fixed: true, difficulty: 4, logger: silentLogger }
    const held = [{ seed: new Uint8Array(32).fill(7), validUntilMs: Date.now() + 86_400_000 }]
    const port = await securePort({ ...place, policy: { kind: 'any' }, quote: syntheticQuote })(
      ({ connection }) => void connection.start({ onQuery: () => writeKeys(held) }).catch(() => undefined),
    )
    closers.push(() => port.close())
    let nowMs = syntheticNowMs
    const role = { ...roleOptions(), quotes: syntheticVerifier({ now: () => nowMs }) }
    const source = openKeySource('proxy', { policy: 'tdx' }, role)
    closers.push(() => source.stop())
    source.start()
    await expect.poll(() => source.state.value.phase, { timeout: 10_000 }).toBe('ready')
    nowMs += 400 * 86_400_000
    // The next reading of the contract, which says the same.
    root.update((config) => config && { ...config })
    await expect
      .poll(() => source.state.value, { timeout: 10_000 })
      .toMatchObject({ phase: 'waiting', failure: expect.stringContaining('expired') })
  })

  it('keeps its secrets to its folder: mode 0600, nothing in the log', async () => {
    const source = sourceFor('proxy', 'any')
    const publicKey = publicKeyIn(await startManager('any'))
    await expect.poll(() => source.privateKeyOf(publicKey)).toBeDefined()
    const folder = join(dataDir, 'roles', 'test', 'key-manager')
    expect(statSync(join(folder, 'keys.json')).mode & 0o077).toBe(0)
    const seed = Buffer.from(source.privateKeyOf(publicKey) ?? [])
    expect(log.join('\n')).not.toContain(seed.toString('hex'))
    expect(log.join('\n')).not.toContain(seed.toString('base64'))
    expect(readFileSync(join(folder, 'key-manager.db')).includes(seed)).toBe(false)
  })
})

it('a proxy passes the private key of the network on to workers that have a place for it, and names unknown keys', async () => {
  const publicKey = publicKeyIn(await startManager('any'))
  const [workerPort = 0, clientPort = 0] = await freePorts(2)
  const proxy = await startProxyRole({
    ...roleOptions(),
    host: '127.0.0.1',
    workersPort: workerPort,
    clientsPort: clientPort,
    policyWorkers: 'any',
    policyClients: 'any',
    plain: true,
    difficulty: 0,
    commitDelayMs: 5,
    listedModelsOnly: false,
    acceptLostDatabase: false,
  })
  closers.push(() => proxy.stop(0))
  const served = { status: { value: { workerPort, clientPort } } }
  const older = await readyWorker(served, { version: 2, coefficient: 1 })
  const worker = await readyWorker(served, { version: 3 })
  const client = await readyClient(served, { version: 3 })
  const ask = async (key: Uint8Array): Promise<void> => client.send(runQuery({ flags: 3, public_key: key }))
  await ask(new Uint8Array(32).fill(9))
  expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({
    error_code: 602,
    error: `unknown public key ${'09'.repeat(32)}`,
  })
  // The proxy asks for its keys beside everything else.
  await expect.poll(() => log.some((line) => line.includes('the key manager gives keys'))).toBe(true)
  const source = sourceFor('proxy', 'any')
  await expect.poll(() => source.privateKeyOf(publicKey)).toBeDefined()
  await ask(publicKey)
  const query = await worker.expect('proxy.runQueryEx')
  expect(query.private_key).toEqual(source.privateKeyOf(publicKey))
  worker.send(firstAnswer(query.request_id))
  worker.send(lastPart(query.request_id, 3))
  expect(await client.expect('client.queryAnswerPartEx')).toMatchObject({ flags: 1 })
  expect(await older.silent(50)).toBe(true)
  for (const peer of [older, worker, client]) peer.end()
})
