import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { tellLocalEndpoint } from '../core/local-endpoint.ts'
import { readChainNetwork } from '../network/network-file.ts'
import { dataPaths } from '../storage/files.ts'
import { openNetwork } from './open-network.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-open-network-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const options = { dataDir: folder, logger: silentLogger }

/** Says no to everything at once: what a role is given follows from the file alone. */
const refusing = createServer((_request, response) => response.writeHead(404).end())
let endpoint = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}/`
})
afterAll(() => refusing.close())

function write(name: string, change: object): string {
  const path = join(folder, name)
  const network = {
    format: 'cocoon-network',
    version: 1,
    name: 'Mine',
    kind: 'open',
    chain: { kind: 'testnet', endpoints: [endpoint] },
    root: 'EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k',
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

  it('that is none is refused by its fault', () => {
    expect(() => openNetwork(write('bad.json', { root: 'EQabc' }), options)).toThrow(/root: is no valid address/)
  })
})
