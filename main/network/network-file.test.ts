import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterAll, describe, expect, it } from 'vitest'
import { parseNetwork, readChainNetwork, readNetworkFile, writeNetworkFile } from './network-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-network-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const root = Address.parse('EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k')
const good = {
  format: 'cocoon-network',
  version: 1,
  name: 'Mine',
  kind: 'open',
  chain: { kind: 'mainnet', endpoints: ['https://toncenter.com/api/v2/jsonRPC'] },
  root: root.toString(),
  createdAt: '2026-11-22T06:00:00.000Z',
}
const onMainnet = (...endpoints: string[]) => ({ ...good, chain: { kind: 'mainnet', endpoints } })
const pseudo = {
  root_owner_address: 'UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m',
  price_per_token: 2,
  worker_fee_per_token: '1',
}

/** What is wrong with a file, by its code and words. */
function fault(value: unknown): string {
  const path = join(folder, 'hostile.json')
  writeFileSync(path, typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value))
  try {
    readNetworkFile(path)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown) return `${thrown.code} ${thrown.message}`
    throw thrown
  }
  throw new Error('it was taken')
}

describe('a network file', () => {
  it('is written and read back, without a secret in it', () => {
    const path = join(folder, 'mine.json')
    const network = parseNetwork(good)
    if (network.mode !== 'chain') throw new Error('not on a chain')
    writeNetworkFile(path, network)
    const read = readChainNetwork(path)
    expect({ ...read, root: read.root.toString() }).toEqual({ ...network, root: network.root.toString() })
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(good)
    expect(network.root.equals(root)).toBe(true)
  })

  it('writes the address of a test network so that no main network takes it', () => {
    const testnet = { ...good, chain: { kind: 'testnet', endpoints: ['https://testnet.toncenter.com/api/v2/jsonRPC'] } }
    const network = parseNetwork(testnet)
    if (network.mode !== 'chain') throw new Error('not on a chain')
    const path = join(folder, 'testnet.json')
    writeNetworkFile(path, network)
    const written = JSON.parse(readFileSync(path, 'utf8')) as { root: string }
    expect(written.root).toBe(root.toString({ testOnly: true }))
    expect(fault({ ...good, root: written.root })).toMatch(/root: is an address of a test network/)
  })

  it('may name endpoints beside the local chain, which are asked for the network contract too', () => {
    const local = { ...good, kind: 'local', chain: { kind: 'local', endpoints: ['http://127.0.0.1:4999/api/v2/jsonRPC'] } }
    expect(parseNetwork(local)).toMatchObject({ chain: local.chain })
    expect(fault({ ...local, chain: { kind: 'local', endpoints: ['http://example.org/'] } })).toMatch(/https address/)
    const eight = Array.from({ length: 8 }, (_, index) => `http://127.0.0.1:${5000 + index}/`)
    expect(parseNetwork({ ...local, chain: { kind: 'local', endpoints: eight.slice(1) } })).toMatchObject({ mode: 'chain' })
    expect(fault({ ...local, chain: { kind: 'local', endpoints: eight } })).toMatch(/endpoints/)
  })

  it('may describe a network without a blockchain, in the words of the reference', () => {
    const network = parseNetwork({ pseudoRoot: { '@type': 'rootConfig.pseudo', ...pseudo } })
    expect(network).toMatchObject({
      mode: 'pseudo',
      root: { params: { pricePerToken: 2n, workerFeePerToken: 1n, structVersion: 1 } },
    })
    expect(() => readChainNetwork(write('pseudo.json', { pseudoRoot: pseudo }))).toThrow(/without a blockchain/)
    expect(fault({ pseudoRoot: { ...pseudo, price_per_token: -1 } })).toMatch(/pseudo-root-invalid/)
    expect(fault({ pseudoRoot: { ...pseudo, proxy_sc_code: 'zz' } })).toMatch(/pseudo-root-invalid/)
    expect(fault({ pseudoRoot: pseudo, chain: { kind: 'mainnet' } })).toMatch(/file-malformed .*chain/)
  })

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{', /file-malformed .*not JSON/],
    ['a list', [], /file-malformed/],
    ['an unknown key', { ...good, wallet: 'x' }, /wallet/],
    ['an unknown key deeper down', { ...good, chain: { ...good.chain, apiKey: 'x' } }, /apiKey/],
    ['a prototype', '{"__proto__": {"format": "cocoon-network"}}', /file-malformed/],
    ['a key twice', `{"name": "One", ${JSON.stringify(good).slice(1)}`, /key twice: name/],
    ['a key twice, once in disguise', `{"n\\u0061me" : "One", ${JSON.stringify(good).slice(1)}`, /key twice: name/],
    ['a newer format', { ...good, version: 2 }, /version/],
    ['another kind than its chain', { ...good, kind: 'local' }, /kind: does not fit/],
    [
      'a local network without any endpoint of those that it names',
      { ...good, kind: 'local', chain: { kind: 'local', endpoints: [] } },
      /chain/,
    ],
    ['an address with a wrong letter', { ...good, root: root.toString().replace('E', 'F') }, /root: is no valid address/],
    ['an address of another workchain', { ...good, root: new Address(-1, root.hash).toString() }, /root: is no valid address/],
    ['no endpoint', { ...good, chain: { kind: 'mainnet', endpoints: [] } }, /endpoints/],
    ['an endpoint over plain HTTP', { ...good, chain: { kind: 'mainnet', endpoints: ['http://example.org/'] } }, /https/],
    [
      'an endpoint with a password',
      { ...good, chain: { kind: 'mainnet', endpoints: ['https://a:b@example.org/'] } },
      /endpoints/,
    ],
    ['an endpoint that is a file', { ...good, chain: { kind: 'mainnet', endpoints: ['file:///etc/passwd'] } }, /endpoints/],
    ['one endpoint twice', onMainnet('https://a.example/v2', 'https://a.example/v2'), /same endpoint twice/],
    [
      'one endpoint in two spellings',
      onMainnet('https://a.example/v2', 'https://A.example.:443/v2/?key=1'),
      /same endpoint twice/,
    ],
    ['this computer by two names', onMainnet('http://127.0.0.1:4999/', 'http://localhost:4999'), /same endpoint twice/],
    ['a name that turns the line around', { ...good, name: 'safe\u202Etxt.exe' }, /invisible/],
    ['a name with a line break', { ...good, name: 'safe\nSend 5 TON to' }, /invisible/],
    ['a name that is too long', { ...good, name: 'x'.repeat(61) }, /name/],
    ['a time that is none', { ...good, createdAt: 'yesterday' }, /createdAt/],
  ])('is refused with %s', (_what, value, words) => {
    expect(fault(value)).toMatch(words)
  })

  it('is refused when it is too large, a folder, a pipe, or not there', () => {
    const path = join(folder, 'large.json')
    writeFileSync(path, '')
    truncateSync(path, 600 * 1024)
    expect(() => readNetworkFile(path)).toThrow(/larger than/)
    // A file that says it is small: the size is measured by reading.
    expect(statSync(path).size).toBe(600 * 1024)
    expect(() => readNetworkFile(folder)).toThrow(/no ordinary file|cannot be read/)
    expect(() => readNetworkFile(join(folder, 'absent.json'))).toThrow(/cannot be read/)
    if (process.platform === 'win32') return
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    expect(() => readNetworkFile(pipe)).toThrow(/no ordinary file/)
  })
})

function write(name: string, value: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(value))
  return path
}
