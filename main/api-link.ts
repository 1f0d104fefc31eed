import { z } from 'zod'
import {
  ApiError,
  type ApiErrorCode,
  type CallHandlers,
  type CallInput,
  type CallName,
  calls,
  type StreamHandlers,
  type StreamInput,
  type StreamName,
  streams,
} from '../preload/api/contract.ts'
import { type ToPage, toCore } from '../preload/api/link.ts'
import { placesOf } from './base/error-places.ts'
import { asError, Failure, sentences } from './base/failure.ts'
import type { Logger } from './base/logger.ts'

/** One page's connection to the core, whatever carries it (WebSocket, Electron IPC). */
export interface PageLink {
  send(message: ToPage): void
  /** Resolves when more may be sent; a page that does not read slows only its own streams. */
  drained(): Promise<void>
  /** Closes the link of a page that does not speak the protocol. */
  close(reason: string): void
}

export interface Handlers {
  readonly calls: CallHandlers
  readonly streams: StreamHandlers
}

/** More than any screen needs; a page that asks for more is broken or hostile. */
const maxOpen = 200

const isCall = (name: string): name is CallName => Object.hasOwn(calls, name)
const isStream = (name: string): name is StreamName => Object.hasOwn(streams, name)

/** zod infers a union over all names for a generic `N`; the table ties each name to its own schema, which the cast restates. */
function parseInput(schema: z.ZodType, name: string, input: unknown): unknown {
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new ApiError('malformed', `${name}: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

async function runCall<N extends CallName>(name: N, input: unknown, handlers: Handlers): Promise<unknown> {
  const output = await handlers.calls[name](parseInput(calls[name].input, name, input) as CallInput<N>)
  return z.encode(calls[name].output as z.ZodType, output)
}

function openStream<N extends StreamName>(
  name: N,
  input: unknown,
  handlers: Handlers,
  signal: AbortSignal,
): AsyncIterable<unknown> {
  return handlers.streams[name](parseInput(streams[name].input, name, input) as StreamInput<N>, signal)
}

const apiCodes: Record<string, ApiErrorCode> = {
  'not-found': 'not-found',
  'unknown-model': 'not-found',
  busy: 'busy',
  'not-ready': 'not-ready',
  'nothing-to-settle': 'nothing-to-settle',
  refused: 'refused',
  'not-verified': 'not-verified',
  'needs-choice': 'needs-choice',
  'needs-consent': 'needs-consent',
  'looks-secret': 'looks-secret',
}

/** Failures of the rooms keep their sentence; anything else is a defect whose text may hold contents, so only its kind is told. */
function toApiError(thrown: unknown, name: string, logger: Logger): ApiError {
  if (thrown instanceof ApiError) return thrown
  if (thrown instanceof Failure) {
    const sentence = sentences(...[thrown.message, thrown.money, thrown.advice].filter((part) => part !== undefined))
    return new ApiError(apiCodes[thrown.code] ?? 'refused', sentence, { cause: thrown, words: thrown.words })
  }
  const error = asError(thrown)
  logger.error('a call of the page failed by a defect', {
    name,
    kind: error.name,
    at: placesOf(error),
  })
  return new ApiError('internal', 'Something in the app itself failed. The log says where.', { words: { code: 'internal' } })
}

/**
 * Serves one page over one link. Nothing from the page reaches a handler before its schema accepted it.
 * @returns `receive` for each raw message of the page and `closed` for when the link is gone (ends every subscription).
 */
export function servePage(link: PageLink, handlers: Handlers, logger: Logger): { receive(raw: unknown): void; closed(): void } {
  const open = new Map<number, AbortController>()
  let running = 0

  const fail = (n: number, thrown: unknown, name: string): void => {
    const error = toApiError(thrown, name, logger)
    const { code, message, words } = error
    link.send({ t: 'error', n, error: { code, message, ...(words && { words }) } })
  }

  const call = async (n: number, name: string, input: unknown): Promise<void> => {
    if (!isCall(name)) throw new ApiError('unknown-name', `There is no call named ${JSON.stringify(name)}.`)
    if (running >= maxOpen) throw new ApiError('busy', 'Too many calls at once.')
    running++
    try {
      link.send({ t: 'result', n, output: await runCall(name, input, handlers) })
    } finally {
      running--
    }
  }

  const subscribe = async (n: number, name: string, input: unknown): Promise<void> => {
    if (!isStream(name)) throw new ApiError('unknown-name', `There is no subscription named ${JSON.stringify(name)}.`)
    if (open.has(n)) throw new ApiError('malformed', 'This subscription number is in use.')
    if (open.size >= maxOpen) throw new ApiError('busy', 'Too many subscriptions at once.')
    const control = new AbortController()
    open.set(n, control)
    try {
      const schema: z.ZodType = streams[name].event
      for await (const event of openStream(name, input, handlers, control.signal)) {
        if (control.signal.aborted) break
        link.send({ t: 'event', n, event: z.encode(schema, event) })
        await link.drained()
      }
      if (!control.signal.aborted) link.send({ t: 'end', n })
    } finally {
      // However it ended, an error of our own included: the stream lets go of what it holds.
      control.abort()
      open.delete(n)
    }
  }

  return {
    receive(raw) {
      const message = toCore.safeParse(raw)
      if (!message.success) {
        const n = z.object({ n: z.number().int().nonnegative() }).safeParse(raw)
        if (n.success) fail(n.data.n, new ApiError('malformed', 'The message does not fit the schema of the link.'), 'link')
        else link.close('malformed message')
        return
      }
      const { data } = message
      switch (data.t) {
        case 'call':
          call(data.n, data.name, data.input).catch((thrown) => fail(data.n, thrown, data.name))
          break
        case 'subscribe':
          subscribe(data.n, data.name, data.input).catch((thrown) => fail(data.n, thrown, data.name))
          break
        case 'unsubscribe':
          open.get(data.n)?.abort()
          break
      }
    },
    closed() {
      for (const control of open.values()) control.abort()
    },
  }
}
