import { fileURLToPath } from 'node:url'
import type { EngineUsage } from '../../main/inference/engine.ts'
import { LocalEngine } from '../../main/inference/local-engine.ts'
import { median } from '../median.ts'
import type { Answer, Setup, Side } from './side.ts'

const never = new AbortController().signal

/** The engine process, seen from outside of it. */
export interface EngineSide extends Side {
  readonly engine: LocalEngine
}

export async function engineSide({ modelPath, threads, sequences, contextTokens }: Setup): Promise<EngineSide> {
  const engine = new LocalEngine({
    entryPath: fileURLToPath(new URL('../../main/inference/engine-process.ts', import.meta.url)),
    ...{ gpu: false, threads, sequences, contextTokens, background: false },
  })
  await engine.load({ path: modelPath, name: 'bench' })
  return {
    name: 'the engine process',
    pid: engine.pid ?? 0,
    engine,
    run(prompts, maxTokens) {
      const startedMs = performance.now()
      return Promise.all(prompts.map((prompt) => answer(engine, prompt, maxTokens, startedMs)))
    },
    stop: () => engine.dispose(),
  }
}

async function answer(engine: LocalEngine, prompt: string, maxTokens: number, startedMs: number): Promise<Answer> {
  let text = ''
  let firstMs = 0
  let lastMs = 0
  let usage: EngineUsage | undefined
  for await (const event of engine.complete(prompt, { temperature: 0, maxTokens }, never)) {
    if (event.type === 'done') usage = event.usage
    if (event.type !== 'text') continue
    lastMs = performance.now() - startedMs
    if (text === '') firstMs = lastMs
    text += event.text
  }
  if (usage === undefined) throw new Error('an answer ended without its usage')
  return { ...usage, firstMs, lastMs, text }
}

/** From the call of `abort` to the end of the answer, and to the first token of the next one in the same place. */
export async function measureAborts(engine: LocalEngine, prompt: (index: number) => string, rounds: number) {
  const endedMs: number[] = []
  for (let index = 0; index < rounds; index++) {
    const abort = new AbortController()
    let abortedAt = 0
    let texts = 0
    for await (const event of engine.complete(prompt(index), { temperature: 0, maxTokens: 512 }, abort.signal)) {
      if (event.type === 'text' && ++texts === 4 + (index % 5)) {
        abortedAt = performance.now()
        abort.abort()
      } else if (event.type === 'done') endedMs.push(performance.now() - abortedAt)
    }
    if (abortedAt === 0) throw new Error('an answer ended before it could be stopped')
  }
  return { median: median(endedMs), most: Math.max(...endedMs) }
}

/** The same long beginning with different ends, one after the other: what part of the beginning was not read again. */
export async function measurePrefix(engine: LocalEngine, prefix: string, rounds: number) {
  const first = await answer(engine, `${prefix} Question 0?`, 1, performance.now())
  const again: Answer[] = []
  for (let index = 1; index <= rounds; index++)
    again.push(await answer(engine, `${prefix} Question ${index}: what is told here?`, 1, performance.now()))
  // Only now: a prompt that is the beginning and nothing else would itself be found again.
  const alone = await answer(engine, prefix, 1, performance.now())
  return {
    prefixTokens: alone.promptTokens,
    skipped: median(again.map(({ cachedTokens }) => Math.min(1, cachedTokens / alone.promptTokens))),
    firstMs: first.firstMs,
    againMs: median(again.map(({ firstMs }) => firstMs)),
  }
}
