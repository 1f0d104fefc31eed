import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { fromEngine, type LoadOrder } from './engine-messages.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const order: Omit<LoadOrder, 'path'> = {
  ...{ gpu: false, gpuPart: 1, sequences: 1, keepOwn: false, threads: 1, kvCache: 'f16' },
  ...{ contextTokens: 512, askedContextTokens: 512 },
}

it('requests are read one after the other, each announced before: how long one takes tells nothing of the next', async () => {
  const child = fork(fileURLToPath(new URL('./engine-process.ts', import.meta.url)), [String(process.pid)], { execArgv: [] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const seen: string[] = []
  const ended = new Promise<void>((resolve) => {
    const ids = [1, 2, 3, 4]
    child.on('message', (raw) => {
      const message = fromEngine.parse(raw)
      if (message.t === 'loaded')
        for (const id of ids) {
          const output = { kind: 'json-schema', schema: { type: 'array', items: { type: 'string' }, maxItems: 1000 } }
          child.send({ t: 'generate', id, input: { kind: 'complete', prompt: 'word' }, options: { maxTokens: 1, output } })
        }
      if (message.t === 'reading' || message.t === 'read' || message.t === 'failed') seen.push(`${message.t} ${message.id}`)
      if (seen.at(-1) === `read ${ids.at(-1)}`) resolve()
    })
  })
  child.send({ t: 'load', order: { ...order, path: await tinyGgufFile() } })
  await ended
  expect(seen).toEqual([1, 2, 3, 4].flatMap((id) => [`reading ${id}`, `read ${id}`]))
})
