import { z } from 'zod'
import { type ConversationSummary, conversationSummary, type Turn, turn as turnSchema } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Database } from '../storage/database.ts'
import type { SealedPlace, Sealer } from '../storage/sealer.ts'
import { damagedTurn, interrupted } from './turn-errors.ts'

/** A conversation without its turns. */
export interface StoredChat extends ConversationSummary {
  /** A title made from the first question gives way to nothing; one that the user wrote is never replaced. */
  readonly titledBy: 'nobody' | 'question' | 'user'
  /** Host of the engine of another program that the messages may go along to, once the user chose that. */
  readonly engine?: string | undefined
}

/** A turn and its place in its conversation. */
export interface PlacedTurn {
  readonly chatId: string
  readonly position: number
  readonly turn: Turn
}

/** Conversations on disk, sealed (chat-tables.ts). Every write is durable when it returns and throws `Failure` (`disk-full`, …). */
export interface ChatStore {
  chats(): StoredChat[]
  /** Oldest first. A turn whose seal does not open comes as a failed turn that says so. */
  turns(chat: StoredChat): PlacedTurn[]
  /** Whether there is a turn of that id in any chat. */
  hasTurn(id: string): boolean
  saveChat(chat: StoredChat): void
  deleteChat(id: string): void
  /** Adds or replaces a turn, together with its chat. */
  saveTurn(chat: StoredChat, placed: PlacedTurn): void
  /** Saves the text so far of a turn that is being answered. */
  saveDraft(placed: PlacedTurn): void
}

interface TurnRow {
  id: string
  conversation_id: string
  position: number
  question: Uint8Array
  answer: Uint8Array
  facts: Uint8Array
}

const headSchema = conversationSummary.omit({ id: true }).extend({
  titledBy: z.enum(['nobody', 'question', 'user']),
  engine: z.string().optional(),
})
const factsSchema = turnSchema.omit({ id: true, question: true, answer: true })

/** Answers that were running when the app ended are turned into failed turns that keep their text. */
export function openChatStore(database: Database, sealer: Sealer, logger: Logger): ChatStore {
  const upsertChat = database.prepare(
    'INSERT INTO conversation (id, head) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET head = excluded.head',
  )
  const upsertTurn = database.prepare(
    `INSERT INTO turn (id, conversation_id, position, running, question, answer, facts) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET running = excluded.running, question = excluded.question, answer = excluded.answer,
     facts = excluded.facts`,
  )
  const draft = database.prepare('UPDATE turn SET answer = ? WHERE id = ?')
  const selectChats = database.prepare<{ id: string; head: Uint8Array }>('SELECT id, head FROM conversation')
  const selectTurns = database.prepare<TurnRow>(
    'SELECT id, conversation_id, position, question, answer, facts FROM turn WHERE conversation_id = ? ORDER BY position',
  )
  const selectRunning = database.prepare<TurnRow>(
    'SELECT id, conversation_id, position, question, answer, facts FROM turn WHERE running = 1',
  )
  const selectTurn = database.prepare<{ id: string }>('SELECT id FROM turn WHERE id = ?')
  const removeChat = database.prepare('DELETE FROM conversation WHERE id = ?')

  const writeTurn = ({ chatId, position, turn }: PlacedTurn): void => {
    const { id, question, answer, ...facts } = turn
    const row = rowName(chatId, position, id)
    upsertTurn.run(
      id,
      chatId,
      position,
      isRunning(turn) ? 1 : 0,
      sealer.sealText(question, at(row, 'question')),
      sealer.sealText(answer, at(row, 'answer')),
      sealer.sealJson(z.encode(factsSchema, facts), at(row, 'facts')),
    )
  }
  const readTurn = (found: TurnRow): PlacedTurn => {
    const row = rowName(found.conversation_id, found.position, found.id)
    const turn = {
      ...z.decode(factsSchema, sealer.openJson(found.facts, at(row, 'facts')) as z.input<typeof factsSchema>),
      id: found.id,
      question: sealer.openText(found.question, at(row, 'question')),
      answer: sealer.openText(found.answer, at(row, 'answer')),
    }
    return { chatId: found.conversation_id, position: found.position, turn }
  }
  const writeChat = ({ id, ...head }: StoredChat): void => {
    upsertChat.run(id, sealer.sealJson(headSchema.parse(head), { table: 'conversation', row: id, column: 'head' }))
  }

  for (const found of selectRunning.all()) {
    try {
      const placed = readTurn(found)
      writeTurn({ ...placed, turn: { ...placed.turn, status: 'failed', error: interrupted(placed.turn.level) } })
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown
      logger.error('a draft could not be opened', { turn: found.id })
    }
  }

  return {
    chats: () =>
      selectChats.all().map(({ id, head }) => {
        try {
          return { ...headSchema.parse(sealer.openJson(head, { table: 'conversation', row: id, column: 'head' })), id }
        } catch (thrown) {
          if (!isDamage(thrown)) throw thrown
          logger.error('a chat could not be opened', { chat: id })
          return damagedChat(id)
        }
      }),
    turns: (chat) =>
      selectTurns.all(chat.id).map((found) => {
        try {
          return readTurn(found)
        } catch (thrown) {
          if (!isDamage(thrown)) throw thrown
          logger.error('a turn could not be opened', { turn: found.id })
          return { chatId: chat.id, position: found.position, turn: damagedTurn(found.id, chat) }
        }
      }),
    hasTurn: (id) => selectTurn.get(id) !== undefined,
    saveChat: writeChat,
    deleteChat: (id) => {
      removeChat.run(id)
      // Overwritten in the database by secure_delete; this takes the old pages out of the -wal file too.
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    },
    saveTurn: (chat, placed) =>
      database.transaction(() => {
        writeChat(chat)
        writeTurn(placed)
      }),
    saveDraft: ({ chatId, position, turn }) => {
      draft.run(sealer.sealText(turn.answer, at(rowName(chatId, position, turn.id), 'answer')), turn.id)
    },
  }
}

export function isRunning(turn: Turn): boolean {
  return turn.status === 'waiting' || turn.status === 'streaming'
}

const rowName = (chatId: string, position: number, turnId: string): string => `${chatId}/${position}/${turnId}`
const at = (row: string, column: string): SealedPlace => ({ table: 'turn', row, column })

function isDamage(thrown: unknown): boolean {
  return thrown instanceof z.ZodError || (thrown instanceof Failure && thrown.code === 'sealed-tampered')
}

/** Nothing of its head is known, so it counts as seen by the most readers, and its next turn goes to the fewest. */
function damagedChat(id: string): StoredChat {
  return {
    id,
    title: 'Chat with damaged data',
    titledBy: 'user',
    level: 'computer',
    widestLevel: 'open',
    pinned: false,
    updatedAtMs: 0,
  }
}
