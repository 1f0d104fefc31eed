import type { LevelState } from '../../preload/api/chat.ts'
import { Failure, messageAndAdvice, retold } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../chat/backend.ts'
import { mostTokens } from '../chat/computer-backend.ts'
import { passed, unsent } from '../chat/privacy/passed.ts'
import { absentLevel } from '../chat/privacy/privacy.ts'
import type { Gate } from '../chat/privacy/seal-keeper.ts'
import { paidNothing } from '../client/query-failure.ts'
import { deviceFailure } from '../devices/device-failure.ts'
import type { Devices } from '../devices/devices.ts'
import { connectionName } from '../devices/host-link.ts'
import type { ChatMessage } from '../inference/engine.ts'

/** Level "Your devices": the engine of a computer that the user paired, over a direct connection, free. */
export function devicesBackend(devices: Devices): ChatBackend {
  const state = new Signal<LevelState>(levelState(devices))
  const look = (): void => state.set(levelState(devices))
  devices.onLink(look)
  // Which computers there are to choose from matters while none is chosen.
  devices.book.devices.onChange(() => {
    if (!devices.chosen.value) look()
  })
  return { level: 'devices', state, answer: (messages, signal, gate) => answer(devices, messages, signal, gate) }
}

async function* answer(
  devices: Devices,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
  gate: Gate,
): AsyncGenerator<BackendEvent> {
  const chosen = devices.chosen.value
  if (!chosen) throw retold(deviceFailure('device-unreachable'), { money: paidNothing })
  const { link } = chosen
  let sent = false
  try {
    const mayGo = async (): Promise<boolean> => {
      const permit = await passed(gate, signal)
      if (!permit) return false
      // The seal was earned by the standing connection to this computer; the question's own has the same pinned key.
      if (devices.chosen.value?.link !== link || connectionName(link.state.value) !== permit.connection)
        throw deviceFailure('device-silent', { retryable: true })
      sent = true
      return true
    }
    for await (const event of link.ask(messages, { maxTokens: mostTokens }, signal, mayGo)) {
      if (event.type === 'text') yield { type: 'text', text: event.text }
      else if (event.type === 'done') {
        if (!sent) yield unsent
        else
          yield {
            type: 'final',
            usage: event.usage,
            reason: event.reason,
            ...(event.reason === 'cancelled' && { stop: 'ended' }),
          }
      }
    }
  } catch (thrown) {
    throw thrown instanceof Failure ? retold(thrown, { money: paidNothing }) : thrown
  }
}

function levelState({ book, chosen: { value: chosen } }: Devices): LevelState {
  const level = 'devices'
  if (!chosen)
    return book.devices.value.some(({ role }) => role === 'host')
      ? {
          level,
          state: 'unavailable',
          reason: 'No computer is chosen. Choose one under Settings, Devices.',
          reasonWords: { code: 'level-none-chosen' },
        }
      : absentLevel(level)
  const { device } = chosen
  const state = chosen.link.state.value
  if (state.status !== 'up') {
    const failure = state.status === 'connecting' ? state.failure : undefined
    if (!failure)
      return {
        level,
        state: 'starting',
        reason: `Connecting to ${device.name}.`,
        reasonWords: { code: 'device-connecting', values: { name: device.name } },
      }
    return { level, state: 'unavailable', reason: messageAndAdvice(failure), reasonWords: { ...failure.words } }
  }
  const { host } = state
  if (host.engine === 'starting')
    return {
      level,
      state: 'starting',
      reason: `${device.name} is making its model ready.`,
      reasonWords: { code: 'device-starting', values: { name: device.name } },
    }
  if (host.engine === 'unavailable' || !host.model)
    return {
      level,
      state: 'unavailable',
      reason: `${device.name} has no model loaded.`,
      reasonWords: { code: 'device-no-model', values: { name: device.name } },
    }
  return { level, state: 'ready', model: host.model.name, device: { name: device.name, pairedAtMs: device.pairedAtMs } }
}
