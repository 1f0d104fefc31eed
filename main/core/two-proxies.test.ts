import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { childEntries } from '../child-entries.ts'
import type { CapableEngine, EngineState } from '../inference/engine.ts'
import { joinLocalNetwork, localEndpoints, updateProxyEntry } from '../localnet/genesis.ts'
import { testKey } from '../localnet/testing.ts'
import type { VerifiedModel } from '../models/library.ts'
import { dataPaths, makeDataDir } from '../storage/files.ts'
import { orderToRoot } from '../ton/root-orders.ts'
import { CocoonWallet } from '../wallet/cocoon-wallet.ts'
import { carryOut } from '../wallet/orders.ts'
import { openSecretStore } from '../wallet/secret-store.ts'
import { W5Wallet } from '../wallet/w5-wallet.ts'
import { ScriptedBackend } from '../worker/testing/scripted-backend.ts'
import { beginServing } from './begin-serving.ts'
import { practiceChecker } from './checks/practice-checker.ts'
import { localSecrets } from './local-keys.ts'
import { LocalNetwork } from './local-network.ts'
import { makeOwnProxy, ownPort } from './own-proxy.ts'
import { PracticeBackend } from './practice-backend.ts'
import { StartProgress } from './start-progress.ts'

/** This computer's network with a second proxy, of somebody else, that runs and answers as well as the app's own. */
async function twoProxies(dataDir: string) {
  const paths = dataPaths(dataDir)
  makeDataDir(dataDir)
  const store = openSecretStore(paths.secrets, new Uint8Array(32))
  const secrets = await localSecrets(store, paths)
  store.close()
  const progress = new StartProgress(silentLogger)
  const entries = childEntries(import.meta.url)
  const network = new LocalNetwork({ paths, secrets, entries, progress, paused: false, logger: silentLogger })
  await network.start()
  const live = network.live.value ?? expect.unreachable(String(network.failure.value))

  const { chain } = live.chain
  const owner = new W5Wallet(chain, secrets.networkOwner)
  const keys = { ...secrets, proxy: testKey(51), proxyWallet: testKey(52) }
  const [workerPort, clientPort] = [await ownPort(silentLogger), await ownPort(silentLogger)]
  const contracts = await joinLocalNetwork({ chain, keys, owner, root: live.contracts.root })
  const wallet = new CocoonWallet(chain, keys.proxyWallet, contracts.networkOwner)
  const other = makeOwnProxy({
    ...{ contracts, chain, wallet, workerPort, clientPort, root: live.root, key: keys.proxy, keptWords: [] },
    ...{ databasePath: join(dataDir, 'other.db'), chainId: undefined, room: undefined, logger: silentLogger },
  })
  await other.start()

  const backend = new ScriptedBackend()
  const state = new Signal<EngineState>({ status: 'ready', model: 'm', contextTokens: 4096, backend: 'cpu' })
  const practice = new PracticeBackend()
  const identity = { baseName: backend.model, fullName: `${backend.model}@abc:${'0'.repeat(64)}` }
  const worker = await beginServing(
    { kind: 'own', model: { name: 'Scripted', identity } as VerifiedModel },
    {
      engine: { state, capabilities: {} } as unknown as CapableEngine,
      network: { serve: (offering) => network.serve({ ...offering, backend }), live: network.live, noWorker: network.noWorker },
      practice,
      external: () => null,
    },
  )
  if (worker === null) return expect.unreachable('no worker')
  const checker = practiceChecker(network.live, network.worker)
  const { client, root } = live
  return {
    practice,
    listed: {
      own: live.root.config.value?.proxies[0] ?? expect.unreachable(),
      other: localEndpoints({ workerPort: workerPort.port, clientPort: clientPort.port }),
    },
    async listOther(endpoints: ProxyEndpoints): Promise<void> {
      await updateProxyEntry(chain, owner, live.contracts.root, endpoints)
      await root.refresh()
    },
    async listToo({ forWorkers, forClients }: ProxyEndpoints): Promise<void> {
      const order = orderToRoot(
        await root.refresh(),
        { op: 'registerProxy', endpoints: { forWorkers, forClients } },
        'List it too',
      )
      await carryOut(chain, owner, [order])
      expect((await root.refresh()).proxies).toHaveLength(2)
    },
    async again(role: 'client' | 'worker'): Promise<void> {
      const one = { client, worker }[role]
      await one.stop()
      one.start()
    },
    /** Where both are connected. */
    places: () =>
      [client, worker].map(({ state: { value } }) =>
        value.connections.map(({ endpoint, phase }) => `${endpoint} ${phase}`).join(),
      ),
    ownRow: async () => {
      const { rows } = await checker.check(checker.connection.value ?? 'none', AbortSignal.timeout(60_000))
      return rows.find(({ id }) => id === 'own-roles')?.result
    },
    async stop(): Promise<void> {
      practice.attach(undefined)
      await network.stopServing()
      await other.stop()
      await Promise.all([workerPort.close(), clientPort.close()])
      wallet.close()
      owner.close()
      await network.stop()
    },
  }
}

describe('a network that lists another proxy beside the app’s own', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'cocoon-two-proxies-'))
  let net: Awaited<ReturnType<typeof twoProxies>>
  beforeAll(async () => {
    net = await twoProxies(dataDir)
  })
  afterAll(async () => {
    await net?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const at = ({ forClients, forWorkers }: ProxyEndpoints, worker = forWorkers): string[] =>
    [forClients, worker].map(({ host, port }) => `${host}:${port} ready`)
  const placesAre = (places: string[]) => expect.poll(() => net.places()).toEqual(places)
  const state = () => ({ ...net.practice.state.value })

  it('has its practice level at the own one alone: elsewhere it says so, and returns as soon as the own one is listed', async () => {
    const { own, other } = net.listed
    await placesAre(at(own))
    await expect.poll(state).toMatchObject({ state: 'ready' })
    expect(await net.ownRow()).toBe('passed')

    // Not listed, the own one is no choice: both go to the other, and the client opens an account there.
    await net.listOther(other)
    await net.again('client')
    await net.again('worker')
    await placesAre(at(other))
    expect(state()).toMatchObject({ state: 'unavailable', reasonWords: { code: 'practice-other-proxy' } })
    expect(await net.ownRow()).toBe('failed')

    await net.listToo(own)
    await net.again('client')
    await placesAre(at(own, other.forWorkers))
    expect(state()).toMatchObject({ state: 'unavailable', reasonWords: { code: 'practice-worker-elsewhere' } })
    expect(await net.ownRow()).toBe('failed')

    // Not by chance: the other one is known to both by now, and has money of theirs.
    for (let left = 3; left > 0; left--) {
      await net.again('client')
      await net.again('worker')
      await placesAre(at(own))
      expect(state()).toMatchObject({ state: 'ready' })
      expect(await net.ownRow()).toBe('passed')
    }
  })
})
