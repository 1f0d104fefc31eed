import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { chatCalls, chatStreams, conversationEvent, type Turn } from '../../preload/api/chat.ts'
import type { Receipt } from '../../preload/api/receipt.ts'
import { Failure } from '../base/failure.ts'
import { instruction } from './context.ts'
import { ControlledBackend } from './testing/controlled-backend.ts'
import { openChat, Reader, settled } from './testing/open-chat.ts'

const hash = (digit: string): string => digit.repeat(64)
const receiptOf = (requestId: string, answeredAtMs = 1): Receipt => ({
  kind: 'cocoon-receipt',
  version: 1,
  requestId,
  requestSha256: hash('a'),
  responseSha256: hash('b'),
  model: 'm',
  answeredAtMs,
  tokens: { prompt: '1', cached: '0', completion: '1', reasoning: '0', total: '9' },
  pricePerToken: '1',
  cost: '9',
  totalAfter: '9',
  contract: { address: 'c', owner: 'o', proxy: 'p', proxyKey: hash('c'), params: '' },
  signed: null,
  attestation: 'none',
  chain: { network: 'local', root: 'r', rootVersion: 1, readAtMs: 1 },
  digest: hash('d'),
})
const streamed = (reader: Reader, text: string): Promise<void> =>
  expect.poll(() => reader.turns.at(-1)?.answer, { interval: 5 }).toBe(text)

describe('a turn', () => {
  it('lets the backend go when its last event has come', async () => {
    const backend = new ControlledBackend()
    let released = 0
    const answer = backend.answer.bind(backend)
    backend.answer = async function* (...asked) {
      try {
        yield* answer(...asked)
      } finally {
        released += 1
      }
    }
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'What is silk?' })
    backend.finish()
    expect((await settled(reader)).status).toBe('done')
    expect(released).toBe(1)
  })

  it('gets its receipt also when that comes while the next one is answered, and keeps those of answers that stood there before', async () => {
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    const ask = async (how: () => Promise<Turn>, receipt?: Promise<Receipt>): Promise<Turn> => {
      const turn = await how()
      backend.finish(receipt && { receipt })
      await settled(reader)
      return turn
    }
    const first = Promise.withResolvers<Receipt>()
    await ask(() => chat.send({ id, text: 'one' }), first.promise)
    const next = await chat.send({ id, text: 'two' })
    first.resolve(receiptOf(hash('1')))
    await expect.poll(() => reader.turns.map(({ receipt }) => receipt?.requestId)).toEqual([hash('1'), undefined])
    const late = Promise.withResolvers<Receipt>()
    backend.finish({ receipt: late.promise })
    await settled(reader)
    await new Promise((resolve) => setTimeout(resolve, 2))
    await ask(() => chat.retry({ id, turnId: next.id }), Promise.resolve(receiptOf(hash('3'))))
    await expect.poll(() => reader.turns.at(-1)?.receipt?.requestId).toBe(hash('3'))
    const kept = (): string[] => chat.receipts({ id, turnId: next.id }).map(({ requestId }) => requestId)
    late.resolve(receiptOf(hash('2')))
    await expect.poll(() => kept()).toEqual([hash('2'), hash('3')])
    // One that comes while the turn is being answered anew waits for the end of that.
    const running = Promise.withResolvers<Receipt>()
    await new Promise((resolve) => setTimeout(resolve, 2))
    await ask(() => chat.retry({ id, turnId: next.id }), running.promise)
    await new Promise((resolve) => setTimeout(resolve, 2))
    await chat.retry({ id, turnId: next.id })
    running.resolve(receiptOf(hash('4')))
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(kept()).toEqual([hash('2'), hash('3')])
    backend.finish({ receipt: Promise.resolve(receiptOf(hash('5'))) })
    await settled(reader)
    await expect.poll(() => kept()).toEqual(['2', '3', '4', '5'].map(hash))
    expect(reader.turns.at(-1)?.earlierReceipts?.map(({ requestId }) => requestId)).toEqual(['2', '3', '4'].map(hash))
    // One that comes only after that of a later answer stands before it.
    const latest = Promise.withResolvers<Receipt>()
    for (const made of [latest.promise, Promise.resolve(receiptOf(hash('7'), 3)), Promise.resolve(receiptOf(hash('8'), 4))]) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      await ask(() => chat.retry({ id, turnId: next.id }), made)
    }
    await expect.poll(() => kept()).toEqual(['2', '3', '4', '5', '7', '8'].map(hash))
    latest.resolve(receiptOf(hash('6'), 2))
    await expect.poll(() => kept()).toEqual(['2', '3', '4', '5', '6', '7', '8'].map(hash))
    expect(() => chat.receipts({ id, turnId: 'unknown' })).toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  it('tells how its question left, while it is answered and after, and of one that failed', async () => {
    const backend = new ControlledBackend('practice')
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    const left = { scheme: 'direct' as const, keyId: hash('1'), owner: `0:${hash('2')}`, attestation: 'none' as const }
    await chat.send({ id, text: 'one' })
    backend.seal({ ...left, deviations: [] })
    backend.text('a')
    await expect.poll(() => reader.turns.at(-1)).toMatchObject({ status: 'streaming', seal: left })
    const bill = { statedTokens: '99', workerTokens: '33', answerTokens: 3, expectedTokens: 3, toleratedTokens: 36 }
    backend.seal({ ...left, deviations: ['stated-above-worker'], bill })
    backend.finish()
    expect((await settled(reader)).seal).toEqual({ ...left, deviations: ['stated-above-worker'], bill })
    await chat.send({ id, text: 'two' })
    backend.seal({ scheme: 'none', reason: 'no-keys' })
    backend.fail(new Failure('no-worker', 'No worker.'))
    expect(await settled(reader)).toMatchObject({ status: 'failed', seal: { scheme: 'none', reason: 'no-keys' } })
    // Asked anew, it has not left yet.
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(await chat.retry({ id, turnId: reader.turns.at(-1)?.id ?? '' })).not.toHaveProperty('seal')
    backend.finish()
    await settled(reader)
    await chat.close()
    database.close()
    const stored = new Reader(openChat([new ControlledBackend('practice')], folder).chat, id)
    await expect.poll(() => stored.turns[0]?.seal).toMatchObject({ deviations: ['stated-above-worker'], bill })
  })

  it('that is sent twice with the id of its page is one turn, asked once', async () => {
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    const turnId = 'page-made-id-0001'
    const sent = { id, text: 'one', turnId }
    const [first, second] = await Promise.all([chat.send(sent), chat.send(sent)])
    expect([first.id, second.id]).toEqual([turnId, turnId])
    expect(await chat.send(sent)).toMatchObject({ id: turnId, status: 'waiting' })
    backend.finish()
    await settled(reader)
    expect(await chat.send(sent)).toMatchObject({ id: turnId, status: 'done' })
    expect(reader.turns).toHaveLength(1)
    expect(backend.asked).toHaveLength(1)
    // It takes the place of no other question, in this chat or in another.
    await expect(chat.send({ ...sent, text: 'two' })).rejects.toMatchObject({ code: 'refused' })
    const other = chat.create({ level: 'practice' })
    await expect(chat.send({ ...sent, id: other.id })).rejects.toMatchObject({ code: 'refused' })
    expect(reader.turns[0]?.question).toBe('one')
  })

  it('does without its receipt when that comes after the end of the app', async () => {
    const backend = new ControlledBackend('practice')
    const { chat, database } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    const { promise, resolve } = Promise.withResolvers<Receipt>()
    await chat.send({ id, text: 'q' })
    backend.finish({ receipt: promise })
    await settled(reader)
    await chat.close()
    database.close()
    const defects: unknown[] = []
    const note = (thrown: unknown): void => void defects.push(thrown)
    process.prependListener('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    resolve(receiptOf(hash('4')))
    await new Promise((done) => setTimeout(done, 10))
    expect(defects).toEqual([])
  })

  it('is told from waiting to done, in order, and kept over a restart', async () => {
    const backend = new ControlledBackend()
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const sent = await chat.send({ id, text: 'What is silk?' })
    expect(sent).toMatchObject({ status: 'waiting', level: 'computer', model: 'test-model', answer: '' })
    for (const word of ['Silk ', 'is ', 'a ', 'fibre.']) backend.text(word)
    backend.finish()
    const done = await settled(reader)
    expect(done).toMatchObject({
      id: sent.id,
      status: 'done',
      answer: 'Silk is a fibre.',
      usage: { promptTokens: 10, cachedTokens: 2, completionTokens: 5, reasoningTokens: 0 },
    })
    expect(done.firstTokenMs).toBeGreaterThanOrEqual(0)
    expect(done.tokensPerSecond).toBeGreaterThan(0)
    const statuses = reader.events.flatMap((event) => (event.type === 'turn' ? event.turn.status : []))
    expect(statuses).toEqual(['waiting', 'streaming', 'done'])
    const deltas = reader.events.flatMap((event) => (event.type === 'delta' ? event.text : []))
    expect(deltas.join('')).toBe('Silk is a fibre.')
    for (const event of reader.events) expect(() => z.encode(conversationEvent, event)).not.toThrow()

    await chat.close()
    database.close()
    const again = openChat([backend], folder)
    const later = new Reader(again.chat, id)
    expect((await settled(later)) satisfies Turn).toEqual(done)
    expect(again.chat.list.value).toMatchObject([{ id, title: 'What is silk?', level: 'computer', widestLevel: 'computer' }])
  })

  it('comes in steps of 30 ms, the first text at once', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'Count' })
    const startedAt = performance.now()
    for (let i = 0; i < 100; i++) {
      backend.text('x')
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    backend.finish()
    await settled(reader)
    const deltas = reader.events.filter((event) => event.type === 'delta')
    expect(deltas[0]).toMatchObject({ text: 'x' })
    expect(deltas.length).toBeLessThanOrEqual((performance.now() - startedAt) / 30 + 2)
    expect(deltas.length).toBeGreaterThan(3)
    expect(reader.turns[0]?.answer).toBe('x'.repeat(100))
  })

  it('is the same for a reader who joins at any moment', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const readers = [new Reader(chat, id)]
    await chat.send({ id, text: 'Long one' })
    let text = ''
    for (let i = 0; i < 60; i++) {
      backend.text(`${i} `)
      text += `${i} `
      // Some readers join between the arrival of a text and its step, some in the same tick.
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, i % 2 === 0 ? 0 : 7))
      readers.push(new Reader(chat, id))
    }
    backend.finish()
    for (const reader of readers) expect((await settled(reader)).answer).toBe(text)
    for (const reader of readers) {
      // Built from snapshot and deltas alone, without the last event that carries the whole answer.
      let own = ''
      for (const event of reader.events) {
        if (event.type === 'snapshot') own = event.conversation.turns[0]?.answer ?? ''
        if (event.type === 'delta') own += event.text
      }
      expect(own).toBe(text)
      expect(reader.events.slice(1).some((event) => event.type === 'snapshot')).toBe(false)
    }
  })

  it('runs alone in its chat, and next to those of others', async () => {
    const backends = [new ControlledBackend(), new ControlledBackend('practice')]
    const { chat } = openChat(backends)
    const a = chat.create()
    const b = chat.create({ level: 'practice' })
    await chat.send({ id: a.id, text: 'one' })
    await expect(chat.send({ id: a.id, text: 'two' })).rejects.toThrow(expect.objectContaining({ code: 'busy' }))
    await chat.send({ id: b.id, text: 'one' })
    await chat.close()
    await chat.send({ id: a.id, text: 'two' })
    await chat.close()
  })

  it('is not started where nothing can answer, and leaves no trace then', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    backend.state.set({ level: 'computer', state: 'starting', reason: 'Loading, 40%' })
    await expect(chat.send({ id, text: 'hello' })).rejects.toThrow(
      expect.objectContaining({ code: 'not-ready', message: 'Loading, 40%' }),
    )
    expect(() => chat.setLevel({ id, level: 'practice' })).toThrow(expect.objectContaining({ code: 'not-ready' }))
    expect(chat.export({ id }).markdown).not.toContain('hello')
    expect(backend.asked).toEqual([])
    await expect(chat.send({ id: 'nobody', text: 'hello' })).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
  })
})

describe('stop', () => {
  it('keeps what came and says that generation ended', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const { id: turnId } = await chat.send({ id, text: 'Tell' })
    backend.text('a part')
    await streamed(reader, 'a part')
    const stopped = await chat.stop({ id, turnId })
    expect(stopped).toMatchObject({ status: 'stopped', stop: 'ended', answer: 'a part', usage: { completionTokens: 5 } })
    expect(stopped).not.toHaveProperty('error')
    expect(await chat.stop({ id, turnId })).toEqual(stopped)
    await expect(chat.stop({ id, turnId: 'other' })).rejects.toMatchObject({ code: 'not-found' })
  })

  it('says hidden when the backend says so, or does not end in time', async () => {
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const first = await chat.send({ id, text: 'Tell' })
    backend.obedient = false
    await expect.poll(() => backend.asked).toHaveLength(1)
    backend.finish({ reason: 'cancelled', stop: 'hidden' })
    expect(await chat.stop({ id, turnId: first.id })).toMatchObject({ status: 'stopped', stop: 'hidden' })
    const second = await chat.send({ id, text: 'Tell' })
    await expect.poll(() => backend.asked).toHaveLength(2)
    expect(await chat.stop({ id, turnId: second.id })).toMatchObject({ status: 'stopped', stop: 'hidden' })
  })
})

describe('failures', () => {
  it('are told with their own words about money, and the turn can be answered again', async () => {
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    const { id: turnId } = await chat.send({ id, text: 'Tell' })
    backend.text('half an ')
    await streamed(reader, 'half an ')
    backend.fail(
      new Failure('engine-crashed', 'The engine crashed.', { money: 'You paid nothing.', advice: 'Try again.', retryable: true }),
    )
    expect(await settled(reader)).toMatchObject({
      status: 'failed',
      answer: 'half an ',
      error: { code: 'engine-crashed', message: 'The engine crashed. Try again.', money: 'You paid nothing.', retryable: true },
    })
    chat.setLevel({ id, level: 'practice' })
    expect(await chat.retry({ id, turnId })).toMatchObject({ id: turnId, status: 'waiting', answer: '', question: 'Tell' })
    await expect.poll(() => backend.asked).toHaveLength(2)
    backend.text('whole')
    backend.finish({ money: { adjustedTokens: 850, cost: 170_000_000n } })
    const done = await settled(reader)
    expect(done).toMatchObject({ status: 'done', answer: 'whole', usage: { adjustedTokens: 850, cost: 170_000_000n } })
    expect(done).not.toHaveProperty('error')
    expect(reader.turns).toHaveLength(1)
    // What was paid for an answer that is replaced stays told, however often it is asked for anew.
    for (const earlierCost of [170_000_000n, 340_000_000n]) {
      const asked = backend.asked.length
      expect(await chat.retry({ id, turnId })).toMatchObject({ earlierCost })
      await expect.poll(() => backend.asked).toHaveLength(asked + 1)
      backend.text('again')
      backend.finish({ money: { adjustedTokens: 850, cost: 170_000_000n } })
      expect(await settled(reader)).toMatchObject({ earlierCost, usage: { cost: 170_000_000n } })
    }
  })

  it('never carry the text of unexpected errors, which may quote the conversation', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'a secret' })
    await expect.poll(() => backend.asked).toHaveLength(1)
    backend.fail(new TypeError('cannot read "a secret"'))
    const failed = await settled(reader)
    expect(failed.error).toMatchObject({ code: 'internal', money: 'You paid nothing.', detail: 'TypeError' })
    expect(JSON.stringify(failed.error)).not.toContain('secret')
  })

  it.each([
    ['an answer without an end', (backend: ControlledBackend) => backend.cutOff(), 'answer-cut-off'],
    [
      'counts that cannot be',
      (backend: ControlledBackend) =>
        backend.finish({ usage: { promptTokens: -1, cachedTokens: 0, completionTokens: 0.5, reasoningTokens: 0 } }),
      'answer-malformed',
    ],
  ])('%s is one', async (_, act, code) => {
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'Tell' })
    await expect.poll(() => backend.asked).toHaveLength(1)
    act(backend)
    const failed = await settled(reader)
    expect(failed.error).toMatchObject({ code })
    expect(failed.error?.money).toContain('may still be charged')
    for (const event of reader.events) expect(() => z.encode(conversationEvent, event)).not.toThrow()
  })

  it('of retry: only the last turn, and not without a backend; the old answer stays then', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const ids: string[] = []
    for (const text of ['one', 'two']) {
      ids.push((await chat.send({ id, text })).id)
      await expect.poll(() => backend.asked).toHaveLength(ids.length)
      backend.text(`answer to ${text}`)
      backend.finish()
      await settled(reader)
    }
    await expect(chat.retry({ id, turnId: ids[0] ?? '' })).rejects.toThrow(expect.objectContaining({ code: 'refused' }))
    await expect(chat.retry({ id, turnId: 'other' })).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
    backend.state.set({ level: 'computer', state: 'unavailable', reason: 'No model.' })
    await expect(chat.retry({ id, turnId: ids[1] ?? '' })).rejects.toThrow(expect.objectContaining({ code: 'not-ready' }))
    expect(chat.export({ id }).markdown).toContain('answer to two')
  })
})

describe('context', () => {
  it('holds earlier turns that have an answer', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const ask = async (text: string, act: () => void): Promise<void> => {
      const before = backend.asked.length
      await chat.send({ id, text })
      await expect.poll(() => backend.asked.length).toBeGreaterThan(before)
      act()
      await settled(reader)
    }
    await ask('one', () => {
      backend.text('first')
      backend.finish()
    })
    await ask('two', () => backend.fail(new Failure('engine-crashed', 'x')))
    await ask('three', () => backend.finish())
    expect(backend.asked.at(-1)).toEqual([
      instruction,
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'first' },
      { role: 'user', content: 'three' },
    ])
  })

  it('loses its oldest turns when the model says that it is too long', async () => {
    const backend = new ControlledBackend()
    const { chat } = openChat([backend])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    for (let i = 1; i <= 5; i++) {
      const before = backend.asked.length
      if (i === 5) for (let n = 0; n < 2; n++) backend.refusals.push(new Failure('context-too-small', 'Too long.'))
      await chat.send({ id, text: `q${i}` })
      await expect.poll(() => backend.asked.length).toBe(before + (i === 5 ? 3 : 1))
      backend.text(`a${i}`)
      backend.finish()
      await settled(reader)
    }
    expect(
      backend.asked.slice(-3).map((messages) =>
        messages
          .slice(1)
          .map(({ content }) => content)
          .join(' '),
      ),
    ).toEqual(['q1 a1 q2 a2 q3 a3 q4 a4 q5', 'q3 a3 q4 a4 q5', 'q4 a4 q5'])
    // The page and the disk are told what the model did not get.
    expect(reader.turns.map(({ leftOut }) => leftOut)).toEqual([undefined, undefined, undefined, undefined, 3])
    expect(reader.turns.at(-1)).toMatchObject({ status: 'done', answer: 'a5' })
    const stored = new Reader(chat, id)
    await expect.poll(() => stored.turns.at(-1)?.leftOut).toBe(3)
    // What may be reserved for a question at once bounds the history too.
    backend.refusals.push(new Failure('above-credit', 'Too much.'))
    await chat.send({ id, text: 'q6' })
    await expect.poll(() => backend.asked.at(-1)?.length).toBe(2 + 2 * 2)
    backend.text('a6')
    backend.finish()
    expect(await settled(reader)).toMatchObject({ answer: 'a6', leftOut: 3 })
    // The question alone is too long: an honest failure, not a loop.
    for (let n = 0; n < 9; n++) backend.refusals.push(new Failure('context-too-small', 'Too long.'))
    await chat.send({ id, text: 'huge' })
    const failed = await settled(reader)
    expect(failed.error).toMatchObject({ code: 'context-too-small', words: { code: 'context-too-small' } })
    expect(failed.leftOut).toBeUndefined()
  })
})

describe('chats', () => {
  it('keep their level, remember the widest, and every turn its own', async () => {
    const computer = new ControlledBackend()
    const practice = new ControlledBackend('practice')
    const { chat } = openChat([practice, computer])
    expect(chat.levels.value.map(({ level }) => level)).toEqual([
      'computer',
      'practice',
      'devices',
      'attested',
      'external',
      'open',
    ])
    const { id } = chat.create()
    const reader = new Reader(chat, id)
    const ask = async (backend: ControlledBackend): Promise<void> => {
      const before = backend.asked.length
      await chat.send({ id, text: 'q' })
      await expect.poll(() => backend.asked.length).toBe(before + 1)
      backend.text('a')
      backend.finish()
      await settled(reader)
    }
    await ask(computer)
    expect(chat.setLevel({ id, level: 'practice' })).toMatchObject({ level: 'practice', widestLevel: 'computer' })
    practice.state.set({ level: 'practice', state: 'unavailable', reason: 'gone' })
    await expect(chat.send({ id, text: 'q' })).rejects.toThrow('gone')
    expect(chat.list.value[0]).toMatchObject({ level: 'practice', widestLevel: 'computer' })
    practice.state.set({ level: 'practice', state: 'ready' })
    await ask(practice)
    expect(chat.list.value[0]).toMatchObject({ level: 'practice', widestLevel: 'practice' })
    expect(chat.setLevel({ id, level: 'computer' })).toMatchObject({ level: 'computer', widestLevel: 'practice' })
    await ask(computer)
    expect(reader.turns.map(({ level }) => level)).toEqual(['computer', 'practice', 'computer'])
    expect(chat.export({ id }).markdown).toMatch(/On this computer[\s\S]*Practice network[\s\S]*On this computer/)
  })

  it('are as wide as the widest place that a question was ever sent to, also when it is asked again elsewhere', async () => {
    const computer = new ControlledBackend()
    const practice = new ControlledBackend('practice')
    const { chat } = openChat([practice, computer])
    const { id } = chat.create({ level: 'computer' })
    chat.setLevel({ id, level: 'practice' })
    const reader = new Reader(chat, id)
    const { id: turnId } = await chat.send({ id, text: 'q' })
    practice.finish()
    await settled(reader)
    chat.setLevel({ id, level: 'computer' })
    await chat.retry({ id, turnId })
    computer.finish()
    expect(await settled(reader)).toMatchObject({ level: 'computer', status: 'done' })
    expect(chat.list.value[0]).toMatchObject({ level: 'computer', widestLevel: 'practice' })
  })

  it('are listed pinned first, then newest; renamed; deleted with their readers told', async () => {
    const backend = new ControlledBackend()
    const { chat, database } = openChat([backend])
    const [a, b] = [chat.create(), chat.create()]
    chat.pin({ id: a.id, pinned: true })
    expect(chat.list.value.map(({ id }) => id)).toEqual([a.id, b.id])
    for (const event of [chat.list.value]) expect(() => z.encode(chatStreams['chat.list'].event, event)).not.toThrow()
    const seen: string[][] = []
    chat.list.onChange((list) => seen.push(list.map(({ title }) => title)))
    const reader = new Reader(chat, b.id)
    expect(() => z.encode(chatCalls['chat.rename'].output, chat.rename({ id: b.id, title: 'Mine' }))).not.toThrow()
    await chat.send({ id: b.id, text: 'A question that does not become the title' })
    await expect.poll(() => reader.title).toBe('Mine')
    chat.delete({ id: b.id })
    await expect.poll(() => reader.events.at(-1)).toEqual({ type: 'deleted' })
    await chat.close()
    expect(chat.list.value.map(({ id }) => id)).toEqual([a.id])
    expect(seen.at(-1)).toEqual(['New chat'])
    expect(database.prepare('SELECT count(*) AS n FROM turn').get()).toEqual({ n: 0 })
    expect(() => chat.conversation({ id: b.id }, new AbortController().signal)).toThrow('no such chat')
  })
})
