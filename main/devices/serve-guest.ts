import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Device } from './device-book.ts'
import { deviceFailure } from './device-failure.ts'
import type { FrameSocket } from './frame-socket.ts'
import type { HostLimits } from './host-times.ts'
import { type FromGuest, type FromHost, fromGuest } from './link-messages.ts'
import type { SharedEngine } from './shared-engine.ts'

export interface GuestContext {
  readonly guest: Device
  readonly name: string
  readonly addresses: readonly string[]
  readonly engine: SharedEngine
  readonly limits: HostLimits
  readonly logger: Logger
  /** Takes a place for one question; undefined when the guest has as many as it may. Gives the place back when called. */
  readonly takePlace: () => (() => void) | undefined
}

/**
 * Serves one connection of a guest whose key was checked (docs/device-link.md §4). Ends with the connection, or when `signal` aborts.
 * @throws Failure `device-malformed`, `device-silent`, `device-busy`; not told to the guest yet
 */
export async function serveGuest(frames: FrameSocket, context: GuestContext, signal: AbortSignal): Promise<void> {
  const send = (message: FromHost): Promise<void> => frames.send(message)
  await send({ t: 'welcome', name: context.name, addresses: [...context.addresses] })
  const first = await read(frames, context.limits.handshakeMs)
  if (first?.t === 'watch') await watch(frames, context, signal)
  else if (first?.t === 'ask') await answer(frames, first, context, signal)
  else if (first !== undefined) throw deviceFailure('device-malformed')
}

async function watch(frames: FrameSocket, { engine, limits }: GuestContext, signal: AbortSignal): Promise<void> {
  const control = new AbortController()
  const ended = AbortSignal.any([signal, control.signal])
  const heard = async (): Promise<void> => {
    for (;;) {
      const message = await read(frames, limits.silenceMs)
      if (message === undefined) return
      if (message.t !== 'alive') throw deviceFailure('device-malformed')
    }
  }
  const told = async (): Promise<void> => {
    for await (const state of engine.state.values(ended)) await frames.send({ t: 'state', state } satisfies FromHost)
  }
  const alive = setInterval(() => void frames.send({ t: 'alive' } satisfies FromHost).catch(() => undefined), limits.aliveMs)
  try {
    await Promise.race([heard(), told()])
  } finally {
    clearInterval(alive)
    control.abort()
  }
}

type Ask = Extract<FromGuest, { t: 'ask' }>

async function answer(frames: FrameSocket, ask: Ask, context: GuestContext, signal: AbortSignal): Promise<void> {
  const { engine, guest, limits, logger, takePlace } = context
  const leave = takePlace()
  if (leave === undefined) throw deviceFailure('device-busy')
  const gone = new AbortController()
  const ended = AbortSignal.any([signal, frames.closed(), gone.signal])
  // The guest stops an answer by closing; nothing else may come while it runs.
  read(frames, longestAnswerMs)
    .catch(() => undefined)
    .finally(() => gone.abort())
  const alive = setInterval(() => void frames.send({ t: 'alive' } satisfies FromHost).catch(() => gone.abort()), limits.aliveMs)
  try {
    const { maxTokens = limits.mostAnswerTokens, temperature, topP, seed, stop } = ask.options
    const options = {
      maxTokens: Math.min(maxTokens, limits.mostAnswerTokens),
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && { seed }),
      ...(stop !== undefined && { stop }),
      lane: `device ${guest.id}`,
    }
    for await (const event of engine.chat(ask.messages, options, ended)) {
      if (ended.aborted) continue
      if (event.type === 'text')
        await frames.send({ t: 'text', text: event.text, tokens: event.tokens } satisfies FromHost).catch(() => gone.abort())
      else if (event.type === 'done')
        await frames.finish({ t: 'done', reason: event.reason, usage: event.usage } satisfies FromHost)
    }
  } catch (thrown) {
    if (ended.aborted) return
    const code = thrown instanceof Failure ? thrown.code : 'internal'
    logger.warn('a question of another device could not be answered', {
      device: guest.id,
      code,
      ...(!(thrown instanceof Failure) && { kind: asError(thrown).name }),
    })
    await frames.finish({ t: 'failed', code: code.slice(0, 40) } satisfies FromHost)
  } finally {
    clearInterval(alive)
    leave()
  }
}

/** A guest that waits for its answer says nothing; that it is there shows when it takes what is sent. */
const longestAnswerMs = 3_600_000

async function read(frames: FrameSocket, timeoutMs: number): Promise<FromGuest | undefined> {
  const raw = await frames.read(timeoutMs)
  if (raw === undefined) return undefined
  const parsed = fromGuest.safeParse(raw)
  if (!parsed.success) throw deviceFailure('device-malformed')
  return parsed.data
}
