import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Conversation, Turn } from '../../preload/api/chat.ts'
import type { ChatService } from './chat-service.ts'
import { ControlledBackend } from './testing/controlled-backend.ts'
import { openChat, Reader, settled, temporaryFolder, testKey } from './testing/open-chat.ts'

async function ask(chat: ChatService, backend: ControlledBackend, id: string, text: string, answer: string): Promise<Turn> {
  const reader = new Reader(chat, id)
  await chat.send({ id, text })
  await expect.poll(() => backend.asked.at(-1)?.at(-1)?.content).toBe(text)
  backend.text(answer)
  backend.finish()
  return settled(reader)
}

async function snapshot(chat: ChatService, id: string): Promise<Conversation> {
  const control = new AbortController()
  for await (const event of chat.conversation({ id }, control.signal)) {
    control.abort()
    if (event.type === 'snapshot') return event.conversation
  }
  throw new Error('no snapshot')
}

/** All bytes of the data folder, of the database's -wal file too. */
const everyFile = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? readFileSync(join(entry.parentPath, entry.name)) : [],
    ),
  )

describe('on disk', () => {
  it('no word of a conversation can be found, running, ended or renamed', async () => {
    const backend = new ControlledBackend()
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create()
    const words = [
      'canary-question-7351',
      'canary-answer-7351',
      'canary-title-7351',
      'canary-draft-7351',
      'test-model',
      'computer',
    ]
    const check = (): void => {
      const bytes = everyFile(folder)
      expect(bytes.includes(id)).toBe(true)
      for (const word of words)
        for (const form of [
          Buffer.from(word),
          Buffer.from(word, 'utf16le'),
          Buffer.from(Buffer.from(word).toString('base64').slice(0, 16)),
        ])
          expect(bytes.includes(form), word).toBe(false)
    }
    await ask(chat, backend, id, 'canary-question-7351 with more words', 'canary-answer-7351')
    chat.rename({ id, title: 'canary-title-7351' })
    expect(readdirSync(folder)).toContain('chat.db-wal')
    check()
    await chat.send({ id, text: 'canary-question-7351 again' })
    await expect.poll(() => backend.asked).toHaveLength(2)
    backend.text('canary-draft-7351')
    await new Promise((resolve) => setTimeout(resolve, 50))
    check()
    await chat.close()
    database.close()
    check()
  })

  it('rows and columns cannot be swapped, moved, or changed by a bit', async () => {
    const backend = new ControlledBackend()
    const { chat, database } = openChat([backend])
    const a = chat.create()
    const b = chat.create()
    for (const n of [1, 2]) await ask(chat, backend, a.id, `question ${n}`, `answer ${n}`)
    await ask(chat, backend, b.id, 'question 3', 'answer 3')
    const damaged = async (id: string): Promise<number> =>
      (await snapshot(chat, id)).turns.filter((turn) => turn.error?.code === 'sealed-tampered' && turn.question === '').length
    const tamper = async (sql: string, ...expected: [number, number]): Promise<void> => {
      database.exec('SAVEPOINT whole')
      database.exec('PRAGMA defer_foreign_keys=ON')
      database.exec(sql)
      expect([await damaged(a.id), await damaged(b.id)], sql).toEqual(expected)
      database.exec('ROLLBACK TO whole; RELEASE whole')
    }
    const turn = (column: string, chatId: string, position = 1): string =>
      `(SELECT ${column} FROM turn WHERE conversation_id = '${chatId}' AND position = ${position})`
    await tamper('SELECT 1', 0, 0)
    await tamper(`UPDATE turn SET answer = ${turn('answer', a.id, 2)} WHERE position = 1 AND conversation_id = '${a.id}'`, 1, 0)
    await tamper('UPDATE turn SET answer = question, question = answer', 2, 1)
    await tamper(`UPDATE turn SET facts = ${turn('facts', b.id)}`, 2, 0)
    await tamper(`UPDATE turn SET position = position + 10 WHERE conversation_id = '${a.id}'`, 2, 0)
    await tamper(`UPDATE turn SET conversation_id = '${b.id}', position = 9 WHERE id = ${turn('id', a.id, 2)}`, 0, 1)
    await tamper(`UPDATE turn SET id = 'x' WHERE conversation_id = '${b.id}'`, 0, 1)
    for (const column of ['question', 'answer', 'facts']) {
      const bytes = database.prepare<{ v: Uint8Array }>(`SELECT ${turn(column, b.id)} AS v`).get()?.v ?? new Uint8Array()
      bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 4
      await tamper(`UPDATE turn SET ${column} = x'${Buffer.from(bytes).toString('hex')}' WHERE conversation_id = '${b.id}'`, 0, 1)
    }
  })

  it('a chat whose head was changed is listed as damaged, at the widest level', () => {
    const backend = new ControlledBackend()
    const { chat, database, folder } = openChat([backend, new ControlledBackend('practice')])
    const { id } = chat.create()
    const other = chat.create({ level: 'practice' })
    database.exec(`UPDATE conversation SET head = (SELECT head FROM conversation WHERE id = '${other.id}') WHERE id = '${id}'`)
    database.close()
    const again = openChat([backend], folder)
    expect(again.chat.list.value.find((found) => found.id === id)).toMatchObject({
      title: 'Chat with damaged data',
      level: 'computer',
      widestLevel: 'open',
    })
    expect(again.chat.list.value.find((found) => found.id === other.id)).toMatchObject({ title: 'New chat', level: 'practice' })
  })

  it('a key of another vault opens nothing', async () => {
    const backend = new ControlledBackend()
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create()
    await ask(chat, backend, id, 'a question', 'an answer')
    database.close()
    const other = openChat([backend], folder, new Uint8Array(32).fill(6))
    expect((await snapshot(other.chat, id)).turns).toMatchObject([{ question: '', answer: '', status: 'failed' }])
  })

  it('a deleted chat is gone from the files, sealed bytes and all', async () => {
    const backend = new ControlledBackend()
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create()
    await ask(chat, backend, id, 'a question', 'an answer')
    const sealed = Buffer.from(database.prepare<{ v: Uint8Array }>('SELECT answer AS v FROM turn').get()?.v ?? [])
    expect(everyFile(folder).includes(sealed)).toBe(true)
    chat.delete({ id })
    expect(everyFile(folder).includes(sealed)).toBe(false)
  })
})

describe('a full disk', () => {
  it('refuses a turn before anything is sent, and keeps what was there', async () => {
    const backend = new ControlledBackend()
    const { chat, database } = openChat([backend])
    const { id } = chat.create()
    await ask(chat, backend, id, 'fits', 'yes')
    const pages = Number(database.prepare<{ page_count: number }>('PRAGMA page_count').get()?.page_count)
    database.exec(`PRAGMA max_page_count=${pages}`)
    await expect(chat.send({ id, text: 'x'.repeat(50_000) })).rejects.toThrow(expect.objectContaining({ code: 'disk-full' }))
    expect(backend.asked).toHaveLength(1)
    expect((await snapshot(chat, id)).turns).toMatchObject([{ question: 'fits', answer: 'yes', status: 'done' }])
    database.exec('PRAGMA max_page_count=100000')
    expect(await ask(chat, backend, id, 'again', 'now')).toMatchObject({ status: 'done' })
  })

  it('while answering: the answer is shown with the truth, and saved once there is room', async () => {
    const backend = new ControlledBackend('practice')
    const { chat, database, folder } = openChat([backend])
    const { id } = chat.create({ level: 'practice' })
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'tell' })
    await expect.poll(() => backend.asked).toHaveLength(1)
    const pages = Number(database.prepare<{ page_count: number }>('PRAGMA page_count').get()?.page_count)
    database.exec(`PRAGMA max_page_count=${pages}`)
    const long = 'y'.repeat(60_000)
    backend.text(long)
    await expect.poll(() => reader.turns[0]?.answer).toBe(long)
    backend.finish({ money: { adjustedTokens: 850, cost: 170_000_000n } })
    expect(await settled(reader)).toMatchObject({
      status: 'failed',
      answer: long,
      error: { code: 'disk-full', money: 'You paid 0.17\u00a0TON.' },
    })
    expect((await snapshot(chat, id)).turns[0]?.answer).toBe(long)
    database.exec('PRAGMA max_page_count=100000')
    await ask(chat, backend, id, 'go on', 'yes')
    const paid = { status: 'done', answer: long, usage: { cost: 170_000_000n } }
    // What was told about the disk is not true any more.
    expect(reader.turns[0]).toMatchObject(paid)
    expect(reader.turns[0]?.error).toBeUndefined()
    database.close()
    const [kept] = (await snapshot(openChat([backend], folder).chat, id)).turns
    expect(kept).toMatchObject(paid)
    expect(kept?.error).toBeUndefined()
  })
})

describe('a crash', () => {
  it('leaves a failed turn with the text that had come', async () => {
    const folder = temporaryFolder()
    const script = join(folder, 'answering.mts')
    const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    writeFileSync(
      script,
      `import { writeSync } from 'node:fs'
import { silentLogger as logger } from ${at('../base/logger.ts')}
import { Signal } from ${at('../base/signal.ts')}
import { openDatabase } from ${at('../storage/database.ts')}
import { createSealer } from ${at('../storage/sealer.ts')}
import { ChatService } from ${at('./chat-service.ts')}
import { chatMigrations } from ${at('./chat-tables.ts')}
import { Privacy } from ${at('./privacy/privacy.ts')}
import { SealKeeper } from ${at('./privacy/seal-keeper.ts')}
const database = openDatabase(${JSON.stringify(join(folder, 'chat.db'))}, chatMigrations, { logger })
const backend = {
  level: 'practice',
  state: new Signal({ level: 'practice', state: 'ready', model: 'm' }),
  async *answer() {
    for (let n = 1; ; n++) {
      yield { type: 'text', text: n + ' ' }
      writeSync(1, n + '\\n')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  },
}
const rows = ['own-roles', 'channel', 'registry'].map((id) => ({ id, result: 'passed', by: 'here', statement: { text: id }, sentence: { text: id } }))
const checker = { level: 'practice', connection: new Signal('1'), check: async () => ({ rows, evidence: [] }) }
const privacy = new Privacy({ keepers: [new SealKeeper({ checker })] })
const chat = new ChatService({ database, sealer: createSealer(new Uint8Array(${JSON.stringify([...testKey])})), backends: [backend], privacy, logger })
const { id } = chat.create({ level: 'practice' })
await chat.send({ id, text: 'count' })
`,
    )
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    for await (const chunk of child.stdout) {
      told += String(chunk)
      if (told.split('\n').length > 200) child.kill('SIGKILL')
    }
    const last = Number(told.trim().split('\n').at(-1))
    expect(last).toBeGreaterThanOrEqual(200)
    const backend = new ControlledBackend('practice')
    const { chat } = openChat([backend], folder)
    const id = chat.list.value[0]?.id ?? ''
    const [turn] = (await snapshot(chat, id)).turns
    expect(turn).toMatchObject({
      status: 'failed',
      question: 'count',
      level: 'practice',
      error: { code: 'interrupted', retryable: true },
    })
    expect(turn?.error?.money).toContain('may still be charged')
    const kept = turn?.answer.trim().split(' ').map(Number) ?? []
    expect(kept).toEqual(kept.map((_, index) => index + 1))
    // Half a second of text may be lost: at most 50 numbers at 10 ms each, and some more on a busy machine.
    expect(kept.length).toBeGreaterThan(last - 100)
    await chat.retry({ id, turnId: turn?.id ?? '' })
    await chat.close()
  })
})
