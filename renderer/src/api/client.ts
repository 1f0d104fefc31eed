import { z } from 'zod'
import {
  ApiError,
  type ApiErrorCode,
  type CallInput,
  type CallName,
  type CallOutput,
  type CocoonApi,
  calls,
  type StreamEvent,
  type StreamInput,
  type StreamName,
  streams,
} from '../../../preload/api/contract.ts'
import { type ToPage, toPage } from '../../../preload/api/link.ts'
import { plainLabel, withPlainLabels } from '../format/plain-label.ts'
import type { Link, LinkEnd, OpenLink } from './link.ts'

/** `refused` is final: the core does not accept this page, and only a new one-time link helps. */
export type LinkStatus = 'connecting' | 'open' | 'lost' | 'refused'

export interface ApiClient extends CocoonApi {
  /** Called at once with the present status, then at each change. */
  onStatus(listener: (status: LinkStatus) => void): () => void
  close(): void
}

export interface ClientOptions {
  readonly setTimer?: (work: () => void, delayMs: number) => () => void
}

interface PendingCall {
  readonly name: CallName
  resolve(output: unknown): void
  reject(error: ApiError): void
}

interface Subscription {
  readonly name: StreamName
  readonly input: unknown
  onEvent(event: unknown): void
  onError(error: ApiError): void
}

const firstDelayMs = 250
const longestDelayMs = 5_000
/** A record, so that none is forgotten: a screen asks back for some of them. */
const knownCodes: Readonly<Record<ApiErrorCode, true>> = {
  malformed: true,
  'unknown-name': true,
  'not-found': true,
  busy: true,
  'not-ready': true,
  'nothing-to-settle': true,
  refused: true,
  'not-verified': true,
  'needs-choice': true,
  'needs-consent': true,
  'looks-secret': true,
  internal: true,
  disconnected: true,
}

/** Where a message of a conversation stands. Everything else that the core sends is a label. */
const bodies: ReadonlySet<string> = new Set(['question', 'answer', 'text', 'markdown'])
const nobodies: ReadonlySet<string> = new Set()
const bodiesOf = (name: CallName | StreamName): ReadonlySet<string> => (name.startsWith('chat.') ? bodies : nobodies)

const isKnownCode = (code: string): code is ApiErrorCode => Object.hasOwn(knownCodes, code)

const timer = (work: () => void, delayMs: number): (() => void) => {
  const handle = setTimeout(work, delayMs)
  return () => clearTimeout(handle)
}

/**
 * The typed API over any link. Inputs are encoded and outputs decoded by the schemas of preload/api (amounts are bigints here, decimal
 * strings on the link), and labels lose what nobody sees (format/plain-label.ts). A lost link is opened again with growing delays and every subscription is made anew; calls that were under
 * way fail with `disconnected`, because nobody can tell whether the core ran them.
 */
export function createClient(openLink: OpenLink, options: ClientOptions = {}): ApiClient {
  const setTimer = options.setTimer ?? timer
  const pending = new Map<number, PendingCall>()
  const subscriptions = new Map<number, Subscription>()
  const listeners = new Set<(status: LinkStatus) => void>()
  let status: LinkStatus = 'connecting'
  let link: Link | null = null
  let nextNumber = 1
  let delayMs = firstDelayMs
  let stopTimer: (() => void) | null = null
  let closed = false

  const setStatus = (next: LinkStatus): void => {
    if (next === status) return
    status = next
    for (const listener of [...listeners]) listener(next)
  }

  const connect = (): void => {
    stopTimer = null
    let own: Link | null = null
    const mine = (): boolean => own !== null && own === link && !closed
    own = openLink({
      onOpen: () => {
        if (!mine()) return
        delayMs = firstDelayMs
        for (const [n, { name, input }] of subscriptions) own?.send({ t: 'subscribe', n, name, input })
        setStatus('open')
      },
      onMessage: (raw) => {
        if (mine()) receive(raw)
      },
      onClose: (end) => {
        if (mine()) lose(end)
      },
    })
    link = own
  }

  const lose = (end: LinkEnd): void => {
    link = null
    const waiting = [...pending.values()]
    pending.clear()
    for (const { reject } of waiting) reject(new ApiError('disconnected', 'The connection to the core was lost.'))
    setStatus(end)
    if (end === 'refused') return
    stopTimer = setTimer(connect, delayMs)
    delayMs = Math.min(delayMs * 2, longestDelayMs)
  }

  /** What does not fit the schema of the link is dropped: it belongs to no call that could be answered. */
  const receive = (raw: unknown): void => {
    const message = toPage.safeParse(raw)
    if (message.success) handle(message.data)
  }

  const handle = (message: ToPage): void => {
    const call = pending.get(message.n)
    const subscription = subscriptions.get(message.n)
    switch (message.t) {
      case 'result': {
        if (!call) return
        pending.delete(message.n)
        const output = z.safeDecode(calls[call.name].output as z.ZodType, message.output)
        if (output.success) call.resolve(withPlainLabels(output.data, bodiesOf(call.name)))
        else call.reject(new ApiError('malformed', `The answer to ${call.name} does not fit its schema.`))
        return
      }
      case 'event': {
        if (!subscription) return
        const event = z.safeDecode(streams[subscription.name].event as z.ZodType, message.event)
        if (event.success) subscription.onEvent(withPlainLabels(event.data, bodiesOf(subscription.name)))
        else subscription.onError(new ApiError('malformed', `An event of ${subscription.name} does not fit its schema.`))
        return
      }
      case 'end':
        subscriptions.delete(message.n)
        return
      case 'error': {
        const { code } = message.error
        const error = new ApiError(isKnownCode(code) ? code : 'internal', plainLabel(message.error.message), {
          words: withPlainLabels(message.error.words, nobodies),
        })
        pending.delete(message.n)
        subscriptions.delete(message.n)
        if (call) call.reject(error)
        else subscription?.onError(error)
        return
      }
    }
  }

  const onStatus = (listener: (status: LinkStatus) => void): (() => void) => {
    listeners.add(listener)
    listener(status)
    return () => listeners.delete(listener)
  }

  connect()

  return {
    call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>> {
      return new Promise<unknown>((resolve, reject) => {
        const encoded = z.safeEncode(calls[name].input as z.ZodType, input)
        if (!encoded.success) {
          reject(new ApiError('malformed', `${name}: ${z.prettifyError(encoded.error)}`))
          return
        }
        if (status !== 'open' || !link) {
          reject(new ApiError('disconnected', 'There is no connection to the core.'))
          return
        }
        const n = nextNumber++
        pending.set(n, { name, resolve, reject })
        link.send({ t: 'call', n, name, input: encoded.data })
      }) as Promise<CallOutput<N>>
    },

    subscribe<N extends StreamName>(
      name: N,
      input: StreamInput<N>,
      onEvent: (event: StreamEvent<N>) => void,
      onError?: (error: ApiError) => void,
    ): () => void {
      const encoded = z.safeEncode(streams[name].input as z.ZodType, input)
      if (!encoded.success) {
        const error = new ApiError('malformed', `${name}: ${z.prettifyError(encoded.error)}`)
        queueMicrotask(() => onError?.(error))
        return () => undefined
      }
      const n = nextNumber++
      subscriptions.set(n, {
        name,
        input: encoded.data,
        onEvent: onEvent as (event: unknown) => void,
        onError: (error) => onError?.(error),
      })
      if (status === 'open') link?.send({ t: 'subscribe', n, name, input: encoded.data })
      return () => {
        if (subscriptions.delete(n) && status === 'open') link?.send({ t: 'unsubscribe', n })
      }
    },

    onStatus,
    onConnection: (listener) => {
      let last: boolean | null = null
      return onStatus((now) => {
        if (last === (now === 'open')) return
        last = now === 'open'
        listener(last)
      })
    },

    close() {
      closed = true
      stopTimer?.()
      link?.close()
      link = null
    },
  }
}
