import { randomBytes } from 'node:crypto'
import { encode } from '../../protocol/tl/codec.ts'
import { cancelExtensionFlag } from '../../protocol/tl/schema.ts'
import type { TlObject } from '../../protocol/tl/types.ts'
import type { ProxyStatus } from '../status.ts'
import { noTokens } from '../usage-check.ts'
import { RawPeer } from './raw-peer.ts'

export const clientOwner = 'UQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-fx20'
export const workerOwner = 'UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m'
export const model = 'scripted/model'

/** A proxy here or in another process, as far as its ports go. */
interface ServedPorts {
  readonly status: { readonly value: Pick<ProxyStatus, 'clientPort' | 'workerPort'> }
}

function portOf(port: number | null): number {
  if (port === null) throw new Error('the proxy has no port')
  return port
}

/** A client that went through short authorization with the empty secret (no blockchain). */
export async function readyClient(proxy: ServedPorts, options: { version?: number; cancel?: boolean } = {}): Promise<RawPeer> {
  const peer = await RawPeer.open(portOf(proxy.status.value.clientPort))
  await peer.connect()
  const { version = 2, cancel = false } = options
  await peer.query({
    '@type': 'client.connectToProxy',
    params: {
      '@type': 'client.params',
      flags: 3 | (cancel ? cancelExtensionFlag : 0),
      client_owner_address: clientOwner,
      is_test: true,
      min_proto_version: 0,
      max_proto_version: version,
    },
    min_config_version: 3,
  })
  const answer = await peer.query({ '@type': 'client.authorizeWithProxyShort', data: new Uint8Array() })
  if (answer['@type'] !== 'client.authorizationWithProxySuccess') throw new Error(`not authorized: ${answer['@type']}`)
  return peer
}

export interface WorkerScript {
  readonly owner?: string
  readonly coefficient?: number
  readonly limit?: number
  readonly cancel?: boolean
  readonly version?: number
  readonly model?: string
  /** In place of what follows from the others. */
  readonly params?: TlObject<'worker.params'>
}

export function workerHello(script: WorkerScript = {}): TlObject<'worker.connectToProxy'> {
  return {
    '@type': 'worker.connectToProxy',
    params: script.params ?? {
      '@type': 'worker.params',
      flags: 3 | (script.cancel ? cancelExtensionFlag : 0),
      worker_owner_address: script.owner ?? workerOwner,
      model: `${script.model ?? model}@c:h`,
      coefficient: script.coefficient ?? 1000,
      is_test: true,
      proxy_cnt: 1,
      max_active_requests: script.limit ?? 10,
      min_proto_version: 0,
      max_proto_version: script.version ?? 2,
    },
  }
}

/** A worker that went through its handshake and is enabled. */
export async function readyWorker(proxy: ServedPorts, script: WorkerScript = {}): Promise<RawPeer> {
  const peer = await RawPeer.open(portOf(proxy.status.value.workerPort))
  await peer.connect()
  await peer.query(workerHello(script))
  const zero = { tokens_committed_to_blockchain: 0n, tokens_committed_to_db: 0n, max_tokens: 0n }
  await peer.query({ '@type': 'worker.compareBalanceWithProxy', ...zero })
  const done = await peer.query({ '@type': 'worker.proxyHandshakeComplete', is_disabled: false })
  if (done['@type'] !== 'worker.proxyHandshakeCompleted') throw new Error(`no handshake: ${done['@type']}`)
  return peer
}

export function requestBytes(body: object = { model, max_tokens: 100, messages: [] }): Uint8Array {
  return encode({
    '@type': 'http.request',
    method: 'POST',
    url: '/v1/chat/completions',
    http_version: 'HTTP/1.1',
    headers: [],
    payload: Buffer.from(JSON.stringify(body)),
  })
}

export function runQuery(change: Partial<TlObject<'client.runQueryEx'>> = {}): TlObject<'client.runQueryEx'> {
  return {
    '@type': 'client.runQueryEx',
    model_name: model,
    query: requestBytes(),
    max_coefficient: 4000,
    max_tokens: 1000,
    timeout: 20,
    request_id: new Uint8Array(randomBytes(32)),
    min_config_version: 3,
    flags: 1,
    enable_debug: false,
    ...change,
  }
}

export const responseBytes = encode({
  '@type': 'http.response',
  http_version: 'HTTP/1.1',
  status_code: 200,
  reason: 'OK',
  headers: [],
  payload: new Uint8Array(),
})

export function firstAnswer(request_id: Uint8Array): TlObject<'proxy.queryAnswerEx'> {
  return { '@type': 'proxy.queryAnswerEx', request_id, answer: responseBytes, flags: 0 }
}

export function part(request_id: Uint8Array, text: string | Uint8Array): TlObject<'proxy.queryAnswerPartEx'> {
  return { '@type': 'proxy.queryAnswerPartEx', request_id, answer: Buffer.from(text), flags: 0 }
}

export function usage(change: Partial<TlObject<'tokensUsed'>>): TlObject<'tokensUsed'> {
  return { ...noTokens, ...change }
}

/** Last part with `completion` adjusted tokens, or any other usage. */
export function lastPart(request_id: Uint8Array, tokens: number | TlObject<'tokensUsed'>): TlObject<'proxy.queryAnswerPartEx'> {
  const used =
    typeof tokens === 'number' ? usage({ completion_tokens_used: BigInt(tokens), total_tokens_used: BigInt(tokens) }) : tokens
  return {
    '@type': 'proxy.queryAnswerPartEx',
    request_id,
    answer: Buffer.from('end'),
    flags: 1,
    final_info: { '@type': 'proxy.queryFinalInfo', flags: 2, tokens_used: used, worker_start_time: 1, worker_end_time: 2 },
  }
}
