import { describe, expect, it } from 'vitest'
import { calls, streams } from '../preload/api/contract.ts'
import { defaultLimits } from '../preload/api/limits.ts'
import type { ToPage } from '../preload/api/link.ts'
import { type Handlers, servePage } from './api-link.ts'
import { Failure } from './base/failure.ts'
import { createLogger, silentLogger } from './base/logger.ts'

/** Handlers that refuse everything but what a test overrides, so that no call can succeed by accident. */
function handlersWith(change: { calls?: Partial<Handlers['calls']>; streams?: Partial<Handlers['streams']> }): Handlers {
  const refuse = (): never => {
    throw new Failure('refused', 'Not part of this test.')
  }
  const all = <T>(table: object): T => Object.fromEntries(Object.keys(table).map((name) => [name, refuse])) as T
  return {
    calls: { ...all<Handlers['calls']>(calls), ...change.calls },
    streams: { ...all<Handlers['streams']>(streams), ...change.streams },
  }
}

function openLink(handlers: Handlers, logger = silentLogger) {
  const sent: ToPage[] = []
  let closedFor: string | undefined
  const page = servePage(
    { send: (message) => sent.push(message), drained: () => Promise.resolve(), close: (reason) => (closedFor = reason) },
    handlers,
    logger,
  )
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))
  return { page, sent, settle, closedFor: () => closedFor }
}

describe('the link between page and core', () => {
  it('encodes money as text and refuses a number in its place', async () => {
    const { page, sent, settle } = openLink(
      handlersWith({
        calls: {
          'earn.settle': async () => ({ ownerReceived: 127_500_000n }),
        },
      }),
    )
    page.receive({ t: 'call', n: 1, name: 'earn.settle', input: {} })
    await settle()
    expect(sent).toEqual([{ t: 'result', n: 1, output: { ownerReceived: '127500000' } }])
  })

  it.each([
    ['an unknown call', { t: 'call', n: 7, name: 'wallet.sendEverything', input: {} }, 'unknown-name'],
    ['a name inherited from Object', { t: 'call', n: 7, name: 'constructor', input: {} }, 'unknown-name'],
    ['a malformed input', { t: 'call', n: 7, name: 'chat.send', input: { id: '../x', text: 'a' } }, 'malformed'],
    ['an over-long text', { t: 'call', n: 7, name: 'chat.send', input: { id: 'a', text: 'a'.repeat(100_001) } }, 'malformed'],
    ['an unknown subscription', { t: 'subscribe', n: 7, name: 'secrets', input: {} }, 'unknown-name'],
    ['fields that the call does not have', { t: 'call', n: 7, name: 'earn.pause', input: { for: 'ever' } }, 'malformed'],
    ['settings that have calls of their own', { t: 'call', n: 7, name: 'settings.set', input: { model: 'nope' } }, 'malformed'],
    ['extra fields', { t: 'call', n: 7, name: 'earn.pause', input: {}, as: 'root' }, 'malformed'],
  ])('refuses %s with a typed error', async (_title, message, code) => {
    const { page, sent, settle } = openLink(handlersWith({}))
    page.receive(message)
    await settle()
    expect(sent).toHaveLength(1)
    expect(sent[0]).toMatchObject({ t: 'error', n: 7, error: { code } })
  })

  it('closes the link of a page whose messages have no number', () => {
    const { page, closedFor } = openLink(handlersWith({}))
    page.receive('hello')
    expect(closedFor()).toBe('malformed message')
  })

  it('tells a Failure by its sentence and hides what a defect says', async () => {
    const { page, sent, settle } = openLink(
      handlersWith({
        calls: {
          'earn.pause': async () => {
            throw new Failure('busy', 'A payout runs.', { advice: 'Try again in a minute.' })
          },
          'earn.resume': async () => {
            throw new TypeError('cannot read "my secret prompt"')
          },
        },
      }),
    )
    page.receive({ t: 'call', n: 1, name: 'earn.pause', input: {} })
    page.receive({ t: 'call', n: 2, name: 'earn.resume', input: {} })
    await settle()
    expect(sent[0]).toEqual({
      t: 'error',
      n: 1,
      error: { code: 'busy', message: 'A payout runs. Try again in a minute.', words: { code: 'busy' } },
    })
    // Nothing is known about what had happened before the defect, so nothing is claimed.
    expect(sent[1]).toEqual({
      t: 'error',
      n: 2,
      error: {
        code: 'internal',
        message: 'Something in the app itself failed. The log says where.',
        words: { code: 'internal' },
      },
    })
    expect(JSON.stringify(sent)).not.toContain('secret prompt')
  })

  it('logs of a defect where it is, and no line of its message', async () => {
    const lines: string[] = []
    const handlers = handlersWith({
      calls: {
        'earn.resume': async () => {
          throw new TypeError('cannot read this:\nmy secret prompt\n    at home\nits end')
        },
      },
    })
    const { page, settle } = openLink(
      handlers,
      createLogger((line) => lines.push(line)),
    )
    page.receive({ t: 'call', n: 1, name: 'earn.resume', input: {} })
    await settle()
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('api-link.test.ts:')
    expect(lines[0]).not.toMatch(/cannot read|secret|home|its end/)
  })

  it('ends a subscription when the page unsubscribes or goes away', async () => {
    const aborted: number[] = []
    const forever = (which: number) =>
      async function* (_input: object, signal: AbortSignal) {
        yield {
          theme: 'dark' as const,
          language: 'en' as const,
          model: null,
          earningPaused: false,
          openNetworkForbidden: false,
          limits: defaultLimits,
        }
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        aborted.push(which)
      }
    const { page, sent, settle } = openLink(handlersWith({ streams: { settings: forever(1) } }))
    page.receive({ t: 'subscribe', n: 1, name: 'settings', input: {} })
    page.receive({ t: 'subscribe', n: 2, name: 'settings', input: {} })
    await settle()
    expect(sent.filter((message) => message.t === 'event')).toHaveLength(2)
    page.receive({ t: 'unsubscribe', n: 1 })
    await settle()
    expect(aborted).toHaveLength(1)
    page.closed()
    await settle()
    expect(aborted).toHaveLength(2)
  })

  it('lets a stream go that gave something else than its schema says', async () => {
    let signal: AbortSignal | undefined
    const wrong = { theme: 'blue' } as unknown as {
      theme: 'dark'
      language: 'en'
      model: null
      earningPaused: false
      openNetworkForbidden: false
      limits: typeof defaultLimits
    }
    const { page, sent, settle } = openLink(
      handlersWith({
        streams: {
          settings: async function* (_input, given) {
            signal = given
            yield wrong
          },
        },
      }),
    )
    page.receive({ t: 'subscribe', n: 1, name: 'settings', input: {} })
    await settle()
    expect(sent).toMatchObject([{ t: 'error', n: 1, error: { code: 'internal' } }])
    expect(signal?.aborted).toBe(true)
  })

  it('refuses a second subscription under a number in use, and the first goes on', async () => {
    let aborted = false
    const { page, sent, settle } = openLink(
      handlersWith({
        streams: {
          settings: async function* (_input, signal) {
            yield {
              theme: 'dark',
              language: 'en',
              model: null,
              earningPaused: false,
              openNetworkForbidden: false,
              limits: defaultLimits,
            }
            await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
            aborted = true
          },
        },
      }),
    )
    page.receive({ t: 'subscribe', n: 1, name: 'settings', input: {} })
    page.receive({ t: 'subscribe', n: 1, name: 'settings', input: {} })
    await settle()
    expect(sent.map((message) => message.t).sort()).toEqual(['error', 'event'])
    expect(aborted).toBe(false)
  })
})
