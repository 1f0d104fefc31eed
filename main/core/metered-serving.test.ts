import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { LevelView } from '../../preload/api/chat.ts'
import type { EarnState } from '../../preload/api/earn.ts'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { type Core, startCore } from '../core.ts'
import { tinyEngine } from '../gateway/testing/gateway-stage.ts'
import type { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import { type EngineServer, engineServer } from './engines/testing/engine-server.ts'
import { endedTurn, first } from './testing/streamed.ts'

const testMs = 300_000
const within = (): AbortSignal => AbortSignal.timeout(100_000)

const folder = mkdtempSync(join(tmpdir(), 'cocoon-metered-'))
const busy = join(folder, 'busy')
let [core, engine, server] = [] as unknown as [Core, LocalEngine, EngineServer]
const calls = () => core.handlers.calls
const earn = (holds: (state: EarnState) => boolean): Promise<EarnState> =>
  first(core.handlers.streams['earn.state']({}, within()), holds)
const isReady = ({ level, state, seal, engine: reads }: LevelView): boolean =>
  level === 'practice' && state === 'ready' && reads !== undefined && seal.phase === 'earned'

/** A card of which the driver's tool tells 20 W at rest, and 220 W while the file `busy` is there; written by hand in the form of `nvidia-smi`. */
function cardTool(): void {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const line = (percent: number, watt: string): string =>
    `0, NVIDIA GeForce RTX 4080, 00000000:01:00.0, ${percent}, 16376, 4000, 55, ${watt}, 320.00, 2505, 0x0000000000000000`
  writeFileSync(
    join(bin, 'nvidia-smi'),
    `#!/bin/sh
case "$*" in *--query-gpu=*--loop-ms=*) ;; *) exit 1 ;; esac
while :; do
  if [ -e '${busy}' ]; then echo '${line(95, '220.00')}'; else echo '${line(0, '20.00')}'; fi
  sleep 0.2
done
`,
  )
  chmodSync(join(bin, 'nvidia-smi'), 0o755)
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH ?? ''}`)
}

beforeAll(async () => {
  cardTool()
  engine = await tinyEngine()
  server = await engineServer(createEngineBackend({ engine, model: 'org/tiny:1b' }))
  core = await startCore({
    dataDir: join(folder, 'data'),
    shell: 'browser',
    entries: childEntries(new URL('../core.ts', import.meta.url).href),
    roots: intelRoots,
    logger: silentLogger,
  })
  await calls()['models.cancelDownload']({ id: 'smollm2-135m-instruct-q4_1' })
}, testMs)
afterAll(async () => {
  await core?.stop()
  await server?.close()
  await engine?.dispose()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
}, testMs)

it(
  'what the card draws while a question of the network is answered costs the owner’s price, and a loss pauses serving',
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
    expect(servingMs).toBeLessThan(20_000)
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
    const paused = await earn(({ status }) => status === 'paused')
    expect(paused).toMatchObject({
      title: 'Paused, it does not pay now',
      line: expect.stringMatching(/^The last 3 hours cost €\d\.\d\d more than they earned\.$/),
      pause: { reasons: ['not-paying'], canPassOver: true },
    })
    await calls()['earn.anyway']({})
    await earn(({ status }) => status !== 'paused')
    // It is kept: what was measured is there after a restart.
    await core.stop()
    core = await startCore({
      dataDir: join(folder, 'data'),
      shell: 'browser',
      entries: childEntries(new URL('../core.ts', import.meta.url).href),
      roots: intelRoots,
      logger: silentLogger,
    })
    const again = await earn(() => true)
    expect(again.electricity).toMatchObject({ prices: { pauseWhenNotPaying: true }, today: { drawnJ: expect.closeTo(drawnJ) } })
  },
  testMs,
)
