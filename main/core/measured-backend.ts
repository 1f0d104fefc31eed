import type { ChatBackend } from '../chat/backend.ts'

/** Fewer tokens than this say little about the speed. */
const leastTokens = 16

/**
 * A backend whose answers also tell how fast they were generated, in tokens per second from the first text to the end.
 * @param onSpeed must not throw: the answer is on its way to the user
 */
export function measured(backend: ChatBackend, onSpeed: (tokensPerSecond: number) => void): ChatBackend {
  return {
    level: backend.level,
    state: backend.state,
    async *answer(messages, signal, gate, conversation) {
      let firstAt: number | undefined
      for await (const event of backend.answer(messages, signal, gate, conversation)) {
        if (event.type === 'text') firstAt ??= performance.now()
        else if (event.type === 'final' && firstAt !== undefined) {
          const tokens = event.usage?.completionTokens ?? 0
          if (tokens >= leastTokens) onSpeed((tokens - 1) / ((performance.now() - firstAt) / 1000))
        }
        yield event
      }
    },
  }
}
