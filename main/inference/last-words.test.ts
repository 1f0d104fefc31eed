import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createLogger } from '../base/logger.ts'
import { newCanary, spelledIn } from '../base/testing/canary.ts'
import { EngineChild } from './engine-child.ts'
import { lastWords } from './last-words.ts'

it.each([
  ['/w/llama.cpp/ggml/src/ggml-cuda/ggml-cuda.cu:75: CUDA error: out of memory', 'out of memory | CUDA error | ggml-cuda.cu:75'],
  ['a\nllama-context.cpp:1042: GGML_ASSERT(n > 0) failed\nb', 'GGML_ASSERT | llama-context.cpp:1042'],
  ["terminate called after throwing an instance of 'std::runtime_error'\n  what():  my secret", 'terminate called'],
  ['file:///x/engine.js:9\nSyntaxError: Unexpected token, "my secret" is not valid JSON\n\nNode.js v24.0.0', undefined],
  ['see secret.cpp:1 and llama-secret.cpp:2', undefined],
  ['', undefined],
])('of %j nothing but what is known is kept', (stderr, words) => {
  expect(lastWords(stderr)).toBe(words)
})

it('an engine that quotes a question while it dies leaves no word of it in a log or a failure', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-last-words-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const canary = newCanary()
  const entryPath = join(folder, 'engine.mjs')
  writeFileSync(
    entryPath,
    `console.error('llama-vocab.cpp:7: GGML_ASSERT'); throw new Error(${JSON.stringify(`${canary}\n${canary}`)})`,
  )
  const lines: string[] = []
  const child = new EngineChild({
    entryPath,
    order: {} as ConstructorParameters<typeof EngineChild>[0]['order'],
    background: false,
    logger: createLogger((line) => lines.push(line), 'debug'),
    onProgress: () => undefined,
  })
  const failure: unknown = await child.ready.catch((thrown: unknown) => thrown)
  expect(failure).toMatchObject({ code: 'engine-crashed' })
  const told = `${lines.join('\n')}${(failure as Error).stack}${((failure as Error).cause as Error).message}`
  expect(lines.join('\n')).toContain('lastWords=GGML_ASSERT | llama-vocab.cpp:7')
  expect(spelledIn(Buffer.from(told), canary)).toEqual([])
})
