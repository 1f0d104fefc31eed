import type { Conversation, ConversationEvent, ConversationSummary, Turn } from '../../preload/api/chat.ts'
import type { Receipt } from '../../preload/api/receipt.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { ChatStore, PlacedTurn, StoredChat } from './chat-store.ts'
import { ConversationQueue } from './conversation-queue.ts'
import type { LiveTurn } from './live-turn.ts'
import { notSaved } from './turn-errors.ts'
import { withEarlier } from './turn-receipts.ts'

export interface ChatBookOptions {
  readonly store: ChatStore
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now: () => number
}

/** The answer of a chat that is being given. */
export interface Running {
  readonly live: LiveTurn
  /** Resolves with the turn as it was kept. */
  readonly ended: Promise<Turn>
}

/** All chats: as they are stored, with what memory knows better, and told to those who read along. It sends nothing anywhere. */
export class ChatBook {
  readonly #store: ChatStore
  readonly #logger: Logger
  readonly #now: () => number
  readonly #chats: Map<string, StoredChat>
  readonly #running = new Map<string, Running>()
  readonly #readers = new Map<string, Set<ConversationQueue>>()
  /** Ended turns that could not be saved, by turn id: shown with that error, and saved as they were with the next change of their chat. */
  readonly #unsaved = new Map<string, { readonly shown: Turn; readonly placed: PlacedTurn }>()
  /** Receipts that came while their turn was being answered anew, by turn id. */
  readonly #late = new Map<string, Receipt[]>()
  readonly #list: Signal<ConversationSummary[]>

  constructor({ store, logger, now }: ChatBookOptions) {
    this.#store = store
    this.#logger = logger
    this.#now = now
    this.#chats = new Map(store.chats().map((chat) => [chat.id, chat]))
    this.#list = new Signal(this.#summaries())
  }

  /** Pinned first, then the newest. */
  get list(): Watchable<ConversationSummary[]> {
    return this.#list
  }

  /** @throws Failure `not-found` */
  chat(id: string): StoredChat {
    const chat = this.#chats.get(id)
    if (chat === undefined)
      throw new Failure('not-found', 'There is no such chat; it may have been deleted.', { values: { what: 'chat' } })
    return chat
  }

  /** Oldest first. */
  turns(chat: StoredChat): PlacedTurn[] {
    const live = this.#running.get(chat.id)?.live.turn
    return this.#store.turns(chat).map((placed) => {
      if (live?.id === placed.turn.id) return { ...placed, turn: live }
      const unsaved = this.#unsaved.get(placed.turn.id)
      return unsaved === undefined ? placed : { ...placed, turn: unsaved.shown }
    })
  }

  /** Whether there is a turn of that id in any chat. */
  hasTurn(id: string): boolean {
    return this.#store.hasTurn(id)
  }

  conversation(chat: StoredChat): Conversation {
    return { ...summaryOf(chat), turns: this.turns(chat).map(({ turn }) => turn) }
  }

  /** A snapshot with all text told so far, then what changes. @throws Failure `not-found`, at the call */
  events(chatId: string, signal: AbortSignal): AsyncIterable<ConversationEvent> {
    const chat = this.chat(chatId)
    // Text that waits for its step goes to the older readers now: the snapshot below holds it already.
    this.#running.get(chat.id)?.live.tell()
    const queue = new ConversationQueue()
    queue.push({ type: 'snapshot', conversation: this.conversation(chat) })
    if (signal.aborted) return queue.events(signal)
    const readers = this.#readers.get(chat.id) ?? new Set()
    this.#readers.set(chat.id, readers.add(queue))
    signal.addEventListener('abort', () => {
      readers.delete(queue)
      if (readers.size === 0 && this.#readers.get(chat.id) === readers) this.#readers.delete(chat.id)
    })
    return queue.events(signal)
  }

  tell(chatId: string, event: ConversationEvent): void {
    for (const queue of this.#readers.get(chatId) ?? []) queue.push(event)
  }

  running(chatId: string): Running | undefined {
    return this.#running.get(chatId)
  }

  allRunning(): Running[] {
    return [...this.#running.values()]
  }

  /** From now on until `end` the chat's last turn is as that answer has it. */
  setRunning(chatId: string, running: Running): void {
    this.#running.set(chatId, running)
  }

  save(chat: StoredChat): ConversationSummary {
    this.#store.saveChat(chat)
    this.#saveUnsaved(chat)
    return this.#show(chat)
  }

  remove(chatId: string): void {
    this.#store.deleteChat(chatId)
    this.#chats.delete(chatId)
    for (const { placed } of this.#unsavedOf(chatId)) this.#unsaved.delete(placed.turn.id)
    this.tell(chatId, { type: 'deleted' })
    this.#list.set(this.#summaries())
  }

  /** Keeps a turn that is about to be answered, with its chat. Throws a storage failure, and then nothing was changed. */
  begin(chat: StoredChat, placed: PlacedTurn): void {
    this.#store.saveTurn(chat, placed)
    this.#unsaved.delete(placed.turn.id)
    this.#saveUnsaved(chat)
    this.tell(chat.id, { type: 'turn', turn: placed.turn })
    this.#show(chat)
  }

  saveDraft(placed: PlacedTurn): void {
    if (!this.#chats.has(placed.chatId)) return
    try {
      this.#store.saveDraft(placed)
    } catch (thrown) {
      // The answer goes on; its end tries again and tells the user.
      this.#logger.warn('a draft could not be saved', { code: codeOf(thrown) })
    }
  }

  /** Saves first, tells then: a page never sees an end that is not on disk, unless the disk refused it. */
  end(ended: PlacedTurn): Turn {
    const placed = { ...ended, turn: this.#withLate(ended.turn) }
    this.#running.delete(placed.chatId)
    const chat = this.#chats.get(placed.chatId)
    if (chat === undefined) return placed.turn
    const next = { ...chat, updatedAtMs: this.#now() }
    let { turn } = placed
    try {
      this.#store.saveTurn(next, placed)
    } catch (thrown) {
      this.#logger.error('an answer could not be saved', { code: codeOf(thrown) })
      turn = turn.status === 'failed' ? turn : { ...turn, status: 'failed', error: notSaved(thrown, turn) }
      this.#unsaved.set(turn.id, { shown: turn, placed })
    }
    this.tell(placed.chatId, { type: 'turn', turn })
    this.#show(next)
    return turn
  }

  /** It comes after the turn's end, and is one of an earlier answer when the turn was asked anew meanwhile. */
  addReceipt(chatId: string, { id: turnId, createdAtMs }: Turn, receipt: Receipt): void {
    const chat = this.#chats.get(chatId)
    if (!chat || this.#unsaved.has(turnId)) return
    if (this.#running.get(chatId)?.live.turn.id === turnId) {
      this.#late.set(turnId, [...(this.#late.get(turnId) ?? []), receipt])
      return
    }
    try {
      const placed = this.turns(chat).find(({ turn }) => turn.id === turnId)
      if (placed === undefined) return
      const isOfThis = placed.turn.createdAtMs === createdAtMs
      if (isOfThis && placed.turn.usage === undefined) return
      const turn = isOfThis ? { ...placed.turn, receipt } : withEarlier(placed.turn, [receipt])
      this.#store.saveTurn(chat, { ...placed, turn })
      this.tell(chatId, { type: 'turn', turn })
    } catch (thrown) {
      this.#logger.warn('a receipt could not be saved', { code: codeOf(thrown) })
    }
  }

  #withLate(turn: Turn): Turn {
    const late = this.#late.get(turn.id)
    this.#late.delete(turn.id)
    return late === undefined ? turn : withEarlier(turn, late)
  }

  #unsavedOf(chatId: string): { readonly placed: PlacedTurn }[] {
    return [...this.#unsaved.values()].filter(({ placed }) => placed.chatId === chatId)
  }

  /** Once it is on disk, an answer is shown as what it was: its error told of the disk alone. */
  #saveUnsaved(chat: StoredChat): void {
    for (const { placed } of this.#unsavedOf(chat.id)) {
      try {
        this.#store.saveTurn(chat, placed)
        this.#unsaved.delete(placed.turn.id)
        this.tell(chat.id, { type: 'turn', turn: placed.turn })
      } catch (thrown) {
        this.#logger.warn('an answer still cannot be saved', { code: codeOf(thrown) })
      }
    }
  }

  /** Takes a stored chat over into the list and tells its readers. */
  #show(chat: StoredChat): ConversationSummary {
    this.#chats.set(chat.id, chat)
    const summary = summaryOf(chat)
    this.tell(chat.id, { type: 'summary', summary })
    this.#list.set(this.#summaries())
    return summary
  }

  #summaries(): ConversationSummary[] {
    const newestFirst = (a: StoredChat, b: StoredChat): number =>
      Number(b.pinned) - Number(a.pinned) || b.updatedAtMs - a.updatedAtMs || (a.id < b.id ? -1 : 1)
    return [...this.#chats.values()].sort(newestFirst).map(summaryOf)
  }
}

function summaryOf({ titledBy: _, engine: __, ...summary }: StoredChat): ConversationSummary {
  return summary
}

const codeOf = (thrown: unknown): string => (thrown instanceof Failure ? thrown.code : asError(thrown).name)
