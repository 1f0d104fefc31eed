import { type EarnState, earnStreams } from '../../preload/api/earn.ts'
import { type ToCore, toPage } from '../../preload/api/link.ts'

/** The tray speaks to the core by the same schema-checked link as a page does. */
export interface TrayFeed {
  receive(raw: unknown): void
  pause(): void
  resume(): void
  anyway(): void
}

export function trayFeed(send: (message: ToCore) => void, onState: (state: EarnState) => void): TrayFeed {
  let n = 0
  const call = (name: 'earn.pause' | 'earn.resume' | 'earn.anyway'): void => send({ t: 'call', n: ++n, name, input: {} })
  const subscription = ++n
  send({ t: 'subscribe', n: subscription, name: 'earn.state', input: {} })
  return {
    receive(raw) {
      const message = toPage.safeParse(raw)
      if (!message.success || message.data.t !== 'event' || message.data.n !== subscription) return
      const state = earnStreams['earn.state'].event.safeParse(message.data.event)
      if (state.success) onState(state.data)
    },
    pause: () => call('earn.pause'),
    resume: () => call('earn.resume'),
    anyway: () => call('earn.anyway'),
  }
}
