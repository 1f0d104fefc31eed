import { createHash } from 'node:crypto'
import { Cell, toNano } from '@ton/core'
import { z } from 'zod'
import { parseEndpoints } from '../../contracts/net-address.ts'
import type { RootState } from '../../contracts/root.ts'
import { hash256, tonAddress } from './scalars.ts'

/** A signed 32-bit number of TL; JSON may carry it as text. */
const int = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^-?\d{1,10}$/)
      .transform(Number),
  ])
  .refine((value) => Number.isInteger(value) && value >= 0 && value <= 0x7fff_ffff, 'is no number from 0 to 2147483647')
const list = <T extends z.ZodType>(item: T) => z.array(item).max(10_000).default([])

/** Contract code as a hexadecimal BoC; the empty text means the empty cell (protocol 60 §10). */
const code = z
  .string()
  .max(100_000)
  .default('')
  .transform((text, context) => {
    if (text === '') return Cell.EMPTY
    try {
      const cells = /^[0-9a-fA-F]+$/.test(text) ? Cell.fromBoc(Buffer.from(text, 'hex')) : []
      if (cells.length === 1 && cells[0] !== undefined) return cells[0]
    } catch {
      // Said below for every kind of broken code.
    }
    context.addIssue({ code: 'custom', message: 'is no contract code (a BoC in hexadecimal digits)' })
    return z.NEVER
  })

/**
 * `rootConfig.pseudo` of the reference (protocol 20 §4.7; with the two fields of the newer revision, 95 §1): missing keys are zero or
 * empty, others are refused.
 */
export const pseudoRoot = z.strictObject({
  '@type': z.literal('rootConfig.pseudo').optional(),
  proxy_hashes: list(hash256),
  worker_hashes: list(hash256),
  model_hashes: list(hash256),
  model_types: list(z.string().min(1).max(500)),
  registered_proxies: list(
    z.strictObject({
      '@type': z.literal('rootConfig.registeredProxy').optional(),
      seqno: int.default(0),
      address: z.string().max(64),
    }),
  ),
  price_per_token: int.default(0),
  worker_fee_per_token: int.default(0),
  last_proxy_seqno: int.default(0),
  version: int.default(0),
  params_version: int.default(0),
  registered_public_keys: list(
    z.strictObject({
      '@type': z.literal('rootConfig.registeredPublicKey').optional(),
      public_key: hash256,
      key_type: int.default(0),
      expire_at: int.default(0),
    }),
  ),
  key_manager_address: z.string().max(64).default(''),
  proxy_sc_code: code,
  worker_sc_code: code,
  client_sc_code: code,
  root_owner_address: tonAddress,
})
export type PseudoRoot = z.infer<typeof pseudoRoot>

/** The root state that roles without a blockchain use (protocol 60 §10). Entries of proxies that do not parse are skipped. */
export function rootOfPseudo(pseudo: PseudoRoot): RootState {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const proxies = pseudo.registered_proxies.flatMap(({ seqno, address }) => {
    const endpoints = parseEndpoints(address)
    return endpoints === null ? [] : [{ seqno, ...endpoints }]
  })
  const readable = new Set(proxies.map(({ seqno }) => seqno))
  const types = pseudo.model_types.map((name) =>
    createHash('sha256')
      .update(name.split('@')[0] ?? '')
      .digest('hex'),
  )
  return {
    owner: pseudo.root_owner_address.address,
    version: pseudo.version,
    lastProxySeqno: pseudo.last_proxy_seqno,
    proxies,
    unreadableProxies: pseudo.registered_proxies.map(({ seqno }) => seqno).filter((seqno) => !readable.has(seqno)),
    proxyHashes: new Set(pseudo.proxy_hashes.map(hex)),
    workerHashes: new Set(pseudo.worker_hashes.map(hex)),
    modelHashes: new Set([...pseudo.model_hashes.map(hex), ...types]),
    params: {
      structVersion: 1,
      paramsVersion: pseudo.params_version,
      uniqueId: 13,
      isTest: true,
      pricePerToken: BigInt(pseudo.price_per_token),
      workerFeePerToken: BigInt(pseudo.worker_fee_per_token),
      multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
      proxyDelaySec: 600,
      clientDelaySec: 300,
      minProxyStake: toNano('1'),
      minClientStake: toNano('1'),
      codes: { proxy: pseudo.proxy_sc_code, worker: pseudo.worker_sc_code, client: pseudo.client_sc_code },
    },
    keyManager: null,
    verifiedKeys: null,
  }
}
