import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import type { ConversationEvent, Turn } from '../../../preload/api/chat.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import { type Database, openDatabase } from '../../storage/database.ts'
import { createSealer } from '../../storage/sealer.ts'
import type { ChatBackend } from '../backend.ts'
import { ChatService } from '../chat-service.ts'
import { chatMigrations } from '../chat-tables.ts'
import { Privacy } from '../privacy/privacy.ts'
import { SealKeeper } from '../privacy/seal-keeper.ts'
import { goodFindings } from './controlled-checker.ts'

export const testKey = new Uint8Array(32).fill(5)

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface OpenChat {
  readonly chat: ChatService
  readonly database: Database
  readonly folder: string
  readonly path: string
}

/** Seals of these levels that every check earns at once. */
export function openPrivacy(backends: readonly ChatBackend[]): Privacy {
  const keepers = backends.map(
    ({ level }) =>
      new SealKeeper({ checker: { level, connection: new Signal(`${level} 1`), check: async () => goodFindings(level) } }),
  )
  const privacy = new Privacy({ keepers })
  onTestFinished(() => privacy.close())
  return privacy
}

/** A chat room over a real database; the same folder again is a restart. */
export function openChat(
  backends: readonly ChatBackend[],
  folder = temporaryFolder(),
  key = testKey,
  privacy = openPrivacy(backends),
): OpenChat {
  const path = join(folder, 'chat.db')
  const database = openDatabase(path, chatMigrations, { logger: silentLogger })
  onTestFinished(() => database.close())
  return {
    chat: new ChatService({ database, sealer: createSealer(key), backends, privacy, logger: silentLogger }),
    database,
    folder,
    path,
  }
}

/** Reads a conversation as a page does: applies every event to what it has. */
export class Reader {
  readonly events: ConversationEvent[] = []
  turns: Turn[] = []
  title = ''
  readonly #control = new AbortController()

  constructor(chat: ChatService, id: string) {
    onTestFinished(() => this.#control.abort())
    void this.#read(chat.conversation({ id }, this.#control.signal))
  }

  close(): void {
    this.#control.abort()
  }

  async #read(events: AsyncIterable<ConversationEvent>): Promise<void> {
    for await (const event of events) {
      this.events.push(event)
      this.#apply(event)
    }
  }

  #apply(event: ConversationEvent): void {
    if (event.type === 'snapshot') this.turns = event.conversation.turns
    if (event.type === 'snapshot') this.title = event.conversation.title
    if (event.type === 'summary') this.title = event.summary.title
    if (event.type === 'delta')
      this.turns = this.turns.map((turn) => (turn.id === event.turnId ? { ...turn, answer: turn.answer + event.text } : turn))
    if (event.type !== 'turn') return
    const known = this.turns.some(({ id }) => id === event.turn.id)
    this.turns = known ? this.turns.map((turn) => (turn.id === event.turn.id ? event.turn : turn)) : [...this.turns, event.turn]
  }
}

/** The last turn, once it has ended. */
export async function settled(reader: Reader): Promise<Turn> {
  // Lets the reader take what was pushed in this tick, e.g. the turn that was just sent.
  await new Promise((resolve) => setImmediate(resolve))
  return vi.waitFor(
    () => {
      const last = reader.turns.at(-1)
      if (last === undefined || last.status === 'waiting' || last.status === 'streaming') throw new Error('still running')
      return last
    },
    { timeout: 100_000, interval: 5 },
  )
}
