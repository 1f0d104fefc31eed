import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readChatCompletion } from '../../main/client/chat-completion.ts'
import type { Answer, Setup, Side } from './side.ts'

const startMs = 120_000

/**
 * llama.cpp's own server, with its prompt cache off. It comes with the Python package xllamacpp, which is no part of this project.
 * @returns why there is none, where there is none
 */
export async function llamaServerSide(
  python: string,
  { modelPath, threads, sequences, contextTokens }: Setup,
): Promise<Side | string> {
  const script = fileURLToPath(new URL('./llama-server.py', import.meta.url))
  const child = spawn(python, [script, modelPath, ...[threads, sequences, contextTokens].map(String)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (part: Buffer) => {
    said = (said + part.toString('utf8')).slice(-2_000)
  })
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', () => resolve(said.trim().split('\n').at(-1) ?? 'it ended'))
  })
  const late = new Promise<string>((resolve) => setTimeout(() => resolve('it did not begin in time'), startMs).unref())
  const begun = new Promise<URL>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      const url = URL.parse(line.split(' ')[0] ?? '')
      if (url?.protocol === 'http:') resolve(url)
    })
  })
  const url = await Promise.race([begun, gone, late])
  if (typeof url === 'string') {
    child.kill('SIGKILL')
    return url
  }
  return {
    name: "llama.cpp's server",
    pid: child.pid ?? 0,
    run: (prompts, maxTokens) => {
      const startedMs = performance.now()
      return Promise.all(prompts.map((prompt) => answer(new URL('/v1/completions', url), prompt, maxTokens, startedMs)))
    },
    stop: async () => {
      const end = once(child, 'exit')
      child.kill('SIGKILL')
      await end
    },
  }
}

async function answer(url: URL, prompt: string, maxTokens: number, startedMs: number): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      prompt,
      max_tokens: maxTokens,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
      cache_prompt: false,
    }),
  })
  if (response.status !== 200 || response.body === null) throw new Error(`llama.cpp's server answered ${response.status}`)
  let text = ''
  let firstMs = 0
  let lastMs = 0
  let counts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }
  for await (const event of readChatCompletion(response.body)) {
    if (event.type === 'usage') counts = event
    if (event.type !== 'text') continue
    lastMs = performance.now() - startedMs
    if (text === '') firstMs = lastMs
    text += event.text
  }
  if (counts.completionTokens === 0) throw new Error("an answer of llama.cpp's server ended without its usage")
  const { promptTokens, cachedTokens, completionTokens } = counts
  return { promptTokens, cachedTokens, completionTokens, firstMs, lastMs, text }
}
