import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { Signal } from '../base/signal.ts'
import { openViaDialer } from '../core/via-dialer.ts'
import { ExternalBackend } from '../inference/external-backend.ts'
import { versionsWithoutKeys } from '../protocol/handshake/versions.ts'
import { decodeHttpResponse } from '../protocol/http/http-message.ts'
import { OpenQuestions, type PlayedConnection, SessionRouter } from '../protocol/testing/session-router.ts'
import { connectionsOf, eventCase, readVectors, type VectorEvent, type VectorFile } from '../protocol/testing/vector-cases.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { decode, nameOf } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { goldenOwner, goldenRoot } from '../proxy/testing/fixtures.ts'
import { openDatabase } from '../storage/database.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { workerMigrations } from '../worker/balance-store.ts'
import { Worker } from '../worker/worker.ts'
import { openWorkerHttp } from './http/worker-http.ts'
import { asJson, exchange, missingKeys, parseAnswer, requestBytes } from './testing/http-exchange.ts'
import { WorkerMeter } from './worker-meter.ts'

const root: RootConfig = {
  ...goldenRoot(),
  proxies: [{ seqno: 1, forWorkers: { host: '127.0.0.1', port: 21001 }, forClients: { host: '127.0.0.1', port: 21002 } }],
}
const nodeWallet = Address.parse('UQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-fx20')
const modelName = `Qwen/Qwen3-8B@abc123def456:${'0'.repeat(64)}`
const engineFile = 'wire/session_short_auth_all_requests'

interface Dialogue {
  readonly name: string
  readonly events: readonly VectorEvent[]
  readonly request: { readonly start: string; readonly body: unknown }
}

const partsOf = (text: string): Dialogue['request'] => {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { start: head.split('\r\n')[0] ?? '', body: asJson(body) }
}
const textOf = (event: VectorEvent | undefined): string => Buffer.from(event?.hex ?? '', 'hex').toString()
const dialogues: readonly Dialogue[] = connectionsOf(engineFile)
  .filter(({ leg }) => leg === 'whttp')
  .map(({ name, events }) => ({ name, events, request: partsOf(textOf(events.find(({ kind }) => kind === 'bytes'))) }))

/** The recorded model server: answers a request that it knows with the recorded bytes, a slow one never. */
async function modelServer(): Promise<{ url: string; answered: Set<string> }> {
  const answered = new Set<string>()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    let received = ''
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString()
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
      const end = received.indexOf('\r\n\r\n') + 4
      if (end < 4 || Buffer.byteLength(received.slice(end)) < length) return
      void answer(socket, received)
      received = ''
    })
  })
  const answer = async (socket: Socket, request: string): Promise<void> => {
    if (request.startsWith('GET /v1/models')) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
    if (request.includes('SLOW')) return
    const asked = partsOf(request)
    const known = dialogues.find((one) => JSON.stringify(one.request) === JSON.stringify(asked))
    // Of other questions it says what it says of a plain one.
    const { events, name } = known ?? dialogues[0] ?? { events: [], name: '' }
    const pieces = events
      .filter(({ kind, dir }) => kind === 'bytes' && dir === 's2c')
      .map(({ hex = '' }) => Buffer.from(hex, 'hex'))
    for (const piece of pieces.slice(0, -1)) {
      socket.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // The end comes with the last piece, before anybody can think that the connection may be used again.
    socket.end(pieces.at(-1) ?? '')
    if (known) answered.add(name)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, answered }
}

/** The recorded worker tells what its engine knew of a prompt; ours tells so only of engines that keep prompts apart. */
class ApartBackend extends ExternalBackend {
  readonly keepsPromptsApart = true
}

async function startWorker(router: SessionRouter) {
  const engine = await modelServer()
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-session-'))
  const database = openDatabase(join(folder, 'worker.sqlite'), workerMigrations, { logger: silentLogger })
  const backend = new ApartBackend({ baseUrl: engine.url, model: 'Qwen/Qwen3-8B' })
  await backend.start()
  const worker = new Worker({
    versions: versionsWithoutKeys,
    root: new Signal<RootConfig | null>(root),
    owner: goldenOwner,
    money: undefined,
    backend,
    modelName,
    database,
    dial: openViaDialer({ host: '127.0.0.1', port: router.port }),
    logger: silentLogger,
    maxActiveRequests: 60,
    reconnectMs: 20,
    handshakeTimeoutMs: 15_000,
    paymentStatusMs: [5, 10],
    healthCheckMs: 20,
  })
  let coefficient = 1000
  const http = await openWorkerHttp({
    host: '127.0.0.1',
    port: 0,
    worker,
    meter: new WorkerMeter(worker, () => ({ coefficient, multipliers: root.params.multipliers })),
    wallet: { address: nodeWallet, money: undefined },
    owner: goldenOwner,
    modelName,
    coefficient: () => coefficient,
    setCoefficient: (wanted) => {
      coefficient = wanted
      worker.setCoefficient(wanted)
    },
    checksHashes: false,
    accessHash: '',
    root: () => root,
    logger: silentLogger,
  })
  worker.start()
  onTestFinished(async () => {
    await http.close()
    await worker.stop()
    await backend.stop()
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { worker, port: http.port, answered: engine.answered }
}

const answerNames = ['proxy.queryAnswerEx', 'proxy.queryAnswerPartEx', 'proxy.queryAnswerErrorEx'] as const
type AnyAnswer = TlObject<(typeof answerNames)[number]>

/** What a request came to, whatever the number of parts. */
function resultOf(answers: readonly AnyAnswer[]) {
  const first = answers.find((one) => one['@type'] === 'proxy.queryAnswerEx')
  const failure = answers.find((one) => one['@type'] === 'proxy.queryAnswerErrorEx')
  const parts = answers.filter((one) => one['@type'] === 'proxy.queryAnswerPartEx')
  const last = answers.at(-1)
  const { '@type': _type, ...used } = last?.final_info?.tokens_used ?? { '@type': 'none' }
  return {
    status: first && decodeHttpResponse(first.answer).status,
    failure: failure && [failure.error_code, failure.error],
    body: Buffer.concat(parts.map((part) => part.answer)).toString(),
    flags: last?.final_info?.flags,
    used,
  }
}

/** Our worker in the place of the recorded one. */
class Play {
  readonly #port: number
  #connection: PlayedConnection | undefined
  readonly #questions = new OpenQuestions()
  #recorded: AnyAnswer[] = []
  readonly steps = new Set<string>()

  constructor(port: number) {
    this.#port = port
  }

  get #present(): PlayedConnection {
    if (this.#connection === undefined) throw new Error('nothing is connected')
    return this.#connection
  }

  async run(connection: PlayedConnection, events: readonly VectorEvent[]): Promise<void> {
    this.#connection = connection
    for (const event of events) if (event.kind === 'frame') await this.#frame(event)
  }

  async #frame(event: VectorEvent): Promise<void> {
    const packet = Buffer.from(event.frame_hex ?? '', 'hex').subarray(8)
    if (this.#questions.settle(packet)) return
    switch (nameOf(packet)) {
      case 'tcp.query': {
        const { id, data } = decode(packet, 'tcp.query')
        const expected = decode(data, nameOf(data) ?? 'tcp.ping')
        const sent = await this.#present.next(expected['@type'])
        expect(withoutExtension(sent.object)).toEqual(this.#lowered(expected))
        return this.#questions.note(id, sent)
      }
      case 'tcp.packet': {
        const { data } = decode(packet, 'tcp.packet')
        return event.dir === 's2c' ? this.#present.send(data) : this.#expect(event.after_step ?? '', data)
      }
    }
  }

  /**
   * The recorded worker claims for ever what a proxy has lost, and is refused for ever. Ours believes the proxy after the extended comparison,
   * so that it is not locked out.
   */
  #lowered(expected: TlObject): TlObject {
    if (expected['@type'] === 'worker.extendedCompareBalanceWithProxy') this.#compared = true
    const lowers = this.#compared && expected['@type'] === 'worker.compareBalanceWithProxy'
    return lowers ? { ...expected, max_tokens: 0n } : expected
  }
  #compared = false

  async #expect(step: string, data: Uint8Array): Promise<void> {
    const name = nameOf(data)
    if (name === 'worker.enabledDisabled' || name === 'worker.newCoefficient') {
      await this.operate(step)
      const sent = await this.#present.next(name)
      return expect(sent.object).toEqual(decode(data, name))
    }
    const theirs = decode(data, ...answerNames)
    this.#recorded.push(theirs)
    if ((theirs.flags & 1) === 0) return
    const expected = resultOf(this.#recorded.splice(0))
    const ours: AnyAnswer[] = []
    while (((ours.at(-1)?.flags ?? 0) & 1) === 0) {
      const sent = await this.#present.nextOf(answerNames)
      if (sent.kind === 'packet' && sent.object['@type'] !== 'tcp.ping') ours.push(sent.object as AnyAnswer)
    }
    const got = resultOf(ours)
    if (step === 'chat_stream_sse_backend') {
      // The recorded worker neither counts server-sent events nor passes them on as they come.
      expect(got).toMatchObject({ status: 200, used: { total_tokens_used: 15n } })
      expect(ours.length).toBeGreaterThan(4)
      return
    }
    expect([step, got]).toEqual([step, expected])
  }

  /** What the operator did at this step. */
  async operate(step: string): Promise<void> {
    const [name, path] = operations.find(([start]) => step.startsWith(start)) ?? []
    if (name === undefined || path === undefined) throw new Error(`no operation ${step}`)
    const factor = step.endsWith('1.5') ? '1.5' : '1234'
    const answer = await exchange(this.#port, requestBytes('GET', `${path}${name.includes('coefficient') ? factor : ''}`))
    expect(answer.status).toBe(200)
    this.steps.add(step)
  }
}

const operations = [
  ['worker_disable', '/request/disable'],
  ['worker_enable', '/request/enable'],
  ['worker_change_coefficient', '/request/change_coefficient?coefficient='],
] as const

function withoutExtension(object: TlObject): TlObject {
  if (object['@type'] !== 'worker.connectToProxy') return object
  expect(object.params.flags).toBe(0x4000_0003)
  return { ...object, params: { ...object.params, flags: 3 } }
}

describe('sessions of the reference, played against our worker behind a router', () => {
  const files = [
    'wire/session_short_auth_all_requests',
    'wire/session_short_auth_worker_states',
    'wire/session_long_auth_clean_proxy_restart',
    'wire/session_long_auth_then_proxy_crash_loss',
  ] as const satisfies readonly VectorFile[]

  it.each(files)('%s', async (file) => {
    const router = await SessionRouter.listen()
    onTestFinished(() => router.close())
    const { worker, port, answered } = await startWorker(router)
    const play = new Play(port)
    const connections = connectionsOf(file).filter(({ leg }) => leg === 'wsocks')
    for (const { name, events } of connections) {
      const connection = await router.open(events)
      await play.run(connection, events)
      connection.close()
      await connection.closed
      ran(file, `played: ${name}`)
    }
    expect(worker.contracts()).toHaveLength(1)
    for (const step of play.steps) ran(file, `step: ${step}`)
    const { http_steps } = readVectors<{ http_steps: readonly { name: string; response_text: string }[] }>(file)
    const stats = http_steps.find((step) => step.name === 'jsonstats_worker')
    if (stats !== undefined) {
      const ours = await exchange(port, requestBytes('GET', '/jsonstats'))
      const missing = missingKeys(asJson(parseAnswer(stats.response_text).body), asJson(ours.body))
      expect(missing).toEqual([])
      ran(file, 'step: jsonstats_worker')
    }
    if (file === engineFile) {
      expect([...answered].sort()).toEqual(dialogues.map(({ name }) => name).sort())
      for (const { name, events } of dialogues)
        for (const event of events) if (event.kind === 'bytes') ran(file, eventCase(name, event))
    }
    expect(notRun(file, (name) => /^played: wsocks|^whttp#.* bytes$|^step: (worker_|jsonstats_worker)/.test(name))).toEqual([])
  })
})
