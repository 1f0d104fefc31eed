import { describe, expect, it } from 'vitest'
import type { ToCore } from '../../../preload/api/link.ts'
import { createClient, type LinkStatus } from './client.ts'
import type { LinkEvents, OpenLink } from './link.ts'

/** A core in memory: each connection is kept, so that a test scripts what the core answers and when the link is lost. */
function fakeCore() {
  const connections: Array<{ events: LinkEvents; sent: ToCore[] }> = []
  const timers: Array<{ work: () => void; delayMs: number }> = []
  const openLink: OpenLink = (events) => {
    const connection = { events, sent: [] as ToCore[] }
    connections.push(connection)
    return { send: (message) => connection.sent.push(structuredClone(message)), close: () => undefined }
  }
  const client = createClient(openLink, {
    setTimer: (work, delayMs) => {
      const entry = { work, delayMs }
      timers.push(entry)
      return () => timers.splice(timers.indexOf(entry), 1)
    },
  })
  const last = () => {
    const connection = connections.at(-1)
    if (!connection) throw new Error('no connection')
    return connection
  }
  const runTimer = () => {
    const entry = timers.shift()
    if (!entry) throw new Error('no timer')
    entry.work()
    return entry.delayMs
  }
  return { client, connections, timers, last, runTimer }
}

const walletOn = (balance: string) => ({
  network: 'local',
  status: 'ready',
  user: { address: 'UQuser', balance },
  transactions: [],
})

describe('calls', () => {
  it('sends the encoded input under a number and resolves with the decoded output', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const settled = client.call('earn.settle', {})
    expect(last().sent).toEqual([{ t: 'call', n: 1, name: 'earn.settle', input: {} }])
    last().events.onMessage({ t: 'result', n: 1, output: { ownerReceived: '127500000' } })
    expect((await settled).ownerReceived).toBe(127_500_000n)
  })

  it('makes labels of all text but that of messages', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const sent = client.call('chat.send', { id: 'a', text: 'x' })
    const turn = { id: 't', level: 'computer', status: 'done', model: 'nice\u202Eledom', createdAtMs: 1 }
    const body = { question: 'q\u202E', answer: 'a\u200B' }
    last().events.onMessage({ t: 'result', n: 1, output: { ...turn, ...body } })
    expect(await sent).toMatchObject({ ...body, model: 'niceledom' })
    const titles: string[] = []
    client.subscribe('chat.list', {}, (chats) => titles.push(...chats.map(({ title }) => title)))
    const chat = { id: 'c', level: 'computer', widestLevel: 'computer', pinned: false, updatedAtMs: 1 }
    last().events.onMessage({ t: 'event', n: 2, event: [{ ...chat, title: 'a\u2067b' }] })
    expect(titles).toEqual(['ab'])
    const failing = client.call('earn.settle', {})
    last().events.onMessage({ t: 'error', n: 3, error: { code: 'refused', message: 'no\u202E' } })
    await expect(failing).rejects.toMatchObject({ message: 'no' })
  })

  it('refuses an input that does not fit before it is sent', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    await expect(client.call('chat.send', { id: 'a', text: '   ' })).rejects.toMatchObject({ code: 'malformed' })
    expect(last().sent).toEqual([])
  })

  it('passes a typed refusal on, and an unknown code as internal', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const first = client.call('earn.settle', {})
    const second = client.call('earn.settle', {})
    last().events.onMessage({ t: 'error', n: 1, error: { code: 'nothing-to-settle', message: 'Nothing yet.' } })
    last().events.onMessage({ t: 'error', n: 2, error: { code: 'surprise', message: 'What?' } })
    await expect(first).rejects.toMatchObject({ code: 'nothing-to-settle', message: 'Nothing yet.' })
    await expect(second).rejects.toMatchObject({ code: 'internal' })
  })

  it.each(['not-verified', 'needs-choice', 'needs-consent', 'looks-secret'])(
    'passes on %s, which a screen asks back for',
    async (code) => {
      const { client, last } = fakeCore()
      last().events.onOpen()
      const call = client.call('chat.send', { id: 'AAAA', text: 'hello' })
      last().events.onMessage({ t: 'error', n: 1, error: { code, message: 'Wait.' } })
      await expect(call).rejects.toMatchObject({ code })
    },
  )

  it('fails with disconnected while there is no link, and when the link goes during the call', async () => {
    const { client, last } = fakeCore()
    await expect(client.call('earn.pause', {})).rejects.toMatchObject({ code: 'disconnected' })
    last().events.onOpen()
    const running = client.call('earn.pause', {})
    last().events.onClose('lost')
    await expect(running).rejects.toMatchObject({ code: 'disconnected' })
  })

  it('refuses an output that does not fit the schema', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const running = client.call('chat.create', {})
    last().events.onMessage({ t: 'result', n: 1, output: { id: 'x', title: 7 } })
    await expect(running).rejects.toMatchObject({ code: 'malformed' })
  })

  it('survives messages that are no messages, and answers to nobody', async () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const running = client.call('earn.pause', {})
    for (const raw of [
      undefined,
      null,
      'text',
      7,
      [],
      {},
      { t: 'result' },
      { t: 'result', n: -1 },
      { t: 'result', n: 99, output: {} },
    ]) {
      last().events.onMessage(raw)
    }
    last().events.onMessage({ t: 'result', n: 1, output: {} })
    await expect(running).resolves.toEqual({})
  })
})

describe('subscriptions', () => {
  it('are made when the link opens, and decode amounts to bigints', () => {
    const { client, last } = fakeCore()
    const balances: Array<bigint | undefined> = []
    client.subscribe('wallet.state', {}, (wallet) => balances.push(wallet.user?.balance))
    expect(last().sent).toEqual([])
    last().events.onOpen()
    expect(last().sent).toEqual([{ t: 'subscribe', n: 1, name: 'wallet.state', input: {} }])
    last().events.onMessage({ t: 'event', n: 1, event: walletOn('99999999999999999999') })
    expect(balances).toEqual([99_999_999_999_999_999_999n])
  })

  it('come again after a reconnect, without those that ended meanwhile', () => {
    const { client, connections, last, runTimer } = fakeCore()
    last().events.onOpen()
    const seen: string[] = []
    client.subscribe('wallet.state', {}, (wallet) => seen.push(wallet.status))
    const stop = client.subscribe('network.state', {}, () => undefined)
    client.subscribe('chat.conversation', { id: 'gone' }, () => undefined)
    last().events.onMessage({ t: 'error', n: 3, error: { code: 'not-found', message: 'No such chat.' } })
    last().events.onClose('lost')
    stop()
    runTimer()
    expect(connections).toHaveLength(2)
    last().events.onOpen()
    expect(last().sent).toEqual([{ t: 'subscribe', n: 1, name: 'wallet.state', input: {} }])
    last().events.onMessage({ t: 'event', n: 1, event: walletOn('1') })
    expect(seen).toEqual(['ready'])
  })

  it('are ended on the link by the returned function, and hear nothing after it', () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    let heard = 0
    const stop = client.subscribe('wallet.state', {}, () => heard++)
    stop()
    stop()
    last().events.onMessage({ t: 'event', n: 1, event: walletOn('1') })
    expect(last().sent.filter(({ t }) => t === 'unsubscribe')).toEqual([{ t: 'unsubscribe', n: 1 }])
    expect(heard).toBe(0)
  })

  it('tell a typed refusal, and go on after an event that does not fit', () => {
    const { client, last } = fakeCore()
    last().events.onOpen()
    const errors: string[] = []
    const seen: string[] = []
    client.subscribe(
      'wallet.state',
      {},
      (wallet) => seen.push(wallet.status),
      (error) => errors.push(error.code),
    )
    last().events.onMessage({ t: 'event', n: 1, event: walletOn('not a number') })
    last().events.onMessage({ t: 'event', n: 1, event: walletOn('1') })
    expect(errors).toEqual(['malformed'])
    expect(seen).toEqual(['ready'])
  })
})

describe('the link', () => {
  it('is tried again with growing delays up to a limit, which start anew after a success', () => {
    const { last, runTimer } = fakeCore()
    const delays: number[] = []
    for (let round = 0; round < 7; round++) {
      last().events.onClose('lost')
      delays.push(runTimer())
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000])
    last().events.onOpen()
    last().events.onClose('lost')
    expect(runTimer()).toBe(250)
  })

  it('is not tried again once the core refused this page', () => {
    const { client, last, timers } = fakeCore()
    const states: LinkStatus[] = []
    client.onStatus((status) => states.push(status))
    last().events.onOpen()
    last().events.onClose('refused')
    expect(states).toEqual(['connecting', 'open', 'refused'])
    expect(timers).toEqual([])
  })

  it('tells whether it stands, at once and at each change only', () => {
    const { client, last, runTimer } = fakeCore()
    const states: boolean[] = []
    client.onConnection((connected) => states.push(connected))
    last().events.onOpen()
    last().events.onClose('lost')
    runTimer()
    last().events.onClose('lost')
    runTimer()
    last().events.onOpen()
    expect(states).toEqual([false, true, false, true])
  })

  it('ignores a dead connection that speaks late', () => {
    const { client, connections, last, runTimer } = fakeCore()
    last().events.onOpen()
    let heard = 0
    client.subscribe('wallet.state', {}, () => heard++)
    last().events.onClose('lost')
    runTimer()
    last().events.onOpen()
    connections[0]?.events.onMessage({ t: 'event', n: 1, event: walletOn('1') })
    connections[0]?.events.onClose('lost')
    expect(heard).toBe(0)
    expect(connections).toHaveLength(2)
  })
})
