import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GatewayKeyTerms } from '../../../preload/api/gateway.ts'
import { type Logger, silentLogger } from '../../base/logger.ts'
import type { EngineCapabilities } from '../../inference/capabilities.ts'
import { LocalEngine } from '../../inference/local-engine.ts'
import { createEngineBackend } from '../../inference/openai.ts'
import { tinyGgufFile } from '../../inference/testing/tiny-gguf.ts'
import { openDatabase } from '../../storage/database.ts'
import type { GatewayBackend, RunningAnswer } from '../backend.ts'
import { Gateway, type GatewayOptions } from '../gateway.ts'
import { gatewayMigrations } from '../gateway-tables.ts'
import { localBackend } from '../local-backend.ts'

export const tinyModel = 'tiny-random'

/** The real engine with a small random model. */
export async function tinyEngine(): Promise<LocalEngine> {
  const entryPath = fileURLToPath(new URL('../../inference/engine-process.ts', import.meta.url))
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false })
  await engine.load({ path: await tinyGgufFile(), name: 'Tiny random' })
  return engine
}

export function engineBackend(engine: LocalEngine): GatewayBackend {
  const backend = createEngineBackend({ engine, model: tinyModel, lane: 'api' })
  return localBackend({
    current: () => ({ backend, capabilities: engine.capabilities }),
    trouble: () => 'No model is loaded.',
    permission: async () => undefined,
  })
}

/** What everything can do, for back ends of a test's own making. */
export const allCapabilities: EngineCapabilities = {
  contextTokens: 2048,
  chat: true,
  complete: true,
  embeddings: true,
  tools: true,
  parallelToolCalls: true,
  json: true,
  jsonSchema: true,
  grammar: true,
  seed: true,
  stop: true,
  penalties: true,
  topK: true,
  minP: true,
  logitBias: true,
  topLogprobs: 20,
  reasoningSplit: true,
  dropOldest: true,
  images: true,
  answers: 4,
}

/** A paid place whose answers the test gives. */
export interface PaidPlace {
  readonly backend: GatewayBackend
  /** Questions that were sent, as JSON. */
  readonly asked: unknown[]
  answer: (signal: AbortSignal) => RunningAnswer
}

export function paidPlace(worstCaseNano: bigint): PaidPlace {
  const place: PaidPlace = {
    asked: [],
    answer: () =>
      documentAnswer(
        {
          choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 3, completion_tokens: 4 },
        },
        1n,
      ),
    backend: {
      level: 'practice',
      prefix: 'network',
      needsConsent: true,
      offers: () => [{ model: 'paid', capabilities: allCapabilities }],
      trouble: () => 'Nobody answers.',
      prepare: ({ body }) => ({
        worstCaseNano,
        run: (signal) => {
          place.asked.push(body)
          return place.answer(signal)
        },
      }),
    },
  }
  return place
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export function documentAnswer(value: unknown, costNano: bigint | undefined, status = 200): RunningAnswer {
  return textAnswer([typeof value === 'string' ? value : JSON.stringify(value)], costNano, { status })
}

export function textAnswer(
  parts: readonly (string | Error)[],
  costNano: bigint | undefined,
  { status = 200, contentType = 'application/json' }: { status?: number; contentType?: string } = {},
): RunningAnswer {
  return {
    head: Promise.resolve({ status, contentType }),
    end: Promise.resolve({ costNano }),
    body: {
      async *[Symbol.asyncIterator]() {
        for (const part of parts) {
          if (part instanceof Error) throw part
          yield bytes(part)
        }
      },
    },
  }
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  json(): unknown
}

export interface Stage {
  readonly gateway: Gateway
  readonly port: number
  readonly databasePath: string
  /** A new key's secret; agreed for every level. */
  key(terms?: Partial<GatewayKeyTerms>): string
  /** A plain HTTP request, whatever its headers. */
  send(
    method: string,
    path: string,
    options?: { key?: string; headers?: Record<string, string>; body?: string | Uint8Array | object },
  ): Promise<Reply>
  close(): Promise<void>
}

export const usualTerms: GatewayKeyTerms = { name: 'Test', level: 'computer', models: null, origins: [], dailyLimit: 0n }

/** A gateway on a free port, over a database of its own. */
export async function openStage(
  backends: readonly GatewayBackend[],
  options: Partial<Pick<GatewayOptions, 'limits' | 'now'>> & { logger?: Logger } = {},
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-gateway-'))
  const databasePath = join(folder, 'gateway.db')
  const { logger = silentLogger } = options
  const database = openDatabase(databasePath, gatewayMigrations, { logger })
  const gateway = new Gateway({ ...options, database, backends, logger })
  await gateway.apply({ enabled: true, port: 0 })
  const { port } = gateway.view()
  return {
    gateway,
    port,
    databasePath,
    key: (terms) => gateway.createKey({ ...usualTerms, ...terms, consent: true }).secret,
    send: (method, path, { key, headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const content = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
        const request = httpRequest({
          host: '127.0.0.1',
          port,
          method,
          path,
          headers: {
            ...(content !== undefined && { 'Content-Type': 'application/json' }),
            ...(content !== undefined && !('Transfer-Encoding' in headers) && { 'Content-Length': Buffer.byteLength(content) }),
            ...(key !== undefined && { Authorization: `Bearer ${key}` }),
            ...headers,
          },
        })
        request.once('error', reject)
        request.once('response', (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.once('error', reject)
          response.once('end', () => {
            const text = Buffer.concat(parts).toString('utf8')
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              json: () => JSON.parse(text) as unknown,
            })
          })
        })
        request.end(content)
      }),
    close: async () => {
      await gateway.stop()
      database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The events of a stream: objects, and comments and `[DONE]` as they are. */
export function eventsOf(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      if (!event.startsWith('data: ')) return event
      const data = event.slice('data: '.length)
      return data === '[DONE]' ? data : (JSON.parse(data) as unknown)
    })
}
