import type { Address, Cell } from '@ton/core'
import { formatEndpoints } from '../../contracts/net-address.ts'
import type { KeyManager } from '../../contracts/root.ts'
import type { RootConfig } from './root-config.ts'

/** A number that JSON cannot carry exactly is written as text. */
export function jsonNumber(value: bigint): number | string {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}

const codeHash = (code: Cell | null): string => code?.hash().toString('hex') ?? ''

/** `root_contract_config` of every role's `/jsonstats` (protocol 30 §8.2). */
export function rootJson(root: RootConfig, address: (address: Address) => string): Record<string, unknown> {
  const { params } = root
  return {
    owner_address: address(root.owner),
    proxy_hashes: [...root.proxyHashes],
    registered_proxies: root.proxies.map(({ seqno, ...endpoints }) => {
      const [forWorkers = '', forClients = forWorkers] = formatEndpoints(endpoints).split(' ')
      return { seqno, address_for_clients: forClients, address_for_workers: forWorkers }
    }),
    last_proxy_seqno: root.lastProxySeqno,
    worker_hashes: [...root.workerHashes],
    model_hashes: [...root.modelHashes],
    version: root.version,
    struct_version: params.structVersion,
    params_version: params.paramsVersion,
    unique_id: params.uniqueId,
    is_test: params.isTest,
    price_per_token: jsonNumber(params.pricePerToken),
    worker_fee_per_token: jsonNumber(params.workerFeePerToken),
    prompt_tokens_price_multiplier: params.multipliers.prompt,
    cached_tokens_price_multiplier: params.multipliers.cached,
    completion_tokens_price_multiplier: params.multipliers.completion,
    reasoning_tokens_price_multiplier: params.multipliers.reasoning,
    proxy_delay_before_close: params.proxyDelaySec,
    client_delay_before_close: params.clientDelaySec,
    proxy_min_stake: jsonNumber(params.minProxyStake),
    client_min_stake: jsonNumber(params.minClientStake),
    proxy_code_hash: codeHash(params.codes.proxy),
    worker_code_hash: codeHash(params.codes.worker),
    client_code_hash: codeHash(params.codes.client),
    ...(root.keyManager === null ? {} : keyManagerJson(root.keyManager)),
  }
}

/** Of newer networks: which keys a program may encrypt for (protocol 95 §4.1), in the words of `rootConfig.pseudo`. */
function keyManagerJson({ keys, publicKey, imageHash, endpoints }: KeyManager): Record<string, unknown> {
  return {
    registered_public_keys: keys.map((key) => ({ public_key: key.publicKey, key_type: key.type, expire_at: key.expiresAtSec })),
    key_manager_address: endpoints === null ? '' : formatEndpoints(endpoints),
    key_manager_public_key: publicKey,
    key_manager_image_hash: imageHash,
  }
}
