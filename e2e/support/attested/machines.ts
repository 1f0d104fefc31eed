import { createHash } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Address, beginCell, toNano } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { cocoonWalletInit } from '../../../contracts/cocoon-wallet.ts'
import { createLogger } from '../../../main/base/logger.ts'
import { childEntries } from '../../../main/child-entries.ts'
import { localEndpoint, tellLocalEndpoint } from '../../../main/core/local-endpoint.ts'
import { openToolChain } from '../../../main/core/network-tool/tool-chain.ts'
import { shippedCatalog } from '../../../main/models/catalog.ts'
import { modelIdentity } from '../../../main/models/identity.ts'
import { startPccs } from '../../../main/protocol/attestation/testing/pccs.ts'
import { evidenceWith } from '../../../main/protocol/attestation/testing/synthetic-intel.ts'
import { openKeyFile } from '../../../main/roles/key-file.ts'
import { openNetwork } from '../../../main/roles/open-network.ts'
import { startProxyRole } from '../../../main/roles/proxy-role.ts'
import type { Role } from '../../../main/roles/role.ts'
import { startWorkerRole } from '../../../main/roles/worker-role.ts'
import { dataPaths } from '../../../main/storage/files.ts'
import { W5Wallet } from '../../../main/wallet/w5-wallet.ts'
import { passingEndpoint } from '../passing-endpoint.ts'
import type { Facts, Order, OrderName, Orders, Reply } from './orders.ts'
import { syntheticMachine } from './synthetic-machine.ts'

/**
 * What an ordinary computer cannot be: Intel (a root key of the test's, and the service that gives collateral), and two confidential machines with a proxy
 * and a worker of the command line's in them. Only the hardware is the test's; sockets, proof of work, TLS, chain, contracts and engine are real.
 *
 * Usage: machines.ts <data folder with a model>; it does what it is told over IPC (`orders.ts`) until its parent lets go.
 */
const [dataDir = ''] = process.argv.slice(2)
const logger = createLogger((line) => process.stderr.write(`${line}\n`), 'info', 'machines')
const entries = childEntries(new URL('../../../main/headless/cli.ts', import.meta.url).href)
const { collateral, roots } = evidenceWith(undefined, Date.now())
const machines = { proxy: syntheticMachine(2), worker: syntheticMachine(3) }
const keyFiles = { proxy: join(dataDir, 'proxy-keys.json'), worker: join(dataDir, 'worker-keys.json') }
const [forMachines, forApp] = await Promise.all([startPccs(collateral), startPccs(collateral)])
const roles: Role[] = []
let hearsChain = true
const [model] = shippedCatalog()
const { commit } = model ?? {}
if (model === undefined || !commit) throw new Error('The first model of the catalogue has no commit.')

const carryOut: { readonly [Name in OrderName]: (given: Orders[Name]['with']) => Promise<Orders[Name]['answer']> } = {
  fund: async ({ appDir }) => {
    const tool = await openToolChain({ on: 'local', dataDir: appDir, entries, logger })
    if (tool.faucet === null) throw new Error('no faucet')
    const faucet = new W5Wallet(tool.chain, tool.faucet)
    const gift = (role: 'proxy' | 'worker') => {
      const { publicKey } = keyPairFromSeed(Buffer.from(openKeyFile(keyFiles[role], role).keys.walletKey))
      const { address } = cocoonWalletInit(new Uint8Array(publicKey), faucet.address)
      return { to: address, value: toNano(20), body: beginCell().endCell(), mode: 1, bounce: false }
    }
    try {
      await faucet.send([gift('proxy'), gift('worker')])
      return { owner: faucet.address.toString() }
    } finally {
      faucet.close()
      await tool.close()
    }
  },

  serve: async ({ appDir, network, owner, ports: [workersPort, clientsPort] }) => {
    // The chain of the app has another port after each start; an endpoint that machines elsewhere use has not.
    const { url } = await passingEndpoint(appDir, (answer) => {
      if (!hearsChain) throw new Error('The chain is kept from the machines.')
      return answer
    })
    tellLocalEndpoint(dataPaths(dataDir).localEndpoint, { ...localEndpoint(dataPaths(appDir).localEndpoint), endpoint: url })
    const common = (role: 'proxy' | 'worker') => ({
      network: openNetwork(network, { dataDir, logger }),
      dataDir,
      keyFile: keyFiles[role],
      owner: Address.parse(owner),
      entries,
      pccs: forMachines.url,
      roots,
      hardware: machines[role].hardware,
      logger,
      signal: new AbortController().signal,
    })
    const proxy = await startProxyRole({
      ...common('proxy'),
      host: '127.0.0.1',
      workersPort,
      clientsPort,
      policyWorkers: 'tdx',
      policyClients: 'any',
      plain: false,
      // The time of a proof of work is told elsewhere: each of the app's tries to be a worker here, which it cannot be, costs one.
      difficulty: 8,
      commitDelayMs: 100,
      listedModelsOnly: false,
      acceptLostDatabase: false,
    })
    roles.unshift(proxy)
    const worker = await startWorkerRole({
      ...common('worker'),
      engine: 'builtin',
      model: model.id,
      coefficient: 1000,
      maxActive: 2,
      proxies: 1,
      policy: 'tdx',
      seals: true,
      http: { host: '127.0.0.1', port: 0 },
    })
    roles.unshift(worker)
    const status = worker.facts.join('\n').match(/Status: (\S+)\/stats/)?.[1]
    if (status === undefined) throw new Error('The worker does not say where it tells its counts.')
    return { workerStats: `${status}/jsonstats` }
  },

  collateral: async ({ given }) => {
    forApp.instead.clear()
    if (!given) forApp.instead.set('/', (response) => response.writeHead(503).end())
    return null
  },

  chain: async ({ given }) => {
    hearsChain = given
    return null
  },
}

const send = (message: Facts | Reply): unknown => process.send?.(message)

process.on('message', ({ n, name, with: given }: Order) => {
  // The journey's own orders, by the one type that both sides are written by.
  const order = carryOut[name] as (given: unknown) => Promise<unknown>
  order(given).then(
    (answer) => send({ n, answer }),
    (thrown: unknown) => send({ n, failed: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }),
  )
})
process.on('disconnect', () => {
  const end = async (): Promise<void> => {
    for (const role of roles) await role.stop(0)
    for (const { folder } of Object.values(machines)) rmSync(folder, { recursive: true, force: true })
  }
  end().then(
    () => process.exit(0),
    (thrown: unknown) => {
      console.error(thrown)
      process.exit(1)
    },
  )
})

await carryOut.collateral({ given: false })
const sha256 = createHash('sha256')
  .update(readFileSync(join(dataDir, 'models', model.fileName)))
  .digest('hex')
send({
  root: Buffer.from(roots[0] ?? []).toString('hex'),
  pccs: forApp.url,
  images: { proxy: machines.proxy.image, worker: machines.worker.image },
  model: modelIdentity({ repo: model.repo, commit }, model.fileName, model.quantization, sha256).fullName,
})
