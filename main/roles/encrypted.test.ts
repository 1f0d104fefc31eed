import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NetAddress } from '../../contracts/net-address.ts'
import type { KeyManager, RegisteredPublicKey } from '../../contracts/root.ts'
import { createLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { childEntries } from '../child-entries.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { dialDirect } from '../protocol/wire/dial.ts'
import { goldenOwner, goldenRoot } from '../proxy/testing/fixtures.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { startClientRole } from './client-role.ts'
import { startKeyManagerRole } from './key-manager-role.ts'
import { startProxyRole } from './proxy-role.ts'
import type { Role } from './role.ts'
import { type InstantEngine, instantEngine } from './testing/instant-engine.ts'
import { freePorts } from './testing/role-process.ts'
import { startWorkerRole } from './worker-role.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-encrypted-'))
const log: string[] = []
const roles: Role[] = []
let engine: InstantEngine
let root: Signal<RootConfig | null>
let httpPort = 0

const dial = async ({ host, port }: NetAddress) => (await dialDirect({ host, port, plain: true })).connection
const never = new AbortController().signal
const at = (port: number) => ({ host: '127.0.0.1', port })
/** What the key manager tells its operator for the network file. */
function listedBy({ facts }: Role): RegisteredPublicKey {
  const text = /registered_public_keys of the network file: (.*)/.exec(facts.join('\n'))?.[1] ?? ''
  const { public_key, key_type, expire_at } = JSON.parse(text) as { public_key: string; key_type: number; expire_at: number }
  return { publicKey: Buffer.from(public_key, 'base64').toString('hex'), type: key_type, expiresAtSec: expire_at }
}

/** Key manager, proxy, worker and client of ours, each as its role, over real sockets. */
beforeAll(async () => {
  const [managerPort = 0, workersPort = 0, clientsPort = 0, clientHttp = 0] = await freePorts(4)
  httpPort = clientHttp
  engine = await instantEngine()
  const proxies = [{ seqno: 1, forWorkers: at(workersPort), forClients: at(clientsPort) }]
  root = new Signal<RootConfig | null>({ ...goldenRoot(), proxies })
  const shared = {
    network: { name: 'test', root, chain: undefined, close: async () => undefined },
    ...{ dataDir, owner: goldenOwner, entries: childEntries(import.meta.url), roots: intelRoots, signal: never },
    logger: createLogger((line) => log.push(line), 'debug', 'role'),
  }
  const manager = await startKeyManagerRole({ ...shared, ...at(managerPort), policy: 'any', plain: true, difficulty: 0 })
  roles.push(manager)
  const keyManager: KeyManager = {
    keys: [listedBy(manager)],
    ...{ publicKey: '00'.repeat(32), imageHash: '00'.repeat(32) },
    endpoints: { forWorkers: at(managerPort), forClients: at(managerPort) },
  }
  root.update((config) => config && { ...config, keyManager })
  const access = { policy: 'any', dial } as const
  roles.push(
    await startProxyRole({
      ...{ ...shared, host: '127.0.0.1', workersPort, clientsPort, policyWorkers: 'any', policyClients: 'any' },
      ...{ plain: true, difficulty: 0, commitDelayMs: 5, listedModelsOnly: false, acceptLostDatabase: false },
      keyManager: access,
    }),
  )
  roles.push(
    await startWorkerRole({
      ...{ ...shared, engine: engine.url, model: 'test/model@c:h', coefficient: 1000, maxActive: 4, proxies: 1 },
      ...{ policy: 'any', versions: { least: 1, most: 4 }, keyManager: access, dial },
    }),
  )
  roles.push(await startClientRole({ ...shared, http: at(httpPort), policy: 'any', proxies: 1, encrypts: true, dial }))
})
afterAll(async () => {
  for (const role of roles.reverse()) await role.stop(0)
  await engine.close()
  rmSync(dataDir, { recursive: true, force: true })
})

const ask = async (body: object): Promise<{ status: number; text: string }> => {
  const response = await fetch(`http://127.0.0.1:${httpPort}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'test/model', messages: [{ role: 'user', content: 'a secret word' }], ...body }),
  })
  return { status: response.status, text: await response.text() }
}

describe('a network with a key manager of its own', () => {
  it('answers encrypted questions, in a document and in a stream', async () => {
    // Everybody finds everybody in some seconds.
    await expect.poll(async () => (await ask({})).status, { interval: 200 }).toBe(200)
    const whole = await ask({ max_tokens: 20 })
    expect(JSON.parse(whole.text)).toMatchObject({ choices: [{ message: { content: 'Good day' } }] })
    const stream = await ask({ stream: true })
    expect(stream.text).toContain('"content":"Good"')
    expect(stream.text).toMatch(/data: \[DONE\]\s*$/)
    // The engine is asked in the clear, behind the worker.
    expect(engine.asked.at(-1)).toContain('a secret word')
    expect(engine.asked.at(-1)).not.toContain('is_encrypted')
    expect(log.join('\n')).not.toContain('secret word')
  })
})
