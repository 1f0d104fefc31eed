import { Agent, request as httpRequest } from 'node:http'
import { Failure } from '../../main/base/failure.ts'
import { readChatCompletion } from '../../main/client/chat-completion.ts'
import type { OpenAiBackend } from '../../main/inference/openai-backend.ts'
import { AnswerWatch, type Timed } from './answer-watch.ts'
import type { LocalPath } from './local-path.ts'

/** One way to the same engine. */
export interface Side {
  readonly name: string
  ask(question: string): Promise<Timed>
  /** Gives an answer up after some words. Resolves with that moment, by performance.now(). */
  abort(): Promise<number>
  close(): void
}

const wordsBeforeAbort = 5
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const bodyOf = (model: string, question: string, tokens: number): string =>
  JSON.stringify({
    model,
    messages: [{ role: 'user', content: question }],
    max_tokens: tokens,
    stream: true,
    temperature: 0,
    seed: 1,
    stream_options: { include_usage: true },
  })

/** The engine's own OpenAI form, without HTTP: what the other sides are compared with. */
export function bareSide(backend: OpenAiBackend, tokens: number): Side {
  const run = async (question: string, stop: AbortController, isAborted: (watch: AnswerWatch) => boolean) => {
    const watch = new AnswerWatch()
    let abortedAt = 0
    const body = encoder.encode(bodyOf(backend.model, question, tokens))
    const request = { method: 'POST', path: '/v1/chat/completions', headers: [], body }
    for await (const part of (await backend.handle(request, stop.signal)).body) {
      watch.saw(decoder.decode(part))
      if (abortedAt === 0 && isAborted(watch)) {
        abortedAt = performance.now()
        stop.abort()
      }
    }
    return { watch, abortedAt }
  }
  return {
    name: 'the engine alone',
    ask: async (question) => (await run(question, new AbortController(), () => false)).watch.timed,
    abort: async () => (await run('Count.', new AbortController(), ({ seen }) => seen >= wordsBeforeAbort)).abortedAt,
    close: () => undefined,
  }
}

/** Over a real socket, with a key. */
export function gatewaySide(port: number, key: string, tokens: number): Side {
  const agent = new Agent({ keepAlive: true })
  const run = (
    question: string,
    isAborted: (watch: AnswerWatch) => boolean,
  ): Promise<{ watch: AnswerWatch; abortedAt: number }> =>
    new Promise((resolve, reject) => {
      const watch = new AnswerWatch()
      const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
      const request = httpRequest(
        { host: '127.0.0.1', port, method: 'POST', path: '/v1/chat/completions', agent, headers },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`The answer has the status ${response.statusCode}.`))
          let abortedAt = 0
          response.on('data', (part: Buffer) => {
            watch.saw(part.toString('utf8'))
            if (abortedAt > 0 || !isAborted(watch)) return
            abortedAt = performance.now()
            request.destroy()
            resolve({ watch, abortedAt })
          })
          response.once('end', () => resolve({ watch, abortedAt }))
          response.once('error', (error) => (abortedAt > 0 ? undefined : reject(error)))
        },
      )
      request.once('error', reject)
      request.end(bodyOf('local/bench/model', question, tokens))
    })
  return {
    name: 'through the local API',
    ask: async (question) => (await run(question, () => false)).watch.timed,
    abort: async () => (await run('Count.', ({ seen }) => seen >= wordsBeforeAbort)).abortedAt,
    close: () => agent.destroy(),
  }
}

/** Client, proxy and worker of the local network, as the app's own chat asks over it. */
export function networkSide({ client, refill }: LocalPath, model: string, tokens: number): Side {
  const runOnce = async (question: string, stop: AbortController, isAborted: (watch: AnswerWatch) => boolean) => {
    const watch = new AnswerWatch()
    let abortedAt = 0
    const query = client.runChat({ model, body: bodyOf(model, question, tokens), maxTokens: tokens }, stop.signal)
    for await (const event of readChatCompletion(query.body)) {
      if (event.type === 'text') watch.words(event.text.split(' word').length - 1 || 1)
      if (abortedAt > 0 || !isAborted(watch)) continue
      abortedAt = performance.now()
      stop.abort()
    }
    await query.end
    return { watch, abortedAt }
  }
  /** A question that lacks money was not answered: it is asked again, and timed then. */
  const run: typeof runOnce = async (...asked) => {
    for (let tries = 0; ; tries++) {
      try {
        return await runOnce(...asked)
      } catch (thrown) {
        if (!(thrown instanceof Failure && thrown.code === 'balance-too-low') || tries >= 50) throw thrown
        if (tries % 10 === 0) await refill()
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
    }
  }
  return {
    name: 'over the network path',
    ask: async (question) => (await run(question, new AbortController(), () => false)).watch.timed,
    abort: async () => (await run('Count.', new AbortController(), ({ seen }) => seen >= wordsBeforeAbort)).abortedAt,
    close: () => undefined,
  }
}
