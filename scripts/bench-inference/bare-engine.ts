/** A process with the library alone, used the way its own guide shows: what the engine is measured against. */
import { getLlama, type LlamaContextSequence, LlamaLogLevel } from 'node-llama-cpp'
import type { Answer, Setup } from './side.ts'

export type ToBare = { t: 'load'; setup: Setup } | { t: 'run'; prompts: readonly string[]; maxTokens: number }
export type FromBare = { t: 'loaded' } | { t: 'answers'; answers: readonly Answer[] } | { t: 'failed'; message: string }

async function load({ modelPath, threads, sequences, contextTokens }: Setup) {
  const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: LlamaLogLevel.error })
  const model = await llama.loadModel({ modelPath })
  const context = await model.createContext({ sequences, contextSize: contextTokens, threads: { ideal: threads, min: 1 } })
  const places = Array.from({ length: sequences }, () => context.getSequence())
  const answer = async (place: LlamaContextSequence, prompt: string, maxTokens: number, startedMs: number): Promise<Answer> => {
    await place.clearHistory()
    const tokens = model.tokenize(prompt, true)
    const sampled: number[] = []
    let text = ''
    let firstMs = 0
    let lastMs = 0
    for await (const token of place.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
      lastMs = performance.now() - startedMs
      if (sampled.length === 0) firstMs = lastMs
      sampled.push(token)
      text += model.detokenize([token])
      if (model.isEogToken(token) || sampled.length >= maxTokens) break
    }
    return { promptTokens: tokens.length, cachedTokens: 0, completionTokens: sampled.length, firstMs, lastMs, text }
  }
  return (prompts: readonly string[], maxTokens: number): Promise<Answer[]> => {
    const startedMs = performance.now()
    return Promise.all(
      prompts.map((prompt, index) => {
        const place = places[index]
        if (place === undefined) throw new Error('more prompts than places')
        return answer(place, prompt, maxTokens, startedMs)
      }),
    )
  }
}

let run: Awaited<ReturnType<typeof load>> | undefined

async function serve(message: ToBare): Promise<FromBare> {
  if (message.t === 'load') {
    run = await load(message.setup)
    return { t: 'loaded' }
  }
  if (run === undefined) throw new Error('nothing is loaded')
  return { t: 'answers', answers: await run(message.prompts, message.maxTokens) }
}

process.on('message', (message: ToBare) => {
  serve(message).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ t: 'failed', message: String(error) } satisfies FromBare),
  )
})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
