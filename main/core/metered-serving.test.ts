import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { LevelView } from '../../preload/api/chat.ts'
import type { EarnState } from '../../preload/api/earn.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { type Core, startCore } from '../core.ts'
import { openEnergyBook } from '../earnings/energy-book.ts'
import { earningsMigrations } from '../earnings/ledger-tables.ts'
import { tinyEngine } from '../gateway/testing/gateway-stage.ts'
import { watchNvidia } from '../hardware/nvidia-watch.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { openDatabase } from '../storage/database.ts'
import { dataPaths } from '../storage/files.ts'
import { type EngineServer, engineServer } from './engines/testing/engine-server.ts'
import { endedTurn, first } from './testing/streamed.ts'

const testMs = 300_000
const within = (): AbortSignal => AbortSignal.timeout(100_000)

const folder = mkdtempSync(join(tmpdir(), 'cocoon-metered-'))
const dataDir = join(folder, 'data')
const busy = join(folder, 'busy')
let [core, engine, server] = [] as unknown as [Core, LocalEngine, EngineServer]
const calls = () => core.handlers.calls
const earn = (holds: (state: EarnState) => boolean): Promise<EarnState> =>
  first(core.handlers.streams['earn.state']({}, within()), holds)
const isReady = ({ level, state, seal, engine: reads }: LevelView): boolean =>
  level === 'practice' && state === 'ready' && reads !== undefined && seal.phase === 'earned'

/** A card of which the driver's tool tells 20 W at rest, and 220 W while the file `busy` is there; written by hand in the form of `nvidia-smi`. */
function cardTool(): string {
  const tool = join(folder, 'card-tool')
  const line = (percent: number, watt: string): string =>
    `0, NVIDIA GeForce RTX 4080, 00000000:01:00.0, ${percent}, 16376, 4000, 55, ${watt}, 320.00, 2505, 0x0000000000000000`
  writeFileSync(
    tool,
    `#!/bin/sh
case "$*" in *--query-gpu=*--loop-ms=*) ;; *) exit 1 ;; esac
while :; do
  if [ -e '${busy}' ]; then echo '${line(95, '220.00')}'; else echo '${line(0, '20.00')}'; fi
  sleep 0.2
done
`,
  )
  chmodSync(tool, 0o755)
  return tool
}

/** With that card and none of this computer's own. */
const started = (command: string): Promise<Core> =>
  startCore({
    dataDir,
    shell: 'browser',
    entries: childEntries(new URL('../core.ts', import.meta.url).href),
    openGpus: (ourPids) => watchNvidia({ command, ourPids }),
    roots: intelRoots,
    logger: silentLogger,
  })

/** Half an hour of answers that began before this hour, which nobody paid; what the app itself would have kept of them. */
function unpaidAnswers(): void {
  const database = openDatabase(dataPaths(dataDir).earningsDb, earningsMigrations, { logger: silentLogger })
  const book = openEnergyBook(database, silentLogger)
  const halfHour = 30 * 60_000
  book.add(Date.now() - 60 * 60_000, { servingMs: halfHour, measuredMs: halfHour, drawnJ: 1_800 * 220, restJ: 1_800 * 20 })
  book.write()
  database.close()
}

beforeAll(async () => {
  engine = await tinyEngine()
  server = await engineServer(createEngineBackend({ engine, model: 'org/tiny:1b' }))
  core = await started(cardTool())
  await calls()['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
}, testMs)
afterAll(async () => {
  await core?.stop()
  await server?.close()
  await engine?.dispose()
  rmSync(folder, { recursive: true, force: true })
}, testMs)

it(
  'what the card draws while a question of the network is answered costs the owner’s price, and half an hour of loss pauses serving',
  async () => {
    const { id } = await calls()['engines.add']({ name: 'mine', url: server.url })
    await first(core.handlers.streams['engines.state']({}, within()), ({ engines }) => engines[0]?.status === 'ready')
    await calls()['engines.serve']({ with: { id, model: 'org/tiny:1b', atOnce: 1 } })
    await first(core.handlers.streams['chat.levels']({}, within()), (levels) => levels.some(isReady))
    // Its rest was seen.
    const before = await earn(({ electricity }) => electricity.source === 'cards')
    expect(before.electricity.today).toMatchObject({ servingMs: 0, costMicros: null, netMicros: null })

    const answer: Array<() => void> = []
    server.misbehave = (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      const event = (value: object): void => void response.write(`data: ${JSON.stringify(value)}\n\n`)
      event({ choices: [{ index: 0, delta: { content: 'One' }, finish_reason: null }] })
      answer.push(() => {
        event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
        event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } })
        response.end('data: [DONE]\n\n')
      })
    }
    const { id: chat } = await calls()['chat.create']({ level: 'practice' })
    const askedAt = performance.now()
    const { id: turnId } = await calls()['chat.send']({ id: chat, text: 'Good morning?' })
    await vi.waitFor(() => expect(answer).toHaveLength(1), { timeout: 60_000, interval: 20 })
    writeFileSync(busy, '')
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    answer[0]?.()
    expect(await endedTurn(core.handlers.streams['chat.conversation']({ id: chat }, within()), turnId)).toMatchObject({
      status: 'done',
    })
    rmSync(busy)
    const { electricity } = await earn(({ running, electricity: { today } }) => running === 0 && today.servingMs > 5_000)
    const { servingMs, measuredMs, drawnJ, restJ, socketJ } = electricity.today
    expect(measuredMs).toBe(servingMs)
    expect(servingMs).toBeLessThanOrEqual(performance.now() - askedAt)
    // The first second or two may still be told as at rest.
    expect((1_000 * drawnJ) / measuredMs).toBeGreaterThan(120)
    expect((1_000 * drawnJ) / measuredMs).toBeLessThanOrEqual(220 + 1e-6)
    expect((1_000 * restJ) / measuredMs).toBeCloseTo(20)
    expect(socketJ).toBeCloseTo((drawnJ - restJ) / 0.9)
    expect(electricity.today.costMicros).toBeNull()

    await calls()['electricity.set']({ power: { currency: 'EUR', perKwhMicros: 3_600_000_000 } })
    const priced = await earn(({ electricity: { today } }) => today.costMicros !== null)
    // 3600 EUR per kWh are a thousandth of a EUR for each joule.
    expect(priced.electricity.today.costMicros).toBe(Math.ceil(socketJ * 1_000))
    expect(priced.electricity.today).toMatchObject({ worthMicros: 0, netMicros: -Math.ceil(socketJ * 1_000) })

    await calls()['electricity.set']({ pauseWhenNotPaying: true })
    await calls()['limits.set']({ onPractice: true })
    // One answer that nobody paid is no loss to stop for.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect((await earn(() => true)).status).not.toBe('paused')

    // It is kept: what was measured is there after a restart, and with half an hour of it the loss pauses.
    await core.stop()
    unpaidAnswers()
    core = await started(join(folder, 'card-tool'))
    const paused = await earn(({ status }) => status === 'paused')
    expect(paused).toMatchObject({
      title: 'Paused, it does not pay now',
      line: expect.stringMatching(/^The last 3 hours cost €[\d,]+\.\d\d more than they earned\.$/),
      pause: { reasons: ['not-paying'], canPassOver: true },
      electricity: { prices: { pauseWhenNotPaying: true } },
    })
    expect(paused.electricity.last7Days.drawnJ).toBeCloseTo(drawnJ + 1_800 * 220)
    await calls()['earn.anyway']({})
    await earn(({ status }) => status !== 'paused')
  },
  testMs,
)
