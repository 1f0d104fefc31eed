import { randomBytes } from 'node:crypto'
import type { Along, ConversationEvent, ConversationSummary, LevelView, PrivacyLevel, Turn } from '../../preload/api/chat.ts'
import type { OpenReaders } from '../../preload/api/privacy.ts'
import { mostEarlierReceipts, type Receipt } from '../../preload/api/receipt.ts'
import { placesOf } from '../base/error-places.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import type { Watchable } from '../base/signal.ts'
import type { Database } from '../storage/database.ts'
import type { Sealer } from '../storage/sealer.ts'
import type { ChatBackend } from './backend.ts'
import { ChatBook } from './chat-book.ts'
import { openChatStore, type PlacedTurn, type StoredChat } from './chat-store.ts'
import { exportMarkdown } from './export-markdown.ts'
import { LiveTurn } from './live-turn.ts'
import { Places } from './places.ts'
import { isWider, widest } from './privacy/levels.ts'
import type { Privacy } from './privacy/privacy.ts'
import { needsChoice, resolveMove } from './privacy/widening.ts'
import { titleFrom } from './title.ts'
import { receiptsOf } from './turn-receipts.ts'

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
  readonly #book: ChatBook
  readonly #places: Places
  readonly #privacy: Privacy
  readonly #logger: Logger
  readonly #now: () => number
  /** Questions with ids of the page's that wait for their seal, by that id. */
  readonly #sending = new Map<string, { readonly input: Sending; readonly ended: Promise<Turn> }>()

  constructor(options: ChatOptions) {
    this.#privacy = options.privacy
    this.#logger = options.logger
    this.#now = options.now ?? Date.now
    const store = openChatStore(options.database, options.sealer, options.logger)
    this.#book = new ChatBook({ store, logger: options.logger, now: this.#now })
    this.#places = new Places(options.backends, options.privacy)
  }

  /** `chat.list`: pinned first, then the newest. */
  get list(): Watchable<ConversationSummary[]> {
    return this.#book.list
  }

  /** `chat.levels`: every level, narrowest first. */
  get levels(): Watchable<LevelView[]> {
    return this.#places.views
  }

  /** `chat.conversation`: a snapshot with all text told so far, then what changes. Throws `not-found` at the call. */
  conversation(input: { id: string }, signal: AbortSignal): AsyncIterable<ConversationEvent> {
    return this.#book.events(input.id, signal)
  }

  create(input: { level?: PrivacyLevel | undefined; understood?: OpenReaders | undefined } = {}): ConversationSummary {
    const level = input.level ?? 'computer'
    const id = newId()
    this.#places.require(level)
    this.#takeConsent(level, id, input.understood)
    this.#privacy.keeper(level)?.picked()
    const base = { id, title: 'New chat', titledBy: 'nobody', pinned: false } as const
    return this.#book.save({ ...base, level, widestLevel: level, updatedAtMs: this.#now() })
  }

  rename(input: { id: string; title: string }): ConversationSummary {
    return this.#book.save({ ...this.#book.chat(input.id), title: input.title, titledBy: 'user' })
  }

  pin(input: { id: string; pinned: boolean }): ConversationSummary {
    return this.#book.save({ ...this.#book.chat(input.id), pinned: input.pinned })
  }

  /** Counts from the next turn (ui.md §3.5). Throws `Failure` `needs-choice` or `needs-consent`; the chat is then as before. */
  setLevel(input: {
    id: string
    level: PrivacyLevel
    along?: Along | undefined
    understood?: OpenReaders | undefined
  }): ConversationSummary {
    const { level, along, understood } = input
    const chat = this.#book.chat(input.id)
    this.#places.require(level)
    const messages = this.#book.turns(chat).length
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
    return this.#book.save({
      ...chat,
      level,
      ...(messages === 0 && { widestLevel: level }),
      ...(engine !== undefined && { engine }),
    })
  }

  /** Whether a question at that level would take messages along to an engine that the user did not choose to have read them. */
  #goesToOtherEngine(chat: StoredChat, level: PrivacyLevel): boolean {
    const engine = this.#places.engine(level)
    if (engine === undefined || engine === chat.engine) return false
    const turns = this.#book.turns(chat)
    // At the practice network an engine of another program comes in the place of this app's own.
    if (level === 'practice') return turns.length > 0
    return chat.engine === undefined ? turns.some(({ turn }) => isOfOther(turn, engine)) : turns.length > 0
  }

  #takeConsent(level: PrivacyLevel, chatId: string, understood: OpenReaders | undefined): void {
    if (level !== 'open') return
    if (understood) this.#privacy.consent.give(chatId, understood)
    this.#privacy.consent.demand(level, chatId)
  }

  /** Ends a running answer too. */
  delete(input: { id: string }): Record<string, never> {
    const chat = this.#book.chat(input.id)
    const running = this.#book.running(chat.id)
    this.#book.remove(chat.id)
    running?.live.stop()
    this.#places.giveUp(chat.id)
    this.#privacy.consent.end(chat.id)
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
    const stored = this.#book.turns(this.#book.chat(id)).find((placed) => placed.turn.id === turnId)?.turn
    if (stored !== undefined && stored.question === text) return stored
    if (sending !== undefined || this.#book.hasTurn(turnId)) throw new Failure('refused', 'Another question has this id.')
    return undefined
  }

  async #send(input: Sending): Promise<Turn> {
    const backend = await this.#sealed(input.id, input.text, input.secretsSeen)
    const chat = this.#idleChat(input.id)
    const earlier = this.#book.turns(chat)
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
    const all = this.#book.turns(chat)
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
    const unread = this.#book
      .turns(chat)
      .filter(({ turn }) => isWider(turn.level, level) || (engine !== undefined && turn.engine !== engine))
    const texts = [question, ...unread.flatMap(({ turn }) => [turn.question, turn.answer])]
    return this.#places.sealed({ chatId: id, level, texts, secretsSeen: secretsSeen ?? false })
  }

  /** The user does not want to wait for the seal any more. */
  giveUp(input: { id: string }): Record<string, never> {
    this.#places.giveUp(
      this.#book.chat(input.id).id,
      new Failure('stopped', 'It was given up before anything was sent.', { words: { code: 'send-given-up' } }),
    )
    return {}
  }

  /** Resolves with the turn as it was kept; at once for a turn that has ended. */
  async stop(input: { id: string; turnId: string }): Promise<Turn> {
    const running = this.#book.running(this.#book.chat(input.id).id)
    if (running?.live.turn.id === input.turnId) {
      running.live.stop()
      return running.ended
    }
    const found = this.#book.turns(this.#book.chat(input.id)).find(({ turn }) => turn.id === input.turnId)
    if (found === undefined) throw noTurn()
    return found.turn
  }

  /** Of an answered turn and of the answers that stood there before, the oldest first. Throws `Failure` `not-found`. */
  receipts(input: { id: string; turnId: string }): Receipt[] {
    const found = this.#book.turns(this.#book.chat(input.id)).find(({ turn }) => turn.id === input.turnId)
    const receipts = found ? receiptsOf(found.turn) : []
    if (receipts.length === 0)
      throw new Failure('not-found', 'There is no receipt of this answer.', { words: { code: 'receipt-none' } })
    return receipts
  }

  export(input: { id: string }): { fileName: string; markdown: string } {
    return exportMarkdown(this.#book.conversation(this.#book.chat(input.id)))
  }

  /** Ends running answers and waits up to 2 s for them; the rest are found as drafts at the next start. Close the database after it. */
  async close(): Promise<void> {
    this.#places.giveUpAll()
    const ended = this.#book.allRunning().map(({ live, ended }) => {
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
    this.#book.begin(saved, { ...place, turn })
    const live = new LiveTurn(turn, {
      streaming: (streaming) => this.#book.tell(chat.id, { type: 'turn', turn: streaming }),
      delta: (turnId, text) => this.#book.tell(chat.id, { type: 'delta', turnId, text }),
      draft: (draft) => this.#book.saveDraft({ ...place, turn: draft }),
      defect: (error) => this.#logDefect(error),
    })
    const history = earlier.map((placed) => placed.turn)
    const way = { backend, gate: this.#places.gate(turn, chat.id), conversation: chat.id }
    const ended = live.start(way, history).then(({ turn: end, receipt }) => {
      const kept = this.#book.end({ ...place, turn: end })
      receipt
        ?.then((made) => made && this.#book.addReceipt(chat.id, turn, made))
        .catch((thrown: unknown) => this.#logDefect(thrown))
      return kept
    })
    this.#book.setRunning(chat.id, { live, ended })
    return turn
  }

  #idleChat(id: string): StoredChat {
    const chat = this.#book.chat(id)
    if (this.#book.running(id) !== undefined || this.#places.isWaiting(id))
      throw new Failure('busy', 'This chat is still being answered.', {
        advice: 'Wait for the answer, or stop it.',
        retryable: true,
      })
    return chat
  }

  #logDefect(error: unknown): void {
    const defect = asError(error)
    this.#logger.error('a chat backend failed by a defect', { kind: defect.name, at: placesOf(defect) })
  }
}

const newId = (): string => randomBytes(12).toString('base64url')
const noTurn = (): Failure => new Failure('not-found', 'There is no such turn in this chat.', { values: { what: 'turn' } })

const isOfOther = (turn: Turn, engine: string): boolean =>
  (turn.level === 'external' || turn.level === 'practice') && turn.engine !== engine
