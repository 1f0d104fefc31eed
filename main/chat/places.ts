import type { LevelView, PrivacyLevel, Turn } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { ChatBackend } from './backend.ts'
import { levelsByWidth } from './privacy/levels.ts'
import { absentLevel, type Privacy } from './privacy/privacy.ts'
import type { Gate } from './privacy/seal-keeper.ts'
import { holdSecrets } from './privacy/sensitive-text.ts'

/** Something that is about to be sent for a chat. */
export interface Wish {
  readonly chatId: string
  readonly level: PrivacyLevel
  /** Everything that would be read at this level for the first time. */
  readonly texts: readonly string[]
  readonly secretsSeen: boolean
}

/** The places that turns can be answered at, with their seals: which can be used, and the way there. */
export class Places {
  readonly #backends: ReadonlyMap<PrivacyLevel, ChatBackend>
  readonly #privacy: Privacy
  readonly #views: Signal<LevelView[]>
  /** Chats whose next question waits for its seal. */
  readonly #waiting = new Map<string, AbortController>()

  constructor(backends: readonly ChatBackend[], privacy: Privacy) {
    this.#backends = new Map(backends.map((backend) => [backend.level, backend]))
    this.#privacy = privacy
    const views = (): LevelView[] =>
      levelsByWidth.map((level) => ({
        ...(this.#backends.get(level)?.state.value ?? absentLevel(level)),
        seal: privacy.seals.value[level] ?? { phase: 'idle' },
      }))
    this.#views = new Signal(views())
    const show = (): void => this.#views.set(views())
    for (const backend of backends) backend.state.onChange(show)
    privacy.seals.onChange(show)
  }

  /** Every level, narrowest first. */
  get views(): Watchable<LevelView[]> {
    return this.#views
  }

  /** Throws `Failure` `not-ready`. */
  ready(level: PrivacyLevel): ChatBackend {
    const backend = this.#backends.get(level)
    const state = backend?.state.value ?? absentLevel(level)
    if (backend !== undefined && state.state === 'ready') return backend
    throw new Failure('not-ready', state.reason ?? '', {
      advice: 'Nothing was sent.',
      retryable: state.state === 'starting',
      words: state.reasonWords,
    })
  }

  /** Throws `Failure` `not-ready` for a level that nothing is set up for here. */
  require(level: PrivacyLevel): void {
    if (!this.#backends.has(level)) this.ready(level)
  }

  /** Host of the engine of another program that answers now at a level; undefined at other levels. */
  engine(level: PrivacyLevel): string | undefined {
    return this.#backends.get(level)?.state.value.engine?.host
  }

  isWaiting(chatId: string): boolean {
    return this.#waiting.has(chatId)
  }

  /** What waits for a chat is not sent. */
  giveUp(chatId: string, why: Failure = changedMeanwhile()): void {
    this.#waiting.get(chatId)?.abort(why)
  }

  giveUpAll(): void {
    for (const chatId of this.#waiting.keys()) this.giveUp(chatId)
  }

  /** The gate of a level, which stays shut once another engine answers there than the one that the question was judged for. */
  gate({ level, engine }: Pick<Turn, 'level' | 'engine'>, chatId: string): Gate {
    const gate = this.#privacy.gate(level, chatId)
    return async (signal) => {
      const permit = await gate(signal)
      if (this.engine(level) !== engine) throw changedMeanwhile()
      return permit
    }
  }

  /**
   * The backend of a level, once nothing speaks against sending there. Throws `Failure` `not-ready`, `looks-secret`, or of `Privacy.gate`, or what
   * `giveUp` was told.
   */
  async sealed({ chatId, level, texts, secretsSeen }: Wish): Promise<ChatBackend> {
    const backend = this.ready(level)
    const engine = this.engine(level)
    // Where an engine of another program answers, it reads, at whatever level.
    if (!secretsSeen) holdSecrets(engine === undefined ? level : 'external', texts)
    const waiting = new AbortController()
    this.#waiting.set(chatId, waiting)
    try {
      await this.gate({ level, engine }, chatId)(waiting.signal)
      waiting.signal.throwIfAborted()
      return backend
    } catch (thrown) {
      throw waiting.signal.aborted ? waiting.signal.reason : thrown
    } finally {
      this.#waiting.delete(chatId)
    }
  }
}

const changedMeanwhile = (): Failure =>
  new Failure('refused', 'This chat was changed while the check ran. Nothing was sent.', { words: { code: 'level-changed' } })
