import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { ReconnectPace } from '../base/reconnect-pace.ts'
import { Signal } from '../base/signal.ts'
import type { ChatMessage, EngineEvent } from '../inference/engine.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Device, DeviceBook } from './device-book.ts'
import { deviceFailure } from './device-failure.ts'
import { type DialledDevice, dialDevice } from './dial-device.ts'
import { dayMs } from './host-times.ts'
import {
  type AskedOptions,
  type FromGuest,
  type FromHost,
  fromHost,
  type HostState,
  mostAskedTokens,
  mostLinkBytes,
  mostMessages,
} from './link-messages.ts'
import { refusalIn } from './pairing-exchange.ts'
import { linkProtocol } from './peer-key.ts'

export interface LinkTimes {
  /** TCP and TLS to one address, and the host's welcome. */
  readonly dialMs: number
  /** A host that is not heard for so long is gone. */
  readonly silenceMs: number
  readonly aliveMs: number
  /** Older keys are agreed anew. */
  readonly oldestMs: number
  readonly longestPauseMs: number
}

export const linkTimes: LinkTimes = {
  dialMs: 4_000,
  silenceMs: 60_000,
  aliveMs: 15_000,
  // Before the host ends it, and before the seal's 24 hours are over.
  oldestMs: dayMs - 60_000,
  longestPauseMs: 16_000,
}

export type LinkState =
  /** `failure`: why the last attempt came to nothing. */
  | { readonly status: 'connecting'; readonly failure?: Failure }
  | {
      readonly status: 'up'
      /** Another name for each connection. */
      readonly connection: string
      readonly address: string
      /** Unix time in ms. */
      readonly handshakeAtMs: number
      readonly host: HostState
    }
  | { readonly status: 'ended' }

/** Names what a seal is earned for: this connection, and the model that the host answers with now. Null while there is none. */
export function connectionName(state: LinkState | undefined): string | null {
  return state?.status === 'up' ? `${state.connection} ${state.host.model?.sha256 ?? 'no model'}` : null
}

export interface LinkOptions {
  readonly host: Device
  readonly identity: Identity
  readonly book: DeviceBook
  readonly times: LinkTimes
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now: () => number
}

let connections = 0
/** Longer than the longest tokens of models on average: a host that sends more does not answer, it fills the memory. */
const mostLettersPerToken = 64
const nothingUsed = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

/**
 * The guest's standing connection to one host: tells whether the host is there and what it can do, and asks it. Reconnects by itself until
 * `stop`. Each question travels in a connection of its own, to the same pinned key.
 */
export class HostLink {
  readonly state = new Signal<LinkState>({ status: 'connecting' })
  readonly #options: LinkOptions
  readonly #control = new AbortController()
  readonly #running: Promise<void>
  #retry = new AbortController()
  #renew: (() => void) | undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  get hostId(): string {
    return this.#options.host.id
  }

  /** Agrees on new keys now. */
  renew(): void {
    this.#renew?.()
  }

  /** Tries again at once. */
  retry(): void {
    this.#retry.abort()
  }

  async stop(): Promise<void> {
    this.#control.abort()
    this.#retry.abort()
    await this.#running
    this.state.set({ status: 'ended' })
  }

  /**
   * Asks the host. Closing the connection is what ends an answer, also for the engine there.
   * @param mayGo asked right before the question is sent, over a connection whose key is the pinned one; false: nothing is sent
   * @throws Failure of device-failure.ts, `context-too-small` before the first text: also for more than one frame holds. Nothing of the question was sent when the host was not the
   *   pinned one or did not welcome this device.
   */
  async *ask(
    messages: readonly ChatMessage[],
    options: AskedOptions,
    signal: AbortSignal,
    mayGo: () => Promise<boolean> = () => Promise.resolve(true),
  ): AsyncGenerator<EngineEvent> {
    const { times } = this.#options
    const ended = AbortSignal.any([signal, this.#control.signal])
    const mostLetters = mostLettersPerToken * (options.maxTokens ?? mostAskedTokens)
    let tokens = 0
    let letters = 0
    try {
      const question = { t: 'ask', messages: messages.map(plain), options } satisfies FromGuest
      if (messages.length > mostMessages || Buffer.byteLength(JSON.stringify(question)) > mostLinkBytes)
        throw engineFailure('context-too-small')
      const { frames } = await this.#dial(ended)
      try {
        if (!(await mayGo())) {
          yield { type: 'done', reason: 'cancelled', usage: nothingUsed }
          return
        }
        await frames.send(question)
        for (;;) {
          const message = await read(frames.read(times.silenceMs))
          if (message.t === 'text') {
            tokens += message.tokens
            letters += message.text.length
            if (letters > mostLetters) throw deviceFailure('device-malformed')
            yield { type: 'text', text: message.text, tokens: message.tokens }
          } else if (message.t === 'done') {
            yield { type: 'done', reason: message.reason, usage: message.usage }
            return
          } else if (message.t === 'failed') throw engineFailure(message.code)
          else if (message.t !== 'alive') throw deviceFailure('device-malformed')
        }
      } finally {
        frames.close()
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown
      // The host was told by the end of the connection; what it counted after that is not known here.
      yield { type: 'done', reason: 'cancelled', usage: { ...nothingUsed, completionTokens: tokens } }
    }
  }

  async #run(): Promise<void> {
    const { host, logger, times } = this.#options
    const { signal } = this.#control
    const pace = new ReconnectPace(times.longestPauseMs)
    while (!signal.aborted) {
      let upAt: number | undefined
      try {
        const dialled = await this.#dial(signal)
        upAt = performance.now()
        await this.#watch(dialled)
        continue
      } catch (thrown) {
        if (signal.aborted) return
        const failure = thrown instanceof Failure ? thrown : deviceFailure('device-unreachable', { cause: thrown })
        if (!(thrown instanceof Failure))
          logger.error('the link to a computer failed by a defect', { kind: asError(thrown).name })
        logger.info('no connection to a paired computer', { device: host.id, code: failure.code })
        this.state.set({ status: 'connecting', failure })
      }
      if (signal.aborted) return
      this.#retry = new AbortController()
      await pause(pace.ended(upAt === undefined ? 0 : performance.now() - upAt), AbortSignal.any([signal, this.#retry.signal]))
    }
  }

  /** A connection whose key is the pinned one, and whose host has welcomed this device. */
  async #dial(signal: AbortSignal): Promise<DialledDevice & { readonly address: string }> {
    const { book, host, identity, times } = this.#options
    const known = book.devices.value.find(({ id }) => id === host.id)
    if (!known) throw deviceFailure('device-unknown')
    let failure: Failure = deviceFailure('device-unreachable')
    for (const address of known.addresses) {
      try {
        const dialled = await dialDevice({ address, identity, protocol: linkProtocol, timeoutMs: times.dialMs, signal })
        try {
          if (Buffer.compare(dialled.key, host.key) !== 0) throw deviceFailure('device-other-key')
          const welcome = await read(dialled.frames.read(times.dialMs))
          if (welcome.t !== 'welcome') throw deviceFailure('device-malformed')
          // The last good address first; what the host adds is as trusted as the host, and dialled to the same pinned key only.
          const addresses = [address, ...welcome.addresses.filter((one) => one !== address)].slice(0, 9)
          book.seen(host.id, { addresses, name: welcome.name })
          return { ...dialled, address }
        } catch (thrown) {
          dialled.frames.close()
          throw thrown
        }
      } catch (thrown) {
        if (signal.aborted || !(thrown instanceof Failure)) throw thrown
        // That another device has the address now says less than a refusal by the right one.
        const better = failure.code === 'device-unreachable' || failure.code === 'device-other-key'
        if (better && thrown.code !== 'device-unreachable') failure = thrown
      }
    }
    throw failure
  }

  /** Returns when the connection got too old. @throws Failure when it ended before */
  async #watch({ frames, address }: DialledDevice & { readonly address: string }): Promise<void> {
    const { now, times } = this.#options
    const stop = (): void => frames.close()
    this.#control.signal.addEventListener('abort', stop)
    const alive = setInterval(() => void frames.send({ t: 'alive' } satisfies FromGuest).catch(() => undefined), times.aliveMs)
    let old = false
    this.#renew = () => {
      old = true
      frames.close()
    }
    const renew = setTimeout(this.#renew, times.oldestMs)
    connections += 1
    const up = {
      status: 'up',
      connection: `${this.hostId}/${connections}`,
      address,
      handshakeAtMs: now(),
    } as const
    try {
      await frames.send({ t: 'watch' } satisfies FromGuest)
      for (;;) {
        const message = await read(frames.read(times.silenceMs))
        if (message.t === 'state') this.state.set({ ...up, host: message.state })
        else if (message.t !== 'alive') throw deviceFailure('device-malformed')
      }
    } catch (thrown) {
      if (!old) throw thrown
      // Ended to agree on new keys: that is no failure.
      this.state.set({ status: 'connecting' })
    } finally {
      clearTimeout(renew)
      this.#renew = undefined
      clearInterval(alive)
      this.#control.signal.removeEventListener('abort', stop)
      frames.close()
    }
  }
}

/** @throws Failure the host's refusal, `device-malformed`, `device-silent` */
async function read(raw: Promise<unknown>): Promise<FromHost> {
  const value = await raw
  if (value === undefined) throw deviceFailure('device-silent')
  const parsed = fromHost.safeParse(value)
  if (!parsed.success) throw deviceFailure('device-malformed')
  const refusal = refusalIn(parsed.data)
  if (refusal) throw refusal
  return parsed.data
}

function plain({ role, content }: ChatMessage): { role: 'system' | 'user' | 'assistant'; content: string } {
  // Calls of tools are not part of this protocol; the chat has none.
  if (role === 'tool') throw new TypeError('a paired computer answers no results of tools')
  return { role, content }
}

/** What the host's engine said, in this computer's words. */
function engineFailure(code: string): Failure {
  if (code === 'context-too-small')
    return new Failure('context-too-small', 'The text is too long for the model of the other computer.', {
      advice: 'Shorten the text, or start a new chat.',
      words: { code: 'device-context' },
    })
  return deviceFailure('device-engine', { retryable: true })
}
