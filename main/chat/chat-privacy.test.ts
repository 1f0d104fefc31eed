import { describe, expect, it } from 'vitest'
import type { PrivacyLevel } from '../../preload/api/chat.ts'
import { Signal } from '../base/signal.ts'
import { Privacy } from './privacy/privacy.ts'
import { SealKeeper } from './privacy/seal-keeper.ts'
import { ControlledBackend } from './testing/controlled-backend.ts'
import { ControlledChecker, row } from './testing/controlled-checker.ts'
import { openChat, Reader, settled, testKey } from './testing/open-chat.ts'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const code = (name: string): unknown => expect.objectContaining({ code: name })

/** Chats at levels whose checks the test ends. */
function open(levels: readonly PrivacyLevel[], settings = new Signal({ openNetworkForbidden: false })) {
  const backends = levels.map((level) => new ControlledBackend(level))
  const checkers = levels.map((level) => new ControlledChecker(level))
  const privacy = new Privacy({ keepers: checkers.map((checker) => new SealKeeper({ checker })), settings })
  const { chat } = openChat(backends, undefined, testKey, privacy)
  return {
    chat,
    privacy,
    backend: (level: string) => backends[levels.indexOf(level as PrivacyLevel)] ?? expect.fail(),
    checker: (level: string) => checkers[levels.indexOf(level as PrivacyLevel)] ?? expect.fail(),
    earn: async () => {
      await tick()
      for (const checker of checkers) for (const check of checker.checks) check.pass()
      await tick()
    },
  }
}

/** What the level got to read, without the app's own instructions. */
const read = ({ asked }: ControlledBackend): string[][] =>
  asked.map((messages) => messages.filter(({ role }) => role !== 'system').map(({ content }) => content))

describe('what a chat sends', () => {
  it('waits for the check: nothing is stored, told or sent before', async () => {
    const { chat, backend, checker } = open(['attested'])
    const { id } = chat.create({ level: 'attested' })
    const reader = new Reader(chat, id)
    const sent = chat.send({ id, text: 'hello' })
    await tick()
    expect([reader.turns, backend('attested').asked]).toEqual([[], []])
    await expect(chat.send({ id, text: 'twice' })).rejects.toThrow(code('busy'))
    checker('attested').checks[0]?.pass()
    expect(await sent).toMatchObject({ status: 'waiting', level: 'attested' })
    backend('attested').finish()
    await settled(reader)
    expect(read(backend('attested'))).toEqual([['hello']])
  })

  it('is nothing after a failed check, and the chat stays at its level', async () => {
    const { chat, backend, checker } = open(['attested', 'open', 'computer'])
    const { id } = chat.create({ level: 'attested' })
    const sent = chat.send({ id, text: 'hello' })
    sent.catch(() => undefined)
    await tick()
    checker('attested').checks[0]?.pass({ rows: [row('hardware', 'failed')], evidence: [] })
    await expect(sent).rejects.toMatchObject({ code: 'not-verified', message: 'hardware failed' })
    await expect(chat.send({ id, text: 'hello' })).rejects.toThrow(code('not-verified'))
    expect(chat.list.value[0]).toMatchObject({ level: 'attested', title: 'New chat' })
    for (const level of ['attested', 'open', 'computer']) expect(backend(level).asked).toEqual([])
  })

  it('is nothing when the connection goes between check and sending: the backend passes the gate itself', async () => {
    const { chat, backend, checker } = open(['attested'])
    await tick()
    checker('attested').checks[0]?.pass()
    await tick()
    const { id } = chat.create({ level: 'attested' })
    backend('attested').beforeAnswer = () => checker('attested').connection.set(null)
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'hello' })
    expect(await settled(reader)).toMatchObject({ status: 'failed', error: { code: 'not-ready' } })
    expect(backend('attested').asked).toEqual([])
  })

  it('is given up when the chat is moved or deleted while the check runs', async () => {
    const { chat, backend, checker } = open(['attested', 'computer'])
    const moved = chat.create({ level: 'attested' })
    const first = chat.send({ id: moved.id, text: 'hello' })
    first.catch(() => undefined)
    chat.setLevel({ id: moved.id, level: 'computer' })
    await expect(first).rejects.toMatchObject({ code: 'refused', words: { code: 'level-changed' } })
    const deleted = chat.create({ level: 'attested' })
    const second = chat.send({ id: deleted.id, text: 'hello' })
    second.catch(() => undefined)
    chat.delete({ id: deleted.id })
    await expect(second).rejects.toThrow(code('refused'))
    await tick()
    for (const check of checker('attested').checks) check.pass()
    await tick()
    expect([...backend('attested').asked, ...backend('computer').asked]).toEqual([])
  })
})

describe('a question that waits for its check', () => {
  it('is given up when the user wishes it; it can be sent afterwards', async () => {
    const { chat, backend, earn } = open(['attested'])
    const { id } = chat.create({ level: 'attested' })
    const sent = chat.send({ id, text: 'hello' })
    sent.catch(() => undefined)
    await tick()
    chat.giveUp({ id })
    await expect(sent).rejects.toMatchObject({ code: 'stopped', words: { code: 'send-given-up' } })
    await earn()
    expect(backend('attested').asked).toEqual([])
    // Nothing waits any more.
    expect(chat.giveUp({ id })).toEqual({})
    await chat.send({ id, text: 'again' })
    await tick()
    expect(read(backend('attested'))).toEqual([['again']])
    backend('attested').finish()
    await tick()
  })
})

describe('moving a chat to where more people could read', () => {
  async function withOneTurn(levels: Parameters<typeof open>[0]) {
    const opened = open(levels)
    await opened.earn()
    const { id } = opened.chat.create()
    const reader = new Reader(opened.chat, id)
    await opened.chat.send({ id, text: 'my words' })
    opened.backend('computer').text('an answer')
    opened.backend('computer').finish()
    await settled(reader)
    return { ...opened, id, reader }
  }

  it('asks what goes along; a new chat takes nothing, and the other keeps its level', async () => {
    const { chat, id, backend } = await withOneTurn(['computer', 'attested'])
    expect(() => chat.setLevel({ id, level: 'attested' })).toThrow(code('needs-choice'))
    expect(chat.list.value[0]).toMatchObject({ id, level: 'computer' })
    const made = chat.setLevel({ id, level: 'attested', along: 'new-chat' })
    expect(made.id).not.toBe(id)
    await chat.send({ id: made.id, text: 'second' })
    await tick()
    expect(read(backend('attested'))).toEqual([['second']])
    expect(chat.list.value.find((one) => one.id === id)).toMatchObject({ level: 'computer', widestLevel: 'computer' })
    backend('attested').finish()
    await tick()
  })

  it('sends them along where that was chosen', async () => {
    const { chat, id, reader, backend } = await withOneTurn(['computer', 'attested'])
    expect(chat.setLevel({ id, level: 'attested', along: 'send-along' })).toMatchObject({ id, level: 'attested' })
    await chat.send({ id, text: 'second' })
    await tick()
    expect(read(backend('attested'))).toEqual([['my words', 'an answer', 'second']])
    backend('attested').finish()
    await settled(reader)
    // Back is free, and what was at the wide level goes along to the narrow one.
    expect(chat.setLevel({ id, level: 'computer' })).toMatchObject({ level: 'computer', widestLevel: 'attested' })
  })

  it('needs consent for the Open network, for each chat anew, also when it is empty', async () => {
    const { chat, id, backend } = await withOneTurn(['computer', 'open'])
    expect(() => chat.create({ level: 'open' })).toThrow(code('needs-consent'))
    expect(() => chat.setLevel({ id, level: 'open' })).toThrow(code('needs-choice'))
    expect(() => chat.setLevel({ id, level: 'open', along: 'send-along' })).toThrow(code('needs-consent'))
    expect(() => chat.setLevel({ id, level: 'open', along: 'new-chat' })).toThrow(code('needs-consent'))
    expect(chat.list.value.map(({ level }) => level)).toEqual(['computer'])
    const made = chat.setLevel({ id, level: 'open', along: 'new-chat', understood: 'proxy-too' })
    await chat.send({ id: made.id, text: 'public' })
    await tick()
    expect(backend('open').asked).toHaveLength(1)
    expect(() => chat.setLevel({ id, level: 'open', along: 'send-along' })).toThrow(code('needs-consent'))
    backend('open').finish()
    await tick()
  })

  it('asks for consent again after a restart: it is nowhere on disk', async () => {
    const { chat, folder } = openChat([new ControlledBackend('open')])
    const { id } = chat.create({ level: 'open', understood: 'proxy-too' })
    await chat.close()
    const again = openChat([new ControlledBackend('open')], folder).chat
    expect(again.list.value[0]).toMatchObject({ id, level: 'open' })
    await expect(again.send({ id, text: 'hello' })).rejects.toThrow(code('needs-consent'))
    expect(again.setLevel({ id, level: 'open', understood: 'proxy-too' })).toMatchObject({ id })
    await again.send({ id, text: 'hello' })
  })

  it('is refused while the settings forbid the Open network, also to a chat that had consent', async () => {
    const settings = new Signal({ openNetworkForbidden: false })
    const { chat, earn, backend } = open(['open'], settings)
    await earn()
    const { id } = chat.create({ level: 'open', understood: 'proxy-too' })
    settings.set({ openNetworkForbidden: true })
    await expect(chat.send({ id, text: 'hello' })).rejects.toThrow(code('refused'))
    expect(() => chat.create({ level: 'open', understood: 'proxy-too' })).toThrow(code('refused'))
    // Allowed again, it is asked about again.
    settings.set({ openNetworkForbidden: false })
    await expect(chat.send({ id, text: 'hello' })).rejects.toThrow(code('needs-consent'))
    expect(backend('open').asked).toEqual([])
  })

  it('counts for the readers that were named: what the proxy’s owner could read too waits for a consent of its own', async () => {
    const { chat, privacy, backend, checker } = open(['open'])
    const { id } = chat.create({ level: 'open', understood: 'worker' })
    const check = async (sealed: 'passed' | 'not-checked'): Promise<void> => {
      await tick()
      const findings = { rows: [row('channel'), row('registry'), row('sealed', sealed)], evidence: [] }
      checker('open').checks.at(-1)?.pass(findings)
      await tick()
    }
    await check('passed')
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'sealed' })
    backend('open').finish()
    await settled(reader)
    privacy.keeper('open')?.checkAgain()
    const held = chat.send({ id, text: 'readable on the way' })
    held.catch(() => undefined)
    await check('not-checked')
    await expect(held).rejects.toMatchObject({ code: 'needs-consent', words: { code: 'needs-consent-proxy' } })
    expect(read(backend('open'))).toEqual([['sealed']])
    chat.setLevel({ id, level: 'open', understood: 'proxy-too' })
    await chat.send({ id, text: 'readable on the way' })
    await tick()
    expect(backend('open').asked).toHaveLength(2)
  })

  it('holds what looks like a secret, in the question and in what goes along, until it was seen', async () => {
    const key = '0f'.repeat(32)
    const { chat, id, backend } = await withOneTurn(['computer', 'open'])
    chat.setLevel({ id, level: 'open', along: 'send-along', understood: 'proxy-too' })
    await expect(chat.send({ id, text: `my key is ${key}` })).rejects.toThrow(code('looks-secret'))
    expect(backend('open').asked).toEqual([])
    await chat.send({ id, text: `my key is ${key}`, secretsSeen: true })
    await tick()
    expect(backend('open').asked).toHaveLength(1)
    backend('open').finish()
    await tick()
    // It was read there already: the next question is not held for it.
    await chat.send({ id, text: 'and now?' })
    await tick()
    expect(backend('open').asked).toHaveLength(2)
    backend('open').finish()
    await tick()
    const other = chat.create()
    const reader = new Reader(chat, other.id)
    await chat.send({ id: other.id, text: `my key is ${key}` })
    backend('computer').finish()
    await settled(reader)
    chat.setLevel({ id: other.id, level: 'open', along: 'send-along', understood: 'proxy-too' })
    await expect(chat.send({ id: other.id, text: 'harmless' })).rejects.toThrow(code('looks-secret'))
  })
})

describe('an engine of another program that answers at a level', () => {
  const key = '0f'.repeat(32)

  /** The engine of that name answers there now; this app's own without one. */
  function serve({ level, state }: ControlledBackend, host?: string): void {
    const engine = host === undefined ? {} : { engine: { name: host, host, isLoopback: true, isEncrypted: false } }
    state.set({ level, state: 'ready', model: 'test-model', ...engine })
  }

  function scene(levels: readonly PrivacyLevel[]) {
    const opened = open(levels)
    const { chat, backend } = opened
    const turn = async (id: string, level: string, text: string, secretsSeen?: true): Promise<void> => {
      const reader = new Reader(chat, id)
      await chat.send({ id, text, secretsSeen })
      await tick()
      backend(level).finish()
      await settled(reader)
      reader.close()
    }
    return { ...opened, turn }
  }

  it('gets nothing unasked that was written on this computer since it was asked', async () => {
    const { chat, backend, earn, turn } = scene(['computer', 'practice'])
    serve(backend('practice'), 'one')
    await earn()
    const { id } = chat.create({ level: 'practice' })
    await turn(id, 'practice', 'for that engine')
    // A look elsewhere changes nothing.
    chat.setLevel({ id, level: 'computer' })
    chat.setLevel({ id, level: 'practice' })
    chat.setLevel({ id, level: 'computer' })
    await turn(id, 'computer', 'between us')
    expect(() => chat.setLevel({ id, level: 'practice' })).toThrow(code('needs-choice'))
    expect(chat.list.value[0]).toMatchObject({ id, level: 'computer' })
    chat.setLevel({ id, level: 'practice', along: 'send-along' })
    await turn(id, 'practice', 'and now?')
    await turn(id, 'practice', 'and again?')
    expect(read(backend('practice')).map((texts) => texts.at(-1))).toEqual(['for that engine', 'and now?', 'and again?'])
  })

  it('gets nothing unasked that was written on this computer since the chat was moved to it at its own level', async () => {
    const { chat, backend, earn, turn } = scene(['computer', 'external', 'practice'])
    serve(backend('external'), 'one')
    serve(backend('practice'), 'one')
    await earn()
    const { id } = chat.create({ level: 'external' })
    chat.setLevel({ id, level: 'external' })
    await turn(id, 'external', 'for that engine')
    chat.setLevel({ id, level: 'computer' })
    await turn(id, 'computer', 'between us')
    expect(() => chat.setLevel({ id, level: 'practice' })).toThrow(code('needs-choice'))
  })

  it.each(['devices', 'attested'] as const)('is sent no secret of the level %s before it was seen', async (level) => {
    const { chat, backend, earn, turn } = scene([level, 'practice'])
    serve(backend('practice'), 'one')
    await earn()
    const { id } = chat.create({ level })
    await turn(id, level, `my key is ${key}`)
    chat.setLevel({ id, level: 'practice', along: 'send-along' })
    await expect(chat.send({ id, text: 'harmless' })).rejects.toThrow(code('looks-secret'))
    expect(backend('practice').asked).toEqual([])
    await turn(id, 'practice', 'harmless', true)
    expect(backend('practice').asked).toHaveLength(1)
  })

  it('gets no question that was judged for another one, before its check or after', async () => {
    const { chat, backend, checker, earn } = scene(['practice'])
    const { id } = chat.create({ level: 'practice' })
    const sent = chat.send({ id, text: `my key is ${key}` })
    sent.catch(() => undefined)
    await tick()
    serve(backend('practice'), 'one')
    checker('practice').checks[0]?.pass()
    await expect(sent).rejects.toMatchObject({ code: 'refused', words: { code: 'level-changed' } })
    await earn()
    await expect(chat.send({ id, text: `my key is ${key}` })).rejects.toThrow(code('looks-secret'))
    backend('practice').beforeAnswer = () => serve(backend('practice'), 'other')
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'for one' })
    expect(await settled(reader)).toMatchObject({ status: 'failed', error: { code: 'refused' } })
    expect(backend('practice').asked).toEqual([])
  })
})

describe('what the levels show', () => {
  it('is a seal for each, and why one cannot be used', async () => {
    const { chat, checker } = open(['computer'])
    expect(chat.levels.value.map(({ level, seal, state }) => `${level} ${state} ${seal.phase}`)).toEqual([
      'computer ready checking',
      'practice unavailable idle',
      'devices unavailable idle',
      'attested unavailable idle',
      'external unavailable idle',
      'open unavailable idle',
    ])
    expect(chat.levels.value[3]).toMatchObject({ reason: 'No attested network is configured.' })
    await tick()
    checker('computer').checks[0]?.pass()
    await tick()
    expect(chat.levels.value[0]?.seal).toMatchObject({ phase: 'earned', report: { connection: 'c1' } })
    expect(() => chat.create({ level: 'attested' })).toThrow(code('not-ready'))
    const { id } = chat.create()
    expect(() => chat.setLevel({ id, level: 'open', understood: 'proxy-too' })).toThrow(code('not-ready'))
    expect(chat.list.value.map(({ level }) => level)).toEqual(['computer'])
  })
})
