import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, type Cell } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { rootData } from '../../contracts/root.ts'
import { silentLogger } from '../base/logger.ts'
import { forgetLocalEndpoint, tellLocalEndpoint } from '../core/local-endpoint.ts'
import { localParams } from '../localnet/genesis.ts'
import type { LocalChain } from '../localnet/local-chain.ts'
import { newFolder, startChain } from '../localnet/testing.ts'
import { readChainNetwork } from '../network/network-file.ts'
import { dataPaths } from '../storage/files.ts'
import { openNetwork } from './open-network.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-open-network-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const anyRoot = Address.parse('EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k')
const options = { dataDir: folder, logger: silentLogger }

/** Says no to everything at once: what a role is given follows from the file alone. */
const refusing = createServer((_request, response) => response.writeHead(404).end())
let endpoint = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}/`
})
afterAll(() => refusing.close())

const contracts: Server[] = []
afterAll(() => {
  for (const server of contracts) server.closeAllConnections()
  for (const server of contracts) server.close()
})

/** An endpoint that tells of every address that this is its contract. */
async function endpointWith(data: Cell): Promise<string> {
  const account = {
    ...{ '@type': 'raw.fullAccountState', balance: '1', extra_currencies: [], code: '', frozen_hash: '', state: 'active' },
    ...{ sync_utime: 1, last_transaction_id: { '@type': 'internal.transactionId', lt: '0', hash: '' } },
    block_id: { '@type': 'ton.blockIdExt', workchain: -1, shard: '0', seqno: 1, root_hash: '', file_hash: '' },
    data: data.toBoc().toString('base64'),
  }
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, result: account }))
  })
  contracts.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function write(name: string, change: object): string {
  const path = join(folder, name)
  const network = {
    format: 'cocoon-network',
    version: 1,
    name: 'Mine',
    kind: 'open',
    chain: { kind: 'testnet', endpoints: [endpoint] },
    root: anyRoot.toString(),
    createdAt: '2026-11-22T06:00:00.000Z',
  }
  writeFileSync(path, JSON.stringify({ ...network, ...change }))
  return path
}

describe('a network file given to a role', () => {
  it('names chain and endpoint, and keeps the folder of its keys when it is renamed', async () => {
    const network = openNetwork(write('mine.json', {}), options)
    const renamed = openNetwork(write('yours.json', { name: 'Yours' }), options)
    expect(network.chain).toMatchObject({ kind: 'testnet', endpoint })
    expect(network.name).toBe('testnet-a7b3b6d84a9d2280')
    expect(renamed.name).toBe(network.name)
    await Promise.all([network.close(), renamed.close()])
  })

  it('on the local chain needs the app, and finds its chain', async () => {
    const path = write('local.json', { kind: 'local', chain: { kind: 'local' } })
    expect(() => openNetwork(path, options)).toThrow(/no app runs with this data folder/)
    const { root } = readChainNetwork(path)
    for (const chainId of [undefined, 7]) {
      tellLocalEndpoint(dataPaths(folder).localEndpoint, { endpoint, root, chainId })
      for (const given of [path, 'local']) {
        const network = openNetwork(given, options)
        expect(network.chain).toMatchObject({ kind: 'local', endpoint })
        // Books of another local chain are not taken for this one's.
        expect(network.chainId).toBe(chainId)
        await network.close()
      }
    }
  })

  it('that names several endpoints asks each for the network contract, on the local chain too', async () => {
    const contract = rootData({ owner: Address.parse(`0:${'11'.repeat(32)}`), params: localParams })
    const [first, second] = [await endpointWith(contract), await endpointWith(contract)]
    tellLocalEndpoint(dataPaths(folder).localEndpoint, { endpoint: first, root: anyRoot, chainId: 7 })
    for (const change of [
      { chain: { kind: 'testnet', endpoints: [first, second] } },
      { kind: 'local', chain: { kind: 'local', endpoints: [second] } },
    ]) {
      const network = openNetwork(write('several.json', change), options)
      await vi.waitFor(
        () => expect(network.root.value?.source).toMatchObject({ endpoint: first, others: [{ endpoint: second, said: 'same' }] }),
        { timeout: 60_000 },
      )
      await network.close()
    }
  })

  it('that names the local chain’s own endpoint has it confirmed by nobody', async () => {
    const first = await endpointWith(rootData({ owner: Address.parse(`0:${'11'.repeat(32)}`), params: localParams }))
    tellLocalEndpoint(dataPaths(folder).localEndpoint, { endpoint: first, root: anyRoot, chainId: 7 })
    const own = { kind: 'local', chain: { kind: 'local', endpoints: [first.replace('127.0.0.1', 'localhost')] } }
    const network = openNetwork(write('own.json', own), options)
    await vi.waitFor(() => expect(network.root.value?.source).toMatchObject({ endpoint: first, others: [] }), { timeout: 60_000 })
    await network.close()
  })

  it('on the local chain finds it again where the app’s next start puts it, and no other chain', async () => {
    const chain = newFolder()
    const place = dataPaths(folder).localEndpoint
    const root = Address.parse(`0:${'ab'.repeat(32)}`)
    const told = (local: LocalChain, chainId = 7): void => tellLocalEndpoint(place, { endpoint: local.endpoint, root, chainId })
    const rich = { address: anyRoot, balance: 5n }
    let local = await startChain(chain.path, { genesis: [rich] })
    told(local)
    const other = await startChain(join(chain.path, 'other'), { genesis: [{ ...rich, balance: 9n }] })
    const { chain: found, close } = openNetwork('local', options)
    try {
      expect(await found?.account(anyRoot)).toMatchObject({ balance: 5n })
      const before = local.endpoint
      await local.close()
      // As long as the app is away a read is tried again; then it is at another port.
      forgetLocalEndpoint(place)
      const reading = found?.account(anyRoot)
      local = await startChain(chain.path, { genesis: [rich] })
      told(local)
      expect(await reading).toMatchObject({ balance: 5n })
      expect(local.endpoint).not.toBe(before)
      expect(found?.endpoint).toBe(local.endpoint)
      // The same chain with another network of the app on it is still the same chain.
      tellLocalEndpoint(place, { endpoint: other.endpoint, root: anyRoot, chainId: 7 })
      expect(await found?.account(anyRoot)).toMatchObject({ balance: 9n })
      told(local)
      expect(await found?.account(anyRoot)).toMatchObject({ balance: 5n })
      // Another chain of the app: money there is not this role's.
      told(other, 8)
      expect(await found?.account(anyRoot)).toMatchObject({ balance: 5n })
    } finally {
      await close()
      await Promise.all([local.close(), other.close()])
      chain.remove()
    }
  })

  it('that is none is refused by its fault', () => {
    expect(() => openNetwork(write('bad.json', { root: 'EQabc' }), options)).toThrow(/root: is no valid address/)
  })
})
