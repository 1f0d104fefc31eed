import { describe, expect, it } from 'vitest'
import { decode, encode } from './codec.ts'
import { constructorId, plans } from './plan.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const key = new Uint8Array(32).fill(0xab)

describe('what newer revisions add to the schema', () => {
  it.each([
    ['worker.changeModel', '72662cee'],
    ['worker.changedModel', '34029366'],
    ['client.runQueryEx', 'f54cb74b'],
    ['proxy.runQueryEx', 'c805e7e2'],
    ['worker.params', '869c73ed'],
    ['keyManager.getWorkerPrivateKeysNewer', '4b90e9b1'],
    ['keyManager.getProxyPrivateKeysNewer', '4135d0bd'],
  ])('%s is %s', (name, id) => expect(plans.get(name)?.id.toString(16)).toBe(id))

  it.each(['Worker', 'Proxy'])('the newer question of a %s for private keys has the id of its own text', (who) => {
    const id = constructorId(`keyManager.get${who}PrivateKeys proto_version:int = keyManager.PrivateKeys`)
    expect(plans.get(`keyManager.get${who}PrivateKeysNewer`)?.id).toBe(id)
  })

  it('a query carries its key behind enable_debug, and nothing where the bit is not set', () => {
    const query = {
      '@type': 'proxy.runQueryEx',
      query: new Uint8Array(0),
      signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
      coefficient: 1n,
      timeout: 1,
      request_id: new Uint8Array(32),
      flags: 1,
      enable_debug: false,
    } as const
    const old = encode(query)
    const newer = encode({ ...query, flags: 3, private_key: key })
    // The flags are 8 bytes before the end of the older form.
    expect(hex(newer)).toBe(`${hex(old.subarray(0, -8))}03000000${hex(old.subarray(-4))}${hex(key)}`)
    expect(decode(old, 'proxy.runQueryEx')).not.toHaveProperty('private_key')
    expect(decode(newer, 'proxy.runQueryEx').private_key).toEqual(key)
  })

  it('a key that is cut off is no query', () => {
    const query = {
      '@type': 'client.runQueryEx',
      model_name: 'm',
      query: new Uint8Array(0),
      max_coefficient: 1,
      max_tokens: 1,
      timeout: 1,
      request_id: new Uint8Array(32),
      min_config_version: 1,
      flags: 3,
      enable_debug: false,
      public_key: key,
    } as const
    expect(() => decode(encode(query).subarray(0, -4), 'client.runQueryEx')).toThrow()
    expect(() => encode({ ...query, flags: 1 })).toThrow('public_key must be absent')
  })

  it('a worker may describe its machine', () => {
    const params = {
      '@type': 'worker.params',
      flags: 7,
      worker_owner_address: 'o',
      model: 'm',
      coefficient: 1000,
      is_test: true,
      proxy_cnt: 1,
      max_active_requests: 1,
      min_proto_version: 4,
      max_proto_version: 4,
      machine_description_json: '{"gpu":"x"}',
    } as const
    expect(decode(encode(params), 'worker.params')).toEqual(params)
  })
})
