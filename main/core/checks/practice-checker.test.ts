import { describe, expect, it } from 'vitest'
import { Signal } from '../../base/signal.ts'
import { objection } from '../../chat/privacy/judge.ts'
import type { PacketConnection } from '../../protocol/wire/connection.ts'
import type { Peer } from '../../protocol/wire/peer.ts'
import { goldenRoot } from '../../proxy/testing/fixtures.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { LiveNetwork } from '../app-network.ts'
import type { OwnWorker } from '../own-roles.ts'
import { practiceChecker, type ServesWith } from './practice-checker.ts'
import { PeerWatch } from './seen-peer.ts'
import { isPermitted } from './used-connection.ts'

const nowMs = 1_795_348_800_000
const place = { host: '127.0.0.1', port: 4001 }
const listed: RootConfig = {
  ...goldenRoot(),
  readAtMs: nowMs - 1_000,
  proxies: [{ seqno: 1, forWorkers: { ...place, port: 4000 }, forClients: place }],
}
const someKey = new Uint8Array(32).fill(5)

/** A connection as the dialer saw it: a way of its own, with this key of the proxy. */
interface Change {
  readonly key?: Uint8Array | undefined
  readonly root?: RootConfig | null
  readonly endpoint?: string
  readonly phase?: string
  /** Where the app's own proxy listens; null: it runs none. */
  readonly ownPort?: number | null
  /** Where the worker is connected. */
  readonly serves?: string
}
function scene(change: Change = {}) {
  const {
    key = someKey,
    root = listed,
    endpoint = `${place.host}:${place.port}`,
    phase = 'ready',
    ownPort = place.port,
    serves = '127.0.0.1:5001',
  } = change
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
  const config = new Signal(root)
  const own = ownPort === null ? null : { proxy: { status: new Signal({ clientPort: ownPort, workerPort: 5001 }) } }
  const network = { client: { state }, peers, root: { config }, own } as unknown as LiveNetwork
  const workerState = new Signal<unknown>({ sealingKey: 'ab'.repeat(32), connections: [{ endpoint: serves }] })
  const worker = new Signal<OwnWorker | null>({ state: workerState, holdsKey: () => true } as unknown as OwnWorker)
  const live = new Signal<LiveNetwork | null>(network)
  const external = new Signal<ServesWith['value']>(null)
  const checker = practiceChecker(live, worker, external, () => nowMs)
  const check = () => checker.check(checker.connection.value ?? 'none', AbortSignal.timeout(60_000))
  return {
    checker,
    check,
    live,
    root: config,
    external,
    worker,
    workerState,
    reconnect: () => state.set({ connections: [connection()] }),
  }
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
      ...[
        'own-roles passed',
        'channel passed',
        'registry passed',
        'hardware not-checked',
        'software not-checked',
        'worker not-checked',
      ],
    ])
    expect(objection('practice', rows)).toBeNull()
    expect(evidence.map(({ value }) => value)).toEqual(expect.arrayContaining([Buffer.from(someKey).toString('hex'), 'any']))
  })

  it.each<[string, Parameters<typeof scene>[0], string]>([
    ['a connection without encryption', { key: undefined }, 'channel'],
    ['a registry that was never read', { root: null }, 'registry'],
    ['a registry that was read two minutes from now', { root: { ...listed, readAtMs: nowMs + 120_000 } }, 'registry'],
    ['a registry that was read 11 minutes ago', { root: { ...listed, readAtMs: nowMs - 660_000 } }, 'registry'],
    [
      'a registry of which endpoints tell different things',
      { root: { ...listed, disputed: { first: 'http://a/', other: 'http://b/' } } },
      'registry',
    ],
    ['a proxy that is not listed', { endpoint: '127.0.0.1:4002', ownPort: 4002 }, 'registry'],
    ['a proxy that is listed for workers alone', { endpoint: '127.0.0.1:4000', ownPort: 4000 }, 'registry'],
    ['another proxy than the app’s own', { ownPort: 4003 }, 'own-roles'],
    ['the app’s own port on another computer', { endpoint: `192.0.2.1:${place.port}` }, 'own-roles'],
    ['a worker at another proxy than the app’s own', { serves: '127.0.0.1:5002' }, 'own-roles'],
    ['a proxy where the app runs none', { ownPort: null }, 'own-roles'],
  ])('%s fails its row, and with it the level', async (_name, change, id) => {
    const made = scene(change)
    expect(await rowsOf(made)).toMatchObject({ [id]: 'failed' })
    expect(objection('practice', (await made.check()).rows)).not.toBeNull()
  })

  it('says that another program reads where the worker serves with one, and is not carried over to it or to another', async () => {
    const made = scene()
    const own = made.checker.connection.value ?? ''
    made.external.set({ identity: 'one', name: 'ollama', host: '127.0.0.1:11434' })
    const withOne = made.checker.connection.value ?? ''
    await expect(made.checker.check(own, AbortSignal.timeout(60_000))).rejects.toMatchObject({ code: 'connection-lost' })
    const { rows } = await made.check()
    expect(rows.at(-1)).toMatchObject({ id: 'engine-program', result: 'not-checked' })
    expect(rows.at(-1)?.sentence.text).toMatch(/ollama.*127.0.0.1:11434.*may keep what it reads/)
    expect(objection('practice', rows)).toBeNull()
    made.external.set({ identity: 'other', name: 'vllm', host: '127.0.0.1:8000' })
    expect(new Set([own, withOne, made.checker.connection.value]).size).toBe(3)
    made.external.set(null)
    expect(made.checker.connection.value).toBe(own)
  })

  const from = 'http://127.0.0.1:1/'
  const readWith = (...others: NonNullable<NonNullable<RootConfig['source']>['others']>): RootConfig => ({
    ...listed,
    source: { endpoint: from, others },
  })
  const same = { endpoint: 'http://127.0.0.1:2/', said: 'same' } as const
  const silent = { endpoint: 'http://127.0.0.1:3/', said: 'silent' } as const
  it.each<[string, RootConfig, string, RegExp]>([
    ['one endpoint', readWith(), 'listed', /read through http:\/\/127.0.0.1:1\/\. One endpoint was asked; no block proof/],
    ['two that agreed', readWith(same), 'agreed', /:1\/\. Also asked: http:\/\/127.0.0.1:2\/\. They agreed; no block proof/],
    ['one that did not answer', readWith(silent), 'silent', /:1\/ alone: http:\/\/127.0.0.1:3\/ did not answer; no block proof/],
    [
      'one of each',
      readWith(same, silent),
      'partly',
      /:2\/\. They agreed; http:\/\/127.0.0.1:3\/ did not answer; no block proof/,
    ],
  ])('says through whom the registry was read, and whether they agreed: %s', async (_name, root, code, text) => {
    const { rows, evidence } = await scene({ root }).check()
    const row = rows.find(({ id }) => id === 'registry')
    expect(row).toMatchObject({
      result: 'passed',
      sentence: { text: expect.stringMatching(text), words: { code: `check-registry-${code}` } },
    })
    const told = evidence.filter(({ id }) => id.startsWith('read-') && id !== 'read-at').map(({ id, value }) => [id, value])
    expect(told).toEqual([
      ['read-from', from],
      ...(root.source?.others ?? []).map(({ endpoint, said }) => [`read-${said}-1`, endpoint]),
    ])
  })

  it('falls at once when endpoints begin to disagree about the registry: what was checked before is not checked any more', async () => {
    const made = scene()
    const before = made.checker.connection.value ?? ''
    const network = made.live.value ?? expect.unreachable('no network')
    const [link] = network.client.state.value.connections
    if (!link?.wire) throw new Error('no connection')
    // Of the proxy alone: whoever sends looks at the worker's key too.
    const [ofProxy = ''] = before.split(' to key ')
    expect(isPermitted(network, link.wire, ofProxy)).toBe(true)
    made.root.set({ ...listed, disputed: { first: from, other: same.endpoint } })
    expect(made.checker.connection.value).not.toBe(before)
    expect(isPermitted(network, link.wire, ofProxy)).toBe(false)
    const { rows, evidence } = await made.check()
    expect(rows.find(({ id }) => id === 'registry')).toMatchObject({
      result: 'failed',
      sentence: { words: { code: 'check-registry-disputed', values: { first: from, other: same.endpoint } } },
    })
    expect(evidence.find(({ id }) => id === 'read-other')?.value).toBe(`${from}, ${same.endpoint}`)
    made.root.set(listed)
    expect(made.checker.connection.value).toBe(before)
  })

  it('is of one key of the app’s worker: without one there is nothing to check, and another one is checked anew', async () => {
    const made = scene()
    const first = made.checker.connection.value ?? ''
    made.workerState.set({ sealingKey: 'cd'.repeat(32), connections: [] })
    expect(made.checker.connection.value).not.toBe(first)
    await expect(made.checker.check(first, AbortSignal.timeout(60_000))).rejects.toMatchObject({ code: 'connection-lost' })
    expect((await made.check()).evidence.find(({ id }) => id === 'own-worker-key')?.value).toBe('cd'.repeat(32))
    made.workerState.set({})
    expect(made.checker.connection.value).toBeNull()
    made.workerState.set({ sealingKey: 'ab'.repeat(32) })
    expect(made.checker.connection.value).toBe(first)
    made.worker.set(null)
    expect(made.checker.connection.value).toBeNull()
  })

  it('is of one connection: another one to the same place has another name, and is not checked in its stead', async () => {
    const made = scene()
    const first = made.checker.connection.value ?? ''
    expect(first).not.toBe('')
    made.reconnect()
    expect(made.checker.connection.value).not.toBe(first)
    await expect(made.checker.check(first, AbortSignal.timeout(60_000))).rejects.toMatchObject({ code: 'connection-lost' })
    expect(await rowsOf(made)).toMatchObject({ channel: 'passed' })
    made.live.set(null)
    expect(made.checker.connection.value).toBeNull()
  })

  it('does not begin before the connection takes questions', () => {
    expect(scene({ phase: 'authorizing' }).checker.connection.value).toBeNull()
  })
})
