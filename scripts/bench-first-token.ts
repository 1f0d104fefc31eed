/**
 * `npm run bench:first-token`: time to the first text, directly on the engine and over the whole network path (client → proxy → worker,
 * real sockets), in the same app and the same run. Same model, same questions, both warm, taken in turns so that the machine's mood
 * falls on both alike. Prints medians and what the path adds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../main/base/logger.ts'
import { childEntries } from '../main/child-entries.ts'
import { type Core, startCore } from '../main/core.ts'
import { intelRoots } from '../main/protocol/attestation/intel-chain.ts'
import type { PrivacyLevel } from '../preload/api/chat.ts'
import { median } from './median.ts'

const rounds = Number(process.argv[2] ?? 15)
const given = process.env.COCOON_DATA_DIR
const dataDir = given ?? mkdtempSync(join(tmpdir(), 'cocoon-bench-'))

async function ready(core: Core): Promise<void> {
  for await (const { parts } of core.handlers.streams['app.start']({}, AbortSignal.timeout(300_000))) {
    const failed = parts.find((part) => part.state === 'failed')
    if (failed) throw new Error(`${failed.title}: ${failed.detail}`)
    if (parts.every((part) => part.state === 'ready')) return
  }
  throw new Error('The app was not ready in time.')
}

/** One question in a chat of its own; each is worded differently, so that the prefix cache helps neither side. */
async function ask(core: Core, level: PrivacyLevel, question: string): Promise<{ firstMs: number; tokensPerSecond: number }> {
  const { id } = await core.handlers.calls['chat.create']({ level })
  const done = new AbortController()
  let firstAt = 0
  let startedAt = 0
  const reading = (async () => {
    for await (const event of core.handlers.streams['chat.conversation']({ id }, done.signal)) {
      if (event.type === 'delta' && !firstAt) firstAt = performance.now()
      const turn = event.type === 'turn' ? event.turn : event.type === 'snapshot' ? event.conversation.turns.at(-1) : undefined
      if (turn?.answer && !firstAt) firstAt = performance.now()
      if (turn?.status === 'failed') throw new Error(turn.error?.message ?? 'The turn failed.')
      if (turn?.status === 'done') return turn
    }
    throw new Error('The conversation ended early.')
  })()
  startedAt = performance.now()
  await core.handlers.calls['chat.send']({ id, text: question })
  const turn = await reading
  done.abort()
  return { firstMs: turn.firstTokenMs ?? firstAt - startedAt, tokensPerSecond: turn.tokensPerSecond ?? 0 }
}

const core = await startCore({
  dataDir,
  shell: 'browser',
  entries: childEntries(new URL('../main/core.ts', import.meta.url).href),
  roots: intelRoots,
  logger: createLogger((line) => process.stderr.write(`${line}\n`), process.env.VERBOSE ? 'debug' : 'error'),
})
try {
  await ready(core)
  const results: Record<'computer' | 'practice', { firstMs: number; tokensPerSecond: number }[]> = { computer: [], practice: [] }
  for (let round = -2; round < rounds; round++) {
    for (const level of ['computer', 'practice'] as const) {
      const result = await ask(
        core,
        level,
        `${level === 'computer' ? 'City' : 'Town'} ${round + 10}: describe it in one short sentence.`,
      )
      if (round >= 0) results[level].push(result)
    }
  }
  const direct = median(results.computer.map(({ firstMs }) => firstMs))
  const network = median(results.practice.map(({ firstMs }) => firstMs))
  console.log(`Rounds: ${rounds}, taken in turns, after two to warm up`)
  console.log(
    `First token, engine directly:     ${direct.toFixed(1)} ms (median), ${median(results.computer.map((r) => r.tokensPerSecond)).toFixed(0)} tokens/s`,
  )
  console.log(
    `First token, whole network path:  ${network.toFixed(1)} ms (median), ${median(results.practice.map((r) => r.tokensPerSecond)).toFixed(0)} tokens/s`,
  )
  console.log(`The path adds ${(network - direct).toFixed(1)} ms (${(network / direct).toFixed(2)} times the direct time)`)
} finally {
  await core.stop()
  if (!given) rmSync(dataDir, { recursive: true, force: true })
}
