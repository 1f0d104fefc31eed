import { randomBytes } from 'node:crypto'
import type {
  Along,
  Conversation,
  ConversationEvent,
  ConversationSummary,
  LevelView,
  PrivacyLevel,
  Turn,
} from '../../preload/api/chat.ts'
import { mostEarlierReceipts, type Receipt } from '../../preload/api/receipt.ts'
import { placesOf } from '../base/error-places.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Database } from '../storage/database.ts'
import type { Sealer } from '../storage/sealer.ts'
import type { ChatBackend } from './backend.ts'
import { type ChatStore, openChatStore, type PlacedTurn, type StoredChat } from './chat-store.ts'
import { ConversationQueue } from './conversation-queue.ts'
import { exportMarkdown } from './export-markdown.ts'
import { LiveTurn } from './live-turn.ts'
import { Places } from './places.ts'
import { isWider, widest } from './privacy/levels.ts'
import type { Privacy } from './privacy/privacy.ts'
import { needsChoice, resolveMove } from './privacy/widening.ts'
import { titleFrom } from './title.ts'
import { notSaved } from './turn-errors.ts'

export interface ChatOptions {
  /** Opened with `chatMigrations`. */
  readonly database: Database
  /** Under a key derived for chats alone. */
  readonly sealer: Sealer
  /** One for each level that turns can be answered at. */
  readonly backends: readonly ChatBackend[]
  /** Seals and consents; without the seal of its level nothing is sent. */
  readonly privacy: Privacy
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now?: () => number
}

interface Sending {
  readonly id: string
  readonly text: string
  readonly secretsSeen?: true | undefined
  readonly turnId?: string | undefined
}

/**
 * The chat calls and streams of preload/api/chat.ts. Calls throw `Failure` with `not-found`, `busy`, `not-ready`, `refused`,
 * or a storage failure (`disk-full`, …); what becomes of an answer is told by its turn. A chat's level changes by `setLevel` alone.
 */
export class ChatService {
  readonly #store: ChatStore
  readonly #places: Places
  readonly #privacy: Privacy
  readonly #logger: Logger
  readonly #now: () => number
  readonly #chats: Map<string, StoredChat>
  readonly #running = new Map<string, { live: LiveTurn; ended: Promise<Turn> }>()
  readonly #readers = new Map<string, Set<ConversationQueue>>()
  /** Ended turns that could not be saved, by turn id: shown with that error, and saved as they were with the next change of their chat. */
  readonly #unsaved = new Map<string, { readonly shown: Turn; readonly placed: PlacedTurn }>()
  /** Questions with ids of the page's that wait for their seal, by that id. */
  readonly #sending = new Map<string, { readonly input: Sending; readonly ended: Promise<Turn> }>()
  /** Receipts that came while their turn was being answered anew, by turn id. */
  readonly #late = new Map<string, Receipt[]>()
  readonly #list: Signal<ConversationSummary[]>

  constructor(options: ChatOptions) {
    this.#privacy = options.privacy
    this.#logger = options.logger
    this.#now = options.now ?? Date.now
    this.#store = openChatStore(options.database, options.sealer, options.logger)
    this.#chats = new Map(this.#store.chats().map((chat) => [chat.id, chat]))
    this.#list = new Signal(this.#summaries())
    this.#places = new Places(options.backends, options.privacy)
  }

  /** `chat.list`: pinned first, then the newest. */
  get list(): Watchable<ConversationSummary[]> {
    return this.#list
  }

  /** `chat.levels`: every level, narrowest first. */
  get levels(): Watchable<LevelView[]> {
    return this.#places.views
  }

  /** `chat.conversation`: a snapshot with all text told so far, then what changes. Throws `not-found` at the call. */
  conversation(input: { id: string }, signal: AbortSignal): AsyncIterable<ConversationEvent> {
    const chat = this.#chat(input.id)
    // Text that waits for its step goes to the older readers now: the snapshot below holds it already.
    this.#running.get(chat.id)?.live.tell()
    const queue = new ConversationQueue()
    queue.push({ type: 'snapshot', conversation: this.#conversation(chat) })
    if (signal.aborted) return queue.events(signal)
    const readers = this.#readers.get(chat.id) ?? new Set()
    this.#readers.set(chat.id, readers.add(queue))
    signal.addEventListener('abort', () => {
      readers.delete(queue)
      if (readers.size === 0 && this.#readers.get(chat.id) === readers) this.#readers.delete(chat.id)
    })
    return queue.events(signal)
  }

  create(input: { level?: PrivacyLevel | undefined; understood?: true | undefined } = {}): ConversationSummary {
    const level = input.level ?? 'computer'
    const id = newId()
    this.#places.require(level)
    this.#takeConsent(level, id, input.understood)
    this.#privacy.keeper(level)?.picked()
    const base = { id, title: 'New chat', titledBy: 'nobody', pinned: false } as const
    return this.#save({ ...base, level, widestLevel: level, updatedAtMs: this.#now() })
  }

  rename(input: { id: string; title: string }): ConversationSummary {
    return this.#save({ ...this.#chat(input.id), title: input.title, titledBy: 'user' })
  }

  pin(input: { id: string; pinned: boolean }): ConversationSummary {
    return this.#save({ ...this.#chat(input.id), pinned: input.pinned })
  }

  /** Counts from the next turn (ui.md §3.5). Throws `Failure` `needs-choice` or `needs-consent`; the chat is then as before. */
  setLevel(input: {
    id: string
    level: PrivacyLevel
    along?: Along | undefined
    understood?: true | undefined
  }): ConversationSummary {
    const { level, along, understood } = input
    const chat = this.#chat(input.id)
    this.#places.require(level)
    const messages = this.#turns(chat).length
    const move = resolveMove({
      from: chat.level,
      to: level,
      messages,
      along,
      toOtherEngine: this.#goesToOtherEngine(chat, level),
    })
    if (move === 'new-chat') return this.create({ level, understood })
    this.#takeConsent(level, chat.id, understood)
    // What waits to be sent was meant for the level of before.
    this.#places.giveUp(chat.id)
    this.#privacy.keeper(level)?.picked()
    const engine = this.#places.engine(level)
    return this.#save({ ...chat, level, ...(messages === 0 && { widestLevel: level }), ...(engine !== undefined && { engine }) })
  }

  /** Whether a question at that level would take messages along to an engine that the user did not choose to have read them. */
  #goesToOtherEngine(chat: StoredChat, level: PrivacyLevel): boolean {
    const engine = this.#places.engine(level)
    if (engine === undefined || engine === chat.engine) return false
    const turns = this.#turns(chat)
    // At the practice network an engine of another program comes in the place of this app's own.
    if (level === 'practice') return turns.length > 0
    return chat.engine === undefined ? turns.some(({ turn }) => isOfOther(turn, engine)) : turns.length > 0
  }

  #takeConsent(level: PrivacyLevel, chatId: string, understood: true | undefined): void {
    if (level !== 'open') return
    if (understood) this.#privacy.consent.give(chatId, this.#now())
    this.#privacy.consent.demand(level, chatId)
  }

  /** Ends a running answer too. */
  delete(input: { id: string }): Record<string, never> {
    const chat = this.#chat(input.id)
    this.#store.deleteChat(chat.id)
    this.#chats.delete(chat.id)
    for (const { placed } of this.#unsavedOf(chat.id)) this.#unsaved.delete(placed.turn.id)
    this.#running.get(chat.id)?.live.stop()
    this.#places.giveUp(chat.id)
    this.#privacy.consent.end(chat.id)
    this.#emit(chat.id, { type: 'deleted' })
    this.#list.set(this.#summaries())
    return {}
  }

  /**
   * Waits for the seal, adds a turn and starts to answer it; resolves with it as `waiting`. Before that nothing is stored or sent. With the id of a turn
   * that was sent before, it resolves with that turn, and nothing is asked again.
   */
  async send(input: Sending): Promise<Turn> {
    const { turnId } = input
    if (turnId === undefined) return this.#send(input)
    const before = this.#sentBefore(input, turnId)
    if (before !== undefined) return before
    const ended = this.#send(input)
    this.#sending.set(turnId, { input, ended })
    try {
      return await ended
    } finally {
      this.#sending.delete(turnId)
    }
  }

  /** Throws `refused` for the id of another question: it would take that one's place. */
  #sentBefore({ id, text }: Sending, turnId: string): Promise<Turn> | Turn | undefined {
    const sending = this.#sending.get(turnId)
    if (sending !== undefined && sending.input.id === id && sending.input.text === text) return sending.ended
    const stored = this.#turns(this.#chat(id)).find((placed) => placed.turn.id === turnId)?.turn
    if (stored !== undefined && stored.question === text) return stored
    if (sending !== undefined || this.#store.hasTurn(turnId)) throw new Failure('refused', 'Another question has this id.')
    return undefined
  }

  async #send(input: Sending): Promise<Turn> {
    const backend = await this.#sealed(input.id, input.text, input.secretsSeen)
    const chat = this.#idleChat(input.id)
    const earlier = this.#turns(chat)
    const turn = this.#waiting(input.turnId ?? newId(), input.text, backend)
    const title = chat.titledBy === 'nobody' ? { title: titleFrom(input.text), titledBy: 'question' as const } : {}
    const place = { chatId: chat.id, position: (earlier.at(-1)?.position ?? 0) + 1 }
    return this.#start({ ...chat, ...title }, place, turn, backend, earlier)
  }

  /** Answers the last turn again in its place, at the chat's present level and after its seal. */
  async retry(input: { id: string; turnId: string; secretsSeen?: true | undefined }): Promise<Turn> {
    const { question } = this.#lastQuestion(input).last.turn
    const backend = await this.#sealed(input.id, question, input.secretsSeen)
    const { chat, all, last } = this.#lastQuestion(input)
    const earlierCost = (last.turn.earlierCost ?? 0n) + (last.turn.usage?.cost ?? 0n)
    const earlierReceipts = receiptsOf(last.turn).slice(-mostEarlierReceipts)
    const turn = {
      ...this.#waiting(last.turn.id, last.turn.question, backend),
      ...(earlierCost > 0n && { earlierCost }),
      ...(earlierReceipts.length > 0 && { earlierReceipts }),
    }
    return this.#start(chat, { chatId: chat.id, position: last.position }, turn, backend, all.slice(0, -1))
  }

  #lastQuestion(input: { id: string; turnId: string }): { chat: StoredChat; all: PlacedTurn[]; last: PlacedTurn } {
    const chat = this.#idleChat(input.id)
    const all = this.#turns(chat)
    const last = all.at(-1)
    if (last === undefined || !all.some(({ turn }) => turn.id === input.turnId)) throw noTurn()
    if (last.turn.id !== input.turnId || last.turn.question === '')
      throw new Failure('refused', 'Only the last question of a chat can be answered again.', {
        words: { code: 'only-last-question' },
      })
    return { chat, all, last }
  }

  /** The way to a chat's level, once nothing speaks against sending this question, and what goes along with it, there. */
  async #sealed(id: string, question: string, secretsSeen: true | undefined): Promise<ChatBackend> {
    const chat = this.#idleChat(id)
    const { level } = chat
    const engine = this.#places.engine(level)
    if (this.#goesToOtherEngine(chat, level)) throw needsChoice()
    const unread = this.#turns(chat).filter(
      ({ turn }) => isWider(turn.level, level) || (engine !== undefined && turn.engine !== engine),
    )
    const texts = [question, ...unread.flatMap(({ turn }) => [turn.question, turn.answer])]
    return this.#places.sealed({ chatId: id, level, texts, secretsSeen: secretsSeen ?? false })
  }

  /** The user does not want to wait for the seal any more. */
  giveUp(input: { id: string }): Record<string, never> {
    this.#places.giveUp(
      this.#chat(input.id).id,
      new Failure('stopped', 'It was given up before anything was sent.', { words: { code: 'send-given-up' } }),
    )
    return {}
  }

  /** Resolves with the turn as it was kept; at once for a turn that has ended. */
  async stop(input: { id: string; turnId: string }): Promise<Turn> {
    const running = this.#running.get(this.#chat(input.id).id)
    if (running?.live.turn.id === input.turnId) {
      running.live.stop()
      return running.ended
    }
    const found = this.#turns(this.#chat(input.id)).find(({ turn }) => turn.id === input.turnId)
    if (found === undefined) throw noTurn()
    return found.turn
  }

  export(input: { id: string }): { fileName: string; markdown: string } {
    return exportMarkdown(this.#conversation(this.#chat(input.id)))
  }

  /** Ends running answers and waits up to 2 s for them; the rest are found as drafts at the next start. Close the database after it. */
  async close(): Promise<void> {
    this.#places.giveUpAll()
    const ended = [...this.#running.values()].map(({ live, ended }) => {
      live.stop()
      return ended
    })
    const waited = new AbortController()
    await Promise.race([Promise.allSettled(ended), pause(2_000, waited.signal)])
    waited.abort()
  }

  #waiting(id: string, question: string, backend: ChatBackend): Turn {
    const { model = '', engine } = backend.state.value
    const place = { level: backend.level, model, ...(engine && { engine: engine.host }) }
    return { id, question, answer: '', status: 'waiting', ...place, createdAtMs: this.#now() }
  }

  #start(
    chat: StoredChat,
    place: Omit<PlacedTurn, 'turn'>,
    turn: Turn,
    backend: ChatBackend,
    earlier: readonly PlacedTurn[],
  ): Turn {
    // What is told elsewhere in between was not meant for the one before.
    const saved = { ...chat, engine: turn.engine, widestLevel: widest(chat.widestLevel, turn.level), updatedAtMs: this.#now() }
    // Nothing is sent that was not stored first.
    this.#store.saveTurn(saved, { ...place, turn })
    this.#unsaved.delete(turn.id)
    this.#saveUnsaved(saved)
    const live = new LiveTurn(turn, {
      streaming: (streaming) => this.#emit(place.chatId, { type: 'turn', turn: streaming }),
      delta: (turnId, text) => this.#emit(place.chatId, { type: 'delta', turnId, text }),
      draft: (draft) => this.#saveDraft({ ...place, turn: draft }),
      defect: (error) => this.#logDefect(error),
    })
    this.#emit(chat.id, { type: 'turn', turn })
    this.#show(saved)
    const history = earlier.map((placed) => placed.turn)
    const ended = live.start(backend, history, this.#places.gate(turn, chat.id)).then(({ turn: end, receipt }) => {
      const kept = this.#end({ ...place, turn: end })
      receipt
        ?.then((made) => made && this.#addReceipt(place.chatId, turn, made))
        .catch((thrown: unknown) => this.#logDefect(thrown))
      return kept
    })
    this.#running.set(chat.id, { live, ended })
    return turn
  }

  /** Saves first, tells then: a page never sees an end that is not on disk, unless the disk refused it. */
  #end(ended: PlacedTurn): Turn {
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
    this.#emit(placed.chatId, { type: 'turn', turn })
    this.#show(next)
    return turn
  }

  /** It comes after the turn's end, and is one of an earlier answer when the turn was asked anew meanwhile. */
  #addReceipt(chatId: string, { id: turnId, createdAtMs }: Turn, receipt: Receipt): void {
    const chat = this.#chats.get(chatId)
    if (!chat || this.#unsaved.has(turnId)) return
    if (this.#running.get(chatId)?.live.turn.id === turnId) {
      this.#late.set(turnId, [...(this.#late.get(turnId) ?? []), receipt])
      return
    }
    try {
      const placed = this.#turns(chat).find(({ turn }) => turn.id === turnId)
      if (placed === undefined) return
      const isOfThis = placed.turn.createdAtMs === createdAtMs
      if (isOfThis && placed.turn.usage === undefined) return
      const turn = isOfThis ? { ...placed.turn, receipt } : withEarlier(placed.turn, [receipt])
      this.#store.saveTurn(chat, { ...placed, turn })
      this.#emit(chatId, { type: 'turn', turn })
    } catch (thrown) {
      this.#logger.warn('a receipt could not be saved', { code: codeOf(thrown) })
    }
  }

  #withLate(turn: Turn): Turn {
    const late = this.#late.get(turn.id)
    this.#late.delete(turn.id)
    return late === undefined ? turn : withEarlier(turn, late)
  }

  /** Of an answered turn and of the answers that stood there before, the oldest first. Throws `Failure` `not-found`. */
  receipts(input: { id: string; turnId: string }): Receipt[] {
    const found = this.#turns(this.#chat(input.id)).find(({ turn }) => turn.id === input.turnId)
    const receipts = found ? receiptsOf(found.turn) : []
    if (receipts.length === 0)
      throw new Failure('not-found', 'There is no receipt of this answer.', { words: { code: 'receipt-none' } })
    return receipts
  }

  #saveDraft(placed: PlacedTurn): void {
    if (!this.#chats.has(placed.chatId)) return
    try {
      this.#store.saveDraft(placed)
    } catch (thrown) {
      // The answer goes on; its end tries again and tells the user.
      this.#logger.warn('a draft could not be saved', { code: codeOf(thrown) })
    }
  }

  #save(chat: StoredChat): ConversationSummary {
    this.#store.saveChat(chat)
    this.#saveUnsaved(chat)
    return this.#show(chat)
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
        this.#emit(chat.id, { type: 'turn', turn: placed.turn })
      } catch (thrown) {
        this.#logger.warn('an answer still cannot be saved', { code: codeOf(thrown) })
      }
    }
  }

  /** Takes a stored chat over into the list and tells its readers. */
  #show(chat: StoredChat): ConversationSummary {
    this.#chats.set(chat.id, chat)
    const summary = summaryOf(chat)
    this.#emit(chat.id, { type: 'summary', summary })
    this.#list.set(this.#summaries())
    return summary
  }

  #summaries(): ConversationSummary[] {
    const newestFirst = (a: StoredChat, b: StoredChat): number =>
      Number(b.pinned) - Number(a.pinned) || b.updatedAtMs - a.updatedAtMs || (a.id < b.id ? -1 : 1)
    return [...this.#chats.values()].sort(newestFirst).map(summaryOf)
  }

  #conversation(chat: StoredChat): Conversation {
    return { ...summaryOf(chat), turns: this.#turns(chat).map(({ turn }) => turn) }
  }

  /** As stored, with what memory knows better. */
  #turns(chat: StoredChat): PlacedTurn[] {
    const live = this.#running.get(chat.id)?.live.turn
    return this.#store.turns(chat).map((placed) => {
      if (live?.id === placed.turn.id) return { ...placed, turn: live }
      const unsaved = this.#unsaved.get(placed.turn.id)
      return unsaved === undefined ? placed : { ...placed, turn: unsaved.shown }
    })
  }

  #chat(id: string): StoredChat {
    const chat = this.#chats.get(id)
    if (chat === undefined)
      throw new Failure('not-found', 'There is no such chat; it may have been deleted.', { values: { what: 'chat' } })
    return chat
  }

  #idleChat(id: string): StoredChat {
    const chat = this.#chat(id)
    if (this.#running.has(id) || this.#places.isWaiting(id))
      throw new Failure('busy', 'This chat is still being answered.', {
        advice: 'Wait for the answer, or stop it.',
        retryable: true,
      })
    return chat
  }

  #emit(chatId: string, event: ConversationEvent): void {
    for (const queue of this.#readers.get(chatId) ?? []) queue.push(event)
  }

  #logDefect(error: unknown): void {
    const defect = asError(error)
    this.#logger.error('a chat backend failed by a defect', { kind: defect.name, at: placesOf(defect) })
  }
}

/** The oldest first. */
const receiptsOf = ({ earlierReceipts = [], receipt }: Turn): Receipt[] => [...earlierReceipts, ...(receipt ? [receipt] : [])]

/** The newest receipts of earlier answers are kept. */
const withEarlier = (turn: Turn, late: readonly Receipt[]): Turn => ({
  ...turn,
  earlierReceipts: [...(turn.earlierReceipts ?? []), ...late].slice(-mostEarlierReceipts),
})

const newId = (): string => randomBytes(12).toString('base64url')
const noTurn = (): Failure => new Failure('not-found', 'There is no such turn in this chat.', { values: { what: 'turn' } })
const codeOf = (thrown: unknown): string => (thrown instanceof Failure ? thrown.code : asError(thrown).name)

const isOfOther = (turn: Turn, engine: string): boolean =>
  (turn.level === 'external' || turn.level === 'practice') && turn.engine !== engine

function summaryOf({ titledBy: _, engine: __, ...summary }: StoredChat): ConversationSummary {
  return summary
}
