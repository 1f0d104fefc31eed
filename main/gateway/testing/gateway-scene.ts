import { onTestFinished } from 'vitest'
import { createLogger } from '../../base/logger.ts'
import { pause } from '../../base/pause.ts'
import type { GatewayBackend, RunningAnswer } from '../backend.ts'
import { openStage, type PaidPlace, paidPlace, type Stage } from './gateway-stage.ts'

/** What the gateways of `stageOf` have logged. */
export const lines: string[] = []

/** A gateway over these places, for one test. */
export async function stageOver(...[backends, options]: Parameters<typeof openStage>): Promise<Stage> {
  const stage = await openStage(backends, options)
  onTestFinished(() => stage.close())
  return stage
}

/** The same over one place that is paid, with all that it logs. */
export const stageOf = (place: PaidPlace, options: Parameters<typeof openStage>[1] = {}): Promise<Stage> =>
  stageOver([place.backend], { logger: createLogger((line) => lines.push(line), 'debug'), ...options })

/** A place on this computer, which costs nothing. */
export const localPlace = (place: PaidPlace = paidPlace(0n)): GatewayBackend => ({
  ...place.backend,
  level: 'computer',
  prefix: 'local',
  needsConsent: false,
})

/** A question to a paid place, and what its answers are made of. */
export const question = { model: 'network/paid', messages: [{ role: 'user', content: 'a question of the utmost secrecy' }] }
export const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }]
export const usage = { prompt_tokens: 3, completion_tokens: 4 }
export const chunk = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', model: 'foreign', choices: [{ index: 0, delta: { content } }], ...more })}\n\n`

/** An answer that goes on until it is stopped, and what it then cost. */
export function endless(costNano: bigint | undefined, onStop: () => void = () => undefined) {
  return (signal: AbortSignal): RunningAnswer => {
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    void stopped.then(onStop)
    return {
      head: Promise.resolve({ status: 200, contentType: 'text/event-stream' }),
      end: stopped.then(() => ({ costNano, usage: { promptTokens: 5, completionTokens: 6 } })),
      body: {
        async *[Symbol.asyncIterator]() {
          while (!signal.aborted) {
            yield Buffer.from(chunk('more '))
            await pause(5, signal)
          }
        },
      },
    }
  }
}
