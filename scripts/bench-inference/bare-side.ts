import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FromBare, ToBare } from './bare-engine.ts'
import type { Setup, Side } from './side.ts'

export async function bareSide(setup: Setup): Promise<Side> {
  const child = fork(fileURLToPath(new URL('./bare-engine.ts', import.meta.url)), [], { execArgv: [], serialization: 'advanced' })
  const ask = async (message: ToBare): Promise<FromBare> => {
    const reply = once(child, 'message')
    child.send(message)
    const [answer] = (await reply) as [FromBare]
    if (answer.t === 'failed') throw new Error(answer.message)
    return answer
  }
  await ask({ t: 'load', setup })
  return {
    name: 'the library alone',
    pid: child.pid ?? 0,
    async run(prompts, maxTokens) {
      const reply = await ask({ t: 'run', prompts, maxTokens })
      if (reply.t !== 'answers') throw new Error('no answers')
      return reply.answers
    },
    async stop() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
