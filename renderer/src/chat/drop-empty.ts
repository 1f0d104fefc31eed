import type { CocoonApi } from '../../../preload/api/contract.ts'

/** Deletes a chat in which nothing was asked; one with a turn stays. What cannot be read or deleted stays too. */
export function dropIfEmpty(api: Pick<CocoonApi, 'call' | 'subscribe'>, id: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = api.subscribe(
      'chat.conversation',
      { id },
      (event) => {
        if (event.type !== 'snapshot') return
        stop()
        if (event.conversation.turns.length > 0) return resolve()
        void api
          .call('chat.delete', { id })
          .catch(() => undefined)
          .then(() => resolve())
      },
      () => resolve(),
    )
  })
}
