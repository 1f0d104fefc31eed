import { describe, expect, it } from 'vitest'
import { Signal } from '../../base/signal.ts'
import { objection } from '../../chat/privacy/judge.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { Peer } from '../../protocol/wire/peer.ts'
import { goldenRoot } from '../../proxy/testing/fixtures.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { LiveNetwork } from '../app-network.ts'
import { practiceChecker } from './practice-checker.ts'
import { PeerWatch } from './seen-peer.ts'

const nowMs = 1_795_348_800_000
const place = { host: '127.0.0.1', port: 4001 }
const listed: RootConfig = {
  ...goldenRoot(),
  readAtMs: nowMs - 1_000,
  proxies: [{ seqno: 1, forWorkers: { ...place, port: 4000 }, forClients: place }],
}
const someKey = new Uint8Array(32).fill(5)

/** A connection as the dialer saw it: a way of its own, with this key of the proxy. */
function scene(change: { key?: Uint8Array | undefined; root?: RootConfig | null; endpoint?: string; phase?: string } = {}) {
  const { key = someKey, root = listed, endpoint = `${place.host}:${place.port}`, phase = 'ready' } = change
  const peers = new PeerWatch()
  const connect = (): PacketConnection => {
    const wire = {} as PacketConnection
    peers.see(
      { ...('key' in change && change.key === undefined ? {} : { publicKey: key }), imageHash: new Uint8Array(32) } as Peer,
      wire,
    )
    return wire
  }
  const connection = (): unknown => ({ endpoint, phase, sentence: '', wire: connect() })
  const state = new Signal<unknown>({ connections: [connection()] })
  const network = { client: { state }, peers, root: { config: new Signal(root) } } as unknown as LiveNetwork
  const live = new Signal<LiveNetwork | null>(network)
  const checker = practiceChecker(live, () => nowMs)
  const check = () => checker.check(checker.connection.value ?? 'none', AbortSignal.timeout(1_000))
  return { checker, check, live, reconnect: () => state.set({ connections: [connection()] }) }
}
const rowsOf = async (made: ReturnType<typeof scene>) => {
  const { rows } = await made.check()
  return Object.fromEntries(rows.map(({ id, result }) => [id, result]))
}

describe('the check of the practice network', () => {
  it('earns the level on what was checked, and calls the rest not checked', async () => {
    const made = scene()
    const { rows, evidence } = await made.check()
    expect(rows.map(({ id, result }) => `${id} ${result}`)).toEqual([
      ...['channel passed', 'registry passed', 'hardware not-checked', 'software not-checked', 'worker not-checked'],
    ])
    expect(objection('practice', rows)).toBeNull()
    expect(evidence.map(({ value }) => value)).toEqual(expect.arrayContaining([Buffer.from(someKey).toString('hex'), 'any']))
  })

  it.each<[string, Parameters<typeof scene>[0], string]>([
    ['a connection without encryption', { key: undefined }, 'channel'],
    ['a registry that was never read', { root: null }, 'registry'],
    ['a registry that was read 11 minutes ago', { root: { ...listed, readAtMs: nowMs - 660_000 } }, 'registry'],
    ['a proxy that is not listed', { endpoint: '127.0.0.1:4002' }, 'registry'],
    ['a proxy that is listed for workers alone', { endpoint: '127.0.0.1:4000' }, 'registry'],
  ])('%s fails its row, and with it the level', async (_name, change, id) => {
    const made = scene(change)
    expect(await rowsOf(made)).toMatchObject({ [id]: 'failed' })
    expect(objection('practice', (await made.check()).rows)).not.toBeNull()
  })

  it('is of one connection: another one to the same place has another name, and is not checked in its stead', async () => {
    const made = scene()
    const first = made.checker.connection.value ?? ''
    expect(first).not.toBe('')
    made.reconnect()
    expect(made.checker.connection.value).not.toBe(first)
    await expect(made.checker.check(first, AbortSignal.timeout(1_000))).rejects.toMatchObject({ code: 'connection-lost' })
    expect(await rowsOf(made)).toMatchObject({ channel: 'passed' })
    made.live.set(null)
    expect(made.checker.connection.value).toBeNull()
  })

  it('does not begin before the connection takes questions', () => {
    expect(scene({ phase: 'authorizing' }).checker.connection.value).toBeNull()
  })
})
