import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { clientMigrations } from '../client/account-store.ts'
import { Client } from '../client/client.ts'
import { openViaDialer } from '../core/via-dialer.ts'
import { versionsWithoutKeys } from '../protocol/handshake/versions.ts'
import { decodeHttpRequest } from '../protocol/http/http-message.ts'
import { validateRequest } from '../protocol/requests/validate-request.ts'
import { OpenQuestions, type PlayedConnection, SessionRouter } from '../protocol/testing/session-router.ts'
import { connectionsOf, eventCase, readVectors, type VectorEvent, type VectorFile } from '../protocol/testing/vector-cases.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { decode, encode, nameOf } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { goldenRoot } from '../proxy/testing/fixtures.ts'
import { openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { clientStats } from './client-stats.ts'
import { openClientHttp } from './http/client-http.ts'
import { asJson, exchange, type HttpAnswer, missingKeys, parseAnswer, requestBytes } from './testing/http-exchange.ts'

/** Owner of the recorded client. */
const owner = Address.parse('UQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-fx20')
const root: RootConfig = {
  ...goldenRoot(),
  proxies: [{ seqno: 1, forWorkers: { host: '127.0.0.1', port: 21001 }, forClients: { host: '127.0.0.1', port: 21002 } }],
}

interface Step {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly request_body: unknown
  readonly response_text: string
}

/** Steps of the recordings that were asked of another program than the client. */
const ofOthers = /^(worker_|jsonstats_proxy|jsonstats_worker)/

/** What our client answers where the recorded one answers otherwise, or never. */
const deviations: Readonly<Record<string, { readonly status: number; readonly code?: number; readonly why: string }>> = {
  error_worker_rejects_unknown_option: {
    status: 400,
    code: 621,
    why: 'refused before it is sent, with the status of newer clients',
  },
  error_worker_unsupported_url: { status: 400, code: 621, why: 'refused before it is sent, with the status of newer clients' },
  error_client_bad_json: { status: 400, code: 621, why: 'the status of newer clients' },
  error_client_no_model: { status: 400, code: 621, why: 'the status of newer clients' },
  error_client_float_max_tokens: { status: 400, code: 621, why: 'the status of newer clients' },
  get_on_unknown_path: { status: 400, code: 621, why: 'the status of newer clients' },
  error_proxy_unknown_model: { status: 400, code: 621, why: 'the recorded client never answers a refusal of the proxy' },
  error_proxy_coefficient_too_low: { status: 502, code: 651, why: 'the recorded client never answers a refusal of the proxy' },
  error_proxy_max_tokens_over_balance: {
    status: 500,
    code: 602,
    why: 'the recorded client never answers a refusal of the proxy',
  },
  chat_while_worker_disabled: { status: 502, code: 651, why: 'the recorded client never answers a refusal of the proxy' },
  chat_timeout: { status: 502, code: 651, why: 'the recorded client never answers a refusal of the proxy' },
  chat_after_all: { status: 502, code: 651, why: 'the recorded client never answers a refusal of the proxy' },
  debuglog: { status: 403, why: 'the address needs the access hash' },
}
/** Requests that never leave our client. */
const kept = new Set(['error_worker_rejects_unknown_option', 'error_worker_unsupported_url'])

async function startClient(router: SessionRouter) {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-session-'))
  const database = openDatabase(join(folder, 'client.sqlite'), clientMigrations, { logger: silentLogger })
  const signal = new Signal<RootConfig | null>(root)
  const client = new Client({
    root: signal,
    owner,
    money: undefined,
    masterSecret: new Uint8Array(32).fill(9),
    database,
    dial: openViaDialer({ host: '127.0.0.1', port: router.port }),
    logger: silentLogger,
    versions: versionsWithoutKeys,
    reconnectMs: 20,
    handshakeTimeoutMs: 15_000,
    paymentStatusMs: [5, 10],
  })
  const http = await openClientHttp({
    host: '127.0.0.1',
    port: 0,
    client,
    accessHash: 'secret',
    stats: () => clientStats({ client, wallet: { address: owner, money: undefined }, root, checksHashes: false }),
    revision: 'recorded',
    topUpNano: () => undefined,
    hasChain: true,
    network: () => root.address,
    logger: silentLogger,
  })
  client.start()
  onTestFinished(async () => {
    await http.close()
    await client.stop()
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { client, port: http.port }
}

/** The request of a step, from the recorded bytes where they were kept. */
function requestOf(step: Step, recorded: readonly VectorEvent[] | undefined): Uint8Array {
  const hex = recorded?.find((event) => event.kind === 'bytes' && event.dir === 'c2s')?.hex
  if (hex !== undefined) return Buffer.from(hex, 'hex')
  return requestBytes(step.method, step.path, step.request_body === null ? '' : JSON.stringify(step.request_body))
}

/** Whatever the recorded answer has, ours has: status, body, and the times of the other hops. */
function compare(step: Step, ours: HttpAnswer): void {
  const deviation = deviations[step.name]
  if (deviation !== undefined && (step.response_text === '' || deviation.code === 621 || step.name === 'debuglog')) {
    const { status, code } = deviation
    expect([step.name, ours.status]).toEqual([step.name, status])
    if (code !== undefined) expect(asJson(ours.body)).toMatchObject({ error_code: code })
    return
  }
  const recorded = parseAnswer(step.response_text)
  expect([step.name, ours.status]).toEqual([step.name, recorded.status])
  for (const [name, value] of recorded.headers)
    if (/^x-cocoon-(worker|proxy)/.test(name)) expect([name, ours.headers.get(name)]).toEqual([name, value])
  if (step.name === 'jsonstats_client') return expect(missingKeys(asJson(recorded.body), asJson(ours.body))).toEqual([])
  // The recorded answer is cut off by the length of the engine's own body, which had grown on its way.
  if (step.name.includes('capitalised')) return expect(ours.body.startsWith(recorded.body)).toBe(true)
  const [ours_, theirs] = [withoutDebug(ours.body), withoutDebug(recorded.body)]
  expect(asJson(ours_.body)).toEqual(asJson(theirs.body))
  expect([step.name, ours_.debug === undefined]).toEqual([step.name, theirs.debug === undefined])
  if (theirs.debug === undefined) return
  // The times of the other hops as they told them; the client's own are its own.
  expect({ ...ours_.debug, client: undefined }).toEqual({ ...theirs.debug, client: undefined })
  expect(Object.keys(ours_.debug?.client ?? {})).toEqual(Object.keys(theirs.debug.client ?? {}))
}

/**
 * A body, and what was told for debugging. The recorded client adds that to the last JSON value, or sends it behind the body where that value has
 * left; ours adds it to a document and sends it behind a stream. Empty lines are the recorded client's own.
 */
function withoutDebug(body: string): { readonly body: string; readonly debug?: Record<string, object> } {
  if (!body.includes('"type":"client_stats"')) return { body }
  let debug: Record<string, object> | undefined
  const lines = body.split('\n').filter((line) => line !== '')
  const rest = lines.flatMap((line) => {
    const { debug: told, ...value } = JSON.parse(line) as Record<string, unknown>
    debug ??= told as Record<string, object> | undefined
    return Object.keys(value).length === 0 ? [] : [`${JSON.stringify(value)}\n`]
  })
  return { body: rest.join(''), ...(debug === undefined ? {} : { debug }) }
}

/** Our client in the place of the recorded one: connection by connection, step by step. */
class Play {
  readonly #file: VectorFile
  #connection: PlayedConnection | undefined
  readonly #client: Client
  readonly #port: number
  readonly #steps: ReadonlyMap<string, Step>
  readonly #requests: ReadonlyMap<string, { name: string; events: readonly VectorEvent[] }>
  /** Ids of the recording with ours. */
  readonly #questions = new OpenQuestions()
  readonly #ids = new Map<string, Uint8Array>()
  #asked: { readonly step: Step; readonly answer: Promise<HttpAnswer> } | undefined

  constructor(file: VectorFile, { client, port }: { client: Client; port: number }) {
    this.#client = client
    this.#file = file
    this.#port = port
    const { http_steps } = readVectors<{ http_steps: readonly Step[] }>(file)
    this.#steps = new Map(http_steps.map((step) => [step.name, step]))
    const http = connectionsOf(file).filter(({ leg }) => leg === 'chttp')
    this.#requests = new Map(http.map((one) => [one.events[0]?.after_step ?? '', one]))
  }

  async run(connection: PlayedConnection, events: readonly VectorEvent[]): Promise<void> {
    this.#connection = connection
    for (const event of events) {
      if (event.after_step !== undefined) await this.#reach(event.after_step)
      if (event.kind === 'frame') await this.#frame(event)
    }
  }

  get #present(): PlayedConnection {
    if (this.#connection === undefined) throw new Error('nothing is connected')
    return this.#connection
  }

  /** Goes on to a step, with all the steps before it that left no trace on this connection. */
  async #reach(name: string): Promise<void> {
    if (this.#done.has(name)) return
    for (const step of this.#steps.values()) {
      if (this.#done.has(step.name)) continue
      if (ofOthers.test(step.name)) this.#done.add(step.name)
      else {
        await this.finish()
        this.#done.add(step.name)
        await this.#client.whenReady(AbortSignal.timeout(60_000))
        this.#asked = { step, answer: exchange(this.#port, requestOf(step, this.#requests.get(step.name)?.events)) }
        this.#asked.answer.catch(() => undefined)
      }
      if (step.name === name) return
    }
  }
  readonly #done = new Set<string>()

  /** What was asked of the recorded client before the capture began to name its steps is asked again from what it sent. */
  async #askUnnamed(method: string, path: string, body: string): Promise<void> {
    if (this.#asked !== undefined) return
    await this.#client.whenReady(AbortSignal.timeout(60_000))
    this.#unnamed.push(exchange(this.#port, requestBytes(method, path, body)))
  }
  readonly #unnamed: Promise<HttpAnswer>[] = []

  /** Waits for the answer to the last step and compares it. */
  async finish(): Promise<void> {
    for (const answer of this.#unnamed.splice(0)) expect((await answer).status).toBe(200)
    const asked = this.#asked
    this.#asked = undefined
    if (asked === undefined) return
    compare(asked.step, await asked.answer)
    ran(this.#file, `step: ${asked.step.name}`)
    const recorded = this.#requests.get(asked.step.name)
    for (const event of recorded?.events ?? [])
      if (event.kind === 'bytes') ran(this.#file, eventCase(recorded?.name ?? '', event))
  }

  /** Steps after the last trace on the connection. */
  async rest(): Promise<void> {
    for (const name of this.#steps.keys()) if (!this.#done.has(name)) await this.#reach(name)
    await this.finish()
  }

  async #frame(event: VectorEvent): Promise<void> {
    const packet = Buffer.from(event.frame_hex ?? '', 'hex').subarray(8)
    if (this.#questions.settle(packet)) return
    switch (nameOf(packet)) {
      case 'tcp.query': {
        const { id, data } = decode(packet, 'tcp.query')
        const expected = decode(data, nameOf(data) ?? 'tcp.ping')
        return this.#questions.note(id, await this.#expectQuery(expected))
      }
      case 'tcp.packet':
        return this.#packet(event, decode(packet, 'tcp.packet').data)
    }
  }

  async #expectQuery(expected: TlObject) {
    // Where the recorded client had another secret, it asked for the long way; ours has the network's.
    const type = expected['@type'] === 'client.authorizeWithProxyLong' ? 'client.authorizeWithProxyShort' : expected['@type']
    if (type === 'client.getWorkerTypesV2') await this.#askUnnamed('GET', '/v1/models', '')
    const sent = await this.#present.next(type)
    if (type === expected['@type']) expect(withoutExtension(sent.object)).toEqual(expected)
    return sent
  }

  async #packet(event: VectorEvent, data: Uint8Array): Promise<void> {
    if (event.dir === 'c2s') {
      const theirs = decode(data, 'client.runQueryEx')
      if (kept.has(this.#asked?.step.name ?? '')) return
      const { method, path, body } = asked(theirs)
      const own = {
        max_coefficient: theirs.max_coefficient,
        timeout: theirs.timeout / 0.95,
        max_tokens: theirs.max_tokens,
        enable_debug: theirs.enable_debug,
      }
      await this.#askUnnamed(method, path, JSON.stringify({ ...(JSON.parse(body) as object), ...own }))
      const sent = await this.#present.next('client.runQueryEx')
      if (sent.object['@type'] !== 'client.runQueryEx') throw new Error('no query')
      const ours = sent.object
      expect(asked(ours)).toEqual(asked(theirs))
      this.#ids.set(Buffer.from(theirs.request_id).toString('hex'), ours.request_id)
      return
    }
    const object = decode(data, nameOf(data) ?? 'tcp.ping')
    if (!('request_id' in object)) return this.#present.send(data)
    const id = this.#ids.get(Buffer.from(object.request_id).toString('hex'))
    if (id !== undefined) await this.#present.send(encode({ ...object, request_id: id } as TlObject))
  }
}

/**
 * What a query asks for. Our client does the worker's rewriting (protocol 40 §5) before it sends, and does not pass the program's headers on.
 */
function asked(query: TlObject<'client.runQueryEx'>) {
  const { method, path, body } = decodeHttpRequest(query.query)
  const { request_id: _id, query: _query, ...rest } = query
  return { ...rest, method, path, body: validateRequest(path, Buffer.from(body).toString('utf8')).body }
}

function withoutExtension(object: TlObject): TlObject {
  if (object['@type'] !== 'client.connectToProxy') return object
  expect(object.params.flags).toBe(0x6000_0003)
  return { ...object, params: { ...object.params, flags: 3 } }
}

describe('sessions of the reference, played against our client behind a router', () => {
  const files = [
    'wire/session_short_auth_all_requests',
    'wire/session_short_auth_worker_states',
    'wire/session_long_auth_clean_proxy_restart',
    'wire/session_long_auth_then_proxy_crash_loss',
  ] as const

  it.each(files)('%s', async (file) => {
    const router = await SessionRouter.listen()
    onTestFinished(() => router.close())
    const started = await startClient(router)
    const connections = connectionsOf(file).filter(({ leg }) => leg === 'csocks')
    const play = new Play(file, started)
    for (const [i, { name, events }] of connections.entries()) {
      const connection = await router.open(events)
      await play.run(connection, events)
      if (i === connections.length - 1) await play.rest()
      else await play.finish()
      connection.close()
      await connection.closed
      ran(file, `played: ${name}`)
    }
    const told = connections.at(-1)?.events.findLast(({ kind }) => kind === 'frame')
    expect(told).toBeDefined()
    expect(started.client.accounts.list(root.address)).toHaveLength(1)
    const ofClient = (name: string): boolean =>
      /^played: csocks|^chttp#.* bytes$/.test(name) || (name.startsWith('step: ') && !ofOthers.test(name.slice(6)))
    expect(notRun(file, ofClient)).toEqual([])
  })
})
