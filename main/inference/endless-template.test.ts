import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { alive } from '../base/testing/alive.ts'
import type { ChatMessage, EngineEvent } from './engine.ts'
import { LocalEngine } from './local-engine.ts'
import { tinyGgufFile } from './testing/tiny-gguf.ts'

const entryPath = fileURLToPath(new URL('./engine-process.ts', import.meta.url))
const endless = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'
const chatMl =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}{% endfor %}<|im_start|>assistant\n"
/** Ends on loading, and for every short chat: a template sees no content, which is put in afterwards. */
const sometimesEndless = `${chatMl}{% if messages | length > 6 %}${endless}{% endif %}`
const long = Array.from({ length: 9 }, (_, index) => ({
  role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
  content: 'on',
}))
const short = long.slice(0, 1)
const never = new AbortController().signal

function newEngine(): LocalEngine {
  const patience = { loadMs: 60_000, readMs: 3_000 }
  const engine = new LocalEngine({ entryPath, gpu: false, threads: 1, background: false, restartPauseMs: 20, patience })
  onTestFinished(() => engine.dispose())
  return engine
}

async function ask(engine: LocalEngine, messages: readonly ChatMessage[]): Promise<EngineEvent | undefined> {
  let last: EngineEvent | undefined
  for await (last of engine.chat(messages, { maxTokens: 2 }, never));
  return last
}

it('gives up a model whose chat template does not end, says so, and loads the next one', async () => {
  const engine = newEngine()
  const pids = new Set<number>()
  engine.state.onChange(() => engine.pid && pids.add(engine.pid))
  const load = engine.load({ path: await tinyGgufFile({ chatTemplate: endless }), name: 'endless' })
  await expect(load).rejects.toMatchObject({ code: 'model-load-failed', words: { code: 'model-template-slow' } })
  expect(engine.state.value).toMatchObject({ status: 'failed', words: { code: 'model-template-slow' } })
  // Once only: it would be the same again.
  expect([...pids].map(alive)).toEqual([false])
  await engine.load({ path: await tinyGgufFile(), name: 'tiny' })
  expect(await ask(engine, short)).toMatchObject({ type: 'done' })
})

it('ends a chat at which the template does not end, and answers the next one', async () => {
  const engine = newEngine()
  await engine.load({ path: await tinyGgufFile({ chatTemplate: sometimesEndless }), name: 'sometimes' })
  expect(await ask(engine, short)).toMatchObject({ type: 'done' })
  const { pid } = engine
  await expect(ask(engine, long)).rejects.toMatchObject({ words: { code: 'template-slow' } })
  await expect.poll(() => [engine.state.value.status, engine.pid === pid]).toEqual(['ready', false])
  expect(await ask(engine, short)).toMatchObject({ type: 'done' })
})

it('leaves no process behind when the parent is killed while a template does not end', async () => {
  const path = await tinyGgufFile({ chatTemplate: sometimesEndless })
  const script = `
    import { LocalEngine } from ${JSON.stringify(new URL('./local-engine.ts', import.meta.url).href)}
    const engine = new LocalEngine({ entryPath: ${JSON.stringify(entryPath)}, gpu: false, threads: 1 })
    await engine.load({ path: ${JSON.stringify(path)}, name: 'sometimes' })
    setTimeout(() => process.stdout.write('pid ' + engine.pid + '\\n'), 1500)
    for await (const event of engine.chat(${JSON.stringify(long)}, {}, new AbortController().signal)) void event
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
  const pid = Number(line.slice(4))
  onTestFinished(() => {
    if (alive(pid)) process.kill(pid, 'SIGKILL')
  })
  expect(alive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => alive(pid)).toBe(false)
})
