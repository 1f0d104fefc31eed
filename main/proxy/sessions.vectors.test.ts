import { describe, expect, it, onTestFinished } from 'vitest'
import { readVectors, type VectorFile } from '../protocol/testing/vector-cases.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { asJson, missingKeys, parseAnswer } from '../roles/testing/http-exchange.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, recordedVersions, routerPort, temporaryFolder } from './testing/fixtures.ts'
import { differences, type GoldenCase, replay } from './testing/replay.ts'

interface Connection {
  readonly leg: string
  readonly connection: number
  readonly events: GoldenCase['connections'][number]['events']
}

/** The connections between router and proxy, as a case of scripted peers. That the proxy was killed is not for the peers to play. */
function caseOf(connections: readonly Connection[]): GoldenCase {
  const kinds: Record<string, string> = { s2c: 'event-closed-by-peer', c2s: 'event-closed-by-us' }
  return {
    case: 'session',
    connections: connections.map(({ leg, events }) => ({
      role: leg === 'cplain' ? 'client' : 'worker',
      events: events.flatMap((event) => {
        if (event.kind === 'event-open' || event.kind === 'event-close') return []
        if (event.kind === 'event-eof' && !wasRefused(events)) return []
        return event.kind === 'event-eof' ? [{ ...event, kind: kinds[event.dir ?? ''] ?? '' }] : [event]
      }),
    })),
  }
}

const wasRefused = (events: Connection['events']): boolean => events.some(({ tl }) => tl?.['@type'] === 'tcp.queryError')

const connectionsOf = (file: VectorFile): Connection[] =>
  readVectors<{ connections: Connection[] }>(file).connections.filter(({ leg }) => leg === 'cplain' || leg === 'wplain')

/** A proxy on the database of an earlier one, until the end of the test or of `stop`. */
async function proxyOn(folder: string): Promise<CocoonProxy> {
  const proxy = pseudoProxy(
    folder,
    { versions: recordedVersions },
    { openClientPort: routerPort(), openWorkerPort: routerPort() },
  )
  await proxy.start()
  onTestFinished(() => proxy.stop())
  return proxy
}

function folderOfTest(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder.remove())
  return folder.path
}

/** Replays connections side by side as they were; says what differed, after checking that every message of the proxy was compared. */
async function play(file: VectorFile, connections: readonly Connection[], proxy: CocoonProxy): Promise<string[]> {
  const outcomes = await replay(caseOf(connections), proxy, { baseline: 0, slackMs: 12_000 })
  const sent = connections.flatMap(({ events }) => events).filter((event) => event.kind === 'frame' && event.dir === 's2c')
  expect(outcomes.length).toBeGreaterThanOrEqual(sent.length)
  for (const { leg, connection } of connections) ran(file, `played: ${leg}#${connection}`)
  return differences(outcomes)
}

/** Told by the role that has the wallet, and tested there. */
const ofTheRole = new Set([
  '.wallet.address',
  '.wallet.balance',
  '.wallet.seqno',
  '.wallet.pending_transactions_cnt',
  '.wallet.active_transactions_cnt',
])
const ofProxy = (name: string): boolean => /^played: [cw]plain|^step: jsonstats_proxy/.test(name)
/** The recorded proxy never leaves the extended comparison; with ours the handshake can be completed. */
const handshakeCompleted = ['worker: tcp.queryError 0 -> worker.proxyHandshakeCompleted', 'worker: closed -> nothing']

describe('sessions of the reference, played against our proxy', () => {
  it.each(['wire/session_short_auth_all_requests', 'wire/session_short_auth_worker_states'] as const)('%s', async (file) => {
    const proxy = await proxyOn(folderOfTest())
    expect(await play(file, connectionsOf(file), proxy)).toEqual([])
    const { http_steps } = readVectors<{ http_steps: readonly { name: string; response_text: string }[] }>(file)
    const recorded = http_steps.find((step) => step.name === 'jsonstats_proxy')?.response_text ?? ''
    const stats = proxy.stats({ walletNano: 0n, commissionNano: 0n, version: '' })
    const missing = missingKeys(asJson(parseAnswer(recorded).body), stats)
    expect(missing.filter((key) => !ofTheRole.has(key))).toEqual([])
    ran(file, 'step: jsonstats_proxy')
    expect(notRun(file, ofProxy)).toEqual([])
  })

  it('a restart with the database: balances go on where they were', async () => {
    const file = 'wire/session_long_auth_clean_proxy_restart'
    const folder = folderOfTest()
    const all = connectionsOf(file)
    const before = await proxyOn(folder)
    expect(await play(file, all.slice(0, 2), before)).toEqual([])
    await before.stop()
    expect(await play(file, all.slice(2), await proxyOn(folder))).toEqual([])
    expect(notRun(file, ofProxy)).toEqual([])
  })

  it('a crash that loses the totals: the worker knows of more than the proxy, and can go on with ours', async () => {
    const file = 'wire/session_long_auth_then_proxy_crash_loss'
    const all = connectionsOf(file)
    const before = await proxyOn(folderOfTest())
    expect(await play(file, all.slice(0, 2), before)).toEqual([])
    await before.stop()
    const after = await proxyOn(folderOfTest())
    const workers = all.slice(2).filter(({ leg }) => leg === 'wplain')
    const clients = all.slice(2).filter(({ leg }) => leg === 'cplain')
    expect(workers.length).toBeGreaterThan(20)
    // The recorded worker tried again and again. Side by side, since each one ends in a wait for what does not come.
    const found = await Promise.all(workers.map((worker) => play(file, [worker], after)))
    expect(found).toEqual(workers.map(() => handshakeCompleted))
    for (const client of clients) expect(await play(file, [client], after)).toEqual([])
    expect(notRun(file, ofProxy)).toEqual([])
  })
})
