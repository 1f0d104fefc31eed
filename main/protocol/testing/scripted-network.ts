import { readFileSync } from 'node:fs'
import { Address, Cell } from '@ton/core'
import { parseRootState } from '../../../contracts/root.ts'
import { keySigner, publicKeyOfSeed, type SignedPayload, signedBoc, signMessage } from '../../../contracts/signed.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { WirePayment } from '../payments/signed-payment.ts'
import { frameHeaderBytes } from '../wire/frames.ts'
import { readVectors } from './vector-cases.ts'

interface NetworkFile {
  readonly root_address: string
  readonly owner_address: string
  readonly client_wallet: string
  readonly proxy_seed_hex: string
  readonly root_state_boc: string
}
interface BehaviourFile {
  readonly cases: readonly {
    readonly case: string
    readonly node: RecordedCase['node']
    readonly events: readonly { readonly dir: 'c2s' | 's2c' | null; readonly kind: string; readonly frame_hex?: string }[]
  }[]
}
export interface RecordedEvent {
  readonly dir?: 'c2s' | 's2c'
  readonly kind: 'frame' | 'event-node-closed' | 'event-nothing-received'
  /** Frame payload, hex. */
  readonly payload?: string
}
export interface RecordedCase {
  readonly case: string
  readonly node: 'worker-runner' | 'client-runner'
  readonly events: readonly RecordedEvent[]
}

const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(`./vectors/${name}`, import.meta.url), 'utf8')) as T
const file = read<NetworkFile>('scripted-network.json')
const seed = Buffer.from(file.proxy_seed_hex, 'hex')

/** The network of the golden data (parameters of struct version 1), with its publicly known test keys. */
export const scriptedNetwork = {
  root: {
    ...parseRootState(Cell.fromHex(file.root_state_boc)),
    address: Address.parse(file.root_address),
    readAtMs: 0,
  } satisfies RootConfig,
  /** Owner of worker and proxy. */
  owner: Address.parse(file.owner_address),
  clientOwner: Address.parse(file.client_wallet),
  proxyKey: publicKeyOfSeed(seed),
}

/** A payment signed by the golden proxy, or by another key. */
export function signedPayment(payload: SignedPayload, key: Uint8Array = seed): WirePayment {
  const body = signMessage(payload, scriptedNetwork.owner, keySigner(key))
  return { '@type': 'proxy.signedPayment', data: signedBoc(body) }
}

/** What the reference worker and client did in front of a scripted proxy, case by case. */
export function recordedCases(node: RecordedCase['node']): readonly RecordedCase[] {
  return readVectors<BehaviourFile>('wire/node_behaviour_scripted_proxy')
    .cases.filter((one) => one.node === node)
    .map((one) => ({ case: one.case, node, events: one.events.flatMap(recordedEvent) }))
}

/** What routers say of their peers is left out: the nodes are dialled directly here. */
function recordedEvent({ dir, kind, frame_hex = '' }: BehaviourFile['cases'][number]['events'][number]): RecordedEvent[] {
  const sender = dir === null ? {} : { dir }
  if (kind === 'frame') return [{ ...sender, kind, payload: frame_hex.slice(2 * frameHeaderBytes) }]
  return kind === 'event-node-closed' || kind === 'event-nothing-received' ? [{ ...sender, kind }] : []
}
