import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Address } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { clientInit } from '../../contracts/client.ts'
import { storeParams } from '../../contracts/params.ts'
import { proxyInit } from '../../contracts/proxy.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { workerInit } from '../../contracts/worker.ts'
import { Failure } from '../base/failure.ts'
import { pseudoRootConfig } from './pseudo-root.ts'
import { rootJson } from './root-json.ts'

interface Golden {
  readonly inputs: {
    readonly owner_address: { readonly raw: string }
    readonly keys: { readonly proxy: { readonly private_key_seed_hex: string } }
  }
  readonly variants: ReadonlyArray<{
    readonly root_config: {
      readonly proxy_hashes: string[]
      readonly worker_hashes: string[]
      readonly owner: { readonly bounceable: string }
    }
    readonly params_cells: { readonly root_all_codes_mask7: { readonly hash: string } }
    readonly proxy_contract: Contract
    readonly worker_contract: Contract
    readonly client_contract_owner_is_owner_address: Contract
  }>
}
interface Contract {
  readonly address: { readonly raw: string }
  readonly code: { readonly boc_hex: string }
}

const golden = JSON.parse(readFileSync(new URL('../../contracts/vectors/contracts.json', import.meta.url), 'utf8')) as Golden
const fakeTon = golden.variants[1]
if (fakeTon === undefined) throw new Error('the golden data have no variant without a chain')
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

/** The file of the reference's tests, with what the golden data say of it. */
const shipped = {
  '@type': 'rootConfig.pseudo',
  proxy_hashes: fakeTon.root_config.proxy_hashes.map(base64),
  worker_hashes: fakeTon.root_config.worker_hashes.map(base64),
  model_hashes: [base64('11'.repeat(32))],
  model_types: ['some/model@commit:hash'],
  registered_proxies: [{ seqno: 1, address: '127.0.0.1:21001 127.0.0.1:21002' }],
  price_per_token: 2,
  worker_fee_per_token: '1',
  last_proxy_seqno: 1,
  version: 3,
  params_version: 1,
  proxy_sc_code: fakeTon.proxy_contract.code.boc_hex,
  worker_sc_code: fakeTon.worker_contract.code.boc_hex,
  client_sc_code: fakeTon.client_contract_owner_is_owner_address.code.boc_hex,
  root_owner_address: fakeTon.root_config.owner.bounceable,
}

describe('a network without a chain', () => {
  it('of newer revisions lists keys and where the key manager is', () => {
    expect(pseudoRootConfig(shipped).keyManager).toBeNull()
    const key = { public_key: base64('ab'.repeat(32)), key_type: 1, expire_at: '2000000000' }
    const newer = { ...shipped, registered_public_keys: [key], key_manager_address: '127.0.0.1:13001' }
    const { keyManager } = pseudoRootConfig(newer)
    expect(keyManager?.keys).toEqual([{ publicKey: 'ab'.repeat(32), type: 1, expiresAtSec: 2_000_000_000 }])
    expect(keyManager?.endpoints?.forWorkers).toEqual({ host: '127.0.0.1', port: 13_001 })
    expect(rootJson(pseudoRootConfig(newer), String)).toMatchObject({
      registered_public_keys: [{ public_key: 'ab'.repeat(32), key_type: 1, expire_at: 2_000_000_000 }],
      key_manager_address: '127.0.0.1:13001',
    })
    expect(rootJson(pseudoRootConfig(shipped), String)).not.toHaveProperty('registered_public_keys')
  })

  it.each([
    [{ registered_public_keys: [{ public_key: 'AAAA', key_type: 1, expire_at: 1 }] }, 'registered_public_keys.0.public_key'],
    [{ registered_public_keys: [{ public_key: base64('ab'.repeat(32)), key_type: 300 }] }, 'registered_public_keys.0.key_type'],
    [{ key_manager_address: 'somewhere' }, 'key_manager_address'],
  ])('names what is wrong with its keys: %j', (change, field) => {
    expect(() => pseudoRootConfig({ ...shipped, ...change })).toThrow(`pseudoRoot.${field}`)
  })

  it('has the params of the reference, and so all of its addresses', () => {
    const root = pseudoRootConfig(shipped)
    expect(storeParams(root.params, 'root').hash().toString('hex').toUpperCase()).toBe(
      fakeTon.params_cells.root_all_codes_mask7.hash,
    )
    const owner = Address.parse(golden.inputs.owner_address.raw)
    const publicKey = publicKeyOfSeed(Buffer.from(golden.inputs.keys.proxy.private_key_seed_hex, 'hex'))
    const proxy = proxyInit({ owner, publicKey, root: root.address, params: root.params }).address
    const raw = (address: Address): string => address.toRawString().toUpperCase()
    expect(raw(proxy)).toBe(fakeTon.proxy_contract.address.raw)
    const parts = { owner, proxy, publicKey, params: root.params }
    expect(raw(workerInit(parts).address)).toBe(fakeTon.worker_contract.address.raw)
    expect(raw(clientInit(parts).address)).toBe(fakeTon.client_contract_owner_is_owner_address.address.raw)
  })

  it('lists hashes in the order of their digits, and model types by their base name', () => {
    const root = pseudoRootConfig(shipped)
    expect([...root.proxyHashes]).toEqual(fakeTon.root_config.proxy_hashes.map((hash) => hash.toLowerCase()))
    expect(root.modelHashes).toEqual(new Set(['11'.repeat(32), createHash('sha256').update('some/model').digest('hex')]))
    expect(root.proxies).toEqual([
      { seqno: 1, forWorkers: { host: '127.0.0.1', port: 21001 }, forClients: { host: '127.0.0.1', port: 21002 } },
    ])
    expect(root.version).toBe(3)
  })

  it('refuses a field that it does not know: a price with a slip in its name would be zero', () => {
    expect(() => pseudoRootConfig({ root_owner_address: shipped.root_owner_address, price_per_tokn: 5 })).toThrow(
      /price_per_tokn/,
    )
  })

  it('takes missing fields as zero and empty, but wants an owner', () => {
    const root = pseudoRootConfig({ root_owner_address: shipped.root_owner_address })
    expect(root.params.pricePerToken).toBe(0n)
    expect(root.params.codes.proxy?.bits.length).toBe(0)
    expect(root.proxies).toEqual([])
    expect(() => pseudoRootConfig({})).toThrow(/root_owner_address/)
  })

  it.each([
    ['a hash of 31 bytes', { proxy_hashes: [base64('11'.repeat(31))] }, /proxy_hashes\.0: 31 bytes/],
    ['an address without a port', { registered_proxies: [{ seqno: 1, address: '127.0.0.1' }] }, /registered_proxies\.0.*ip:port/],
    ['code that is none', { client_sc_code: 'b5ee' }, /client_sc_code: no bag of cells/],
    ['a negative price', { price_per_token: -1 }, /price_per_token/],
  ])('refuses %s by name', (_name, change, message) => {
    expect(() => pseudoRootConfig({ ...shipped, ...change })).toThrow(message)
    expect(() => pseudoRootConfig({ ...shipped, ...change })).toThrow(Failure)
  })
})
