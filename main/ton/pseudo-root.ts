import { createHash } from 'node:crypto'
import { Address, Cell } from '@ton/core'
import { z } from 'zod'
import { parseEndpoints } from '../../contracts/net-address.ts'
import type { KeyManager, RegisteredProxy, RegisteredPublicKey } from '../../contracts/root.ts'
import { asError, Failure } from '../base/failure.ts'
import type { RootConfig } from './root-config.ts'

/** The network contract that the shipped test data of the mode without a blockchain names (protocol 60 §10). */
const shippedRoot = 'EQBT4hy4vMEZ9uxSCuhw_gBKh9_AwmHXLe7Wo0O4Vh-4kRjJ'

const tlInt = (least: number, most: number) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^-?\d+$/)
        .transform(Number),
    ])
    .pipe(z.number().int().min(least).max(most))
const nat = tlInt(0, 0x7fff_ffff).default(0)
/** 32 bytes in base64, in the order in which they are printed as hex. */
const int256 = z.base64().transform((text, context) => {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 32) return bytes.toString('hex')
  context.addIssue(`${bytes.length} bytes instead of 32`)
  return z.NEVER
})
const hashes = z.array(int256).default([])
/** A bag of cells in hex; nothing for an empty cell. */
const code = z
  .string()
  .default('')
  .transform((text, context) => {
    if (text === '') return Cell.EMPTY
    try {
      return Cell.fromHex(text)
    } catch (thrown) {
      context.addIssue(`no bag of cells in hex: ${asError(thrown).message}`)
      return z.NEVER
    }
  })
const proxyEntry = z
  .strictObject({ seqno: nat, address: z.string().default('') })
  .transform(({ seqno, address }, context): RegisteredProxy => {
    const endpoints = parseEndpoints(address)
    if (endpoints !== null) return { seqno, ...endpoints }
    context.addIssue(`"${address}" is no "ip:port" or "ip:port ip:port" (workers first)`)
    return z.NEVER
  })
/** Of newer revisions (protocol 95 §1). */
const publicKey = z
  .strictObject({ public_key: int256, key_type: tlInt(0, 255).default(0), expire_at: nat })
  .transform((key): RegisteredPublicKey => ({ publicKey: key.public_key, type: key.key_type, expiresAtSec: key.expire_at }))
const managerAddress = z
  .string()
  .default('')
  .transform((text, context) => {
    const endpoints = text === '' ? null : parseEndpoints(text)
    if (endpoints !== null || text === '') return endpoints
    context.addIssue(`"${text}" is no "ip:port"`)
    return z.NEVER
  })
const address = z.string().transform((text, context) => {
  try {
    return Address.parse(text)
  } catch {
    context.addIssue('no TON address')
    return z.NEVER
  }
})

/**
 * `rootConfig.pseudo` as the runners read it: keys are the field names, a missing one means zero or empty (protocol 20 §4.7), but for the owner. A key that is
 * none of them is refused: with a slip in its name a price would be zero.
 */
const pseudoRoot = z.strictObject({
  '@type': z.literal('rootConfig.pseudo').optional(),
  proxy_hashes: hashes,
  worker_hashes: hashes,
  model_hashes: hashes,
  model_types: z.array(z.string()).default([]),
  registered_proxies: z.array(proxyEntry).default([]),
  price_per_token: nat,
  worker_fee_per_token: nat,
  last_proxy_seqno: nat,
  version: nat,
  params_version: nat,
  registered_public_keys: z.array(publicKey).default([]),
  key_manager_address: managerAddress,
  proxy_sc_code: code,
  worker_sc_code: code,
  client_sc_code: code,
  root_owner_address: address,
})

/**
 * The network of the mode without a blockchain (protocol 60 §10): no contract is read, its state is given, and the rest of its terms is
 * fixed: struct version 1, unique id 13, test mode, delays of 600 s and 300 s, stakes of 1 TON, multipliers of 1.
 * @param json the parsed JSON of `rootConfig.pseudo`
 * @param root address of the network contract that every other address is derived from; by default that of the shipped test data
 * @throws Failure `pseudo-root-invalid` naming the field
 */
export function pseudoRootConfig(json: unknown, root: Address = Address.parse(shippedRoot)): RootConfig {
  const parsed = pseudoRoot.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new Failure('pseudo-root-invalid', `${['pseudoRoot', ...(issue?.path ?? [])].join('.')}: ${issue?.message}.`, {
      advice: 'See "Networks without a chain" in docs/operators.md.',
      cause: parsed.error,
    })
  }
  const value = parsed.data
  const oneTon = 1_000_000_000n
  return {
    address: root,
    owner: value.root_owner_address,
    version: value.version,
    lastProxySeqno: value.last_proxy_seqno,
    proxies: value.registered_proxies,
    unreadableProxies: [],
    proxyHashes: new Set(value.proxy_hashes),
    workerHashes: new Set(value.worker_hashes),
    modelHashes: new Set([...value.model_hashes, ...value.model_types.map(typeHash)]),
    params: {
      structVersion: 1,
      paramsVersion: value.params_version,
      uniqueId: 13,
      isTest: true,
      pricePerToken: BigInt(value.price_per_token),
      workerFeePerToken: BigInt(value.worker_fee_per_token),
      multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
      proxyDelaySec: 600,
      clientDelaySec: 300,
      minProxyStake: oneTon,
      minClientStake: oneTon,
      codes: { proxy: value.proxy_sc_code, worker: value.worker_sc_code, client: value.client_sc_code },
    },
    keyManager: keyManagerOf(value),
    verifiedKeys: null,
    readAtMs: Date.now(),
  }
}

/** Such a file names neither the key nor the image of the key manager. */
function keyManagerOf(value: z.output<typeof pseudoRoot>): KeyManager | null {
  const { registered_public_keys: keys, key_manager_address: endpoints } = value
  if (keys.length === 0 && endpoints === null) return null
  return { keys, publicKey: '0'.repeat(64), imageHash: '0'.repeat(64), endpoints }
}

/** Model types are listed by the hash of their name up to `@`. */
function typeHash(name: string): string {
  return createHash('sha256')
    .update(name.split('@', 1)[0] ?? '')
    .digest('hex')
}
