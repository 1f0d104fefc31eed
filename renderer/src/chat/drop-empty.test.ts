import { expect, it } from 'vitest'
import type { Turn } from '../../../preload/api/chat.ts'
import type { ToCore } from '../../../preload/api/link.ts'
import { createClient } from '../api/client.ts'
import type { LinkEvents } from '../api/link.ts'
import { dropIfEmpty } from './drop-empty.ts'

const turn: Turn = {
  ...{ id: 't', question: 'q', answer: 'a', status: 'done', level: 'computer', model: 'small', createdAtMs: 1 },
}
const head = { id: 'c', title: 'Chat', level: 'computer', widestLevel: 'computer', pinned: false, updatedAtMs: 1 }

/** What is called of a core that has this chat, until `dropIfEmpty` is done. */
async function callsWith(answer: { turns: Turn[] } | 'gone'): Promise<string[]> {
  const calls: string[] = []
  let events: LinkEvents | undefined
  const core = (message: ToCore): void => {
    if (message.t === 'subscribe')
      events?.onMessage(
        answer === 'gone'
          ? { t: 'error', n: message.n, error: { code: 'not-found', message: 'There is no such chat.' } }
          : { t: 'event', n: message.n, event: { type: 'snapshot', conversation: { ...head, ...answer } } },
      )
    if (message.t !== 'call') return
    calls.push(`${message.name} ${JSON.stringify(message.input)}`)
    events?.onMessage({ t: 'result', n: message.n, output: {} })
  }
  const client = createClient((given) => {
    events = given
    return { send: (message) => queueMicrotask(() => core(message)), close: () => undefined }
  })
  events?.onOpen()
  await dropIfEmpty(client, 'c')
  return calls
}

it('deletes a chat that nothing was asked in, and no other', async () => {
  expect(await callsWith({ turns: [] })).toEqual(['chat.delete {"id":"c"}'])
  expect(await callsWith({ turns: [turn] })).toEqual([])
  expect(await callsWith('gone')).toEqual([])
})
