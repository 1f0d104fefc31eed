import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { OpenReaders } from '../../../preload/api/privacy.ts'
import { Failure } from '../../base/failure.ts'
import { isWider } from './levels.ts'

/** What becomes of the messages that are there when a chat moves to a level where more people could read (ui.md §3.5). */
export type Along = 'new-chat' | 'send-along'

export interface Move {
  readonly from: PrivacyLevel
  readonly to: PrivacyLevel
  /** Turns that a later question would take along. */
  readonly messages: number
  /** What the user chose; undefined when nobody asked. */
  readonly along?: Along | undefined
  /** They would go to another engine than the user chose for them, at whichever level they were before. */
  readonly toOtherEngine?: boolean
}

/** Whether a move with messages has to be asked about: to the Attested network from this computer or a device of one's own, to another program or the Open network always. */
function asksWhatGoesAlong({ from, to, messages, toOtherEngine = false }: Omit<Move, 'along'>): boolean {
  if (toOtherEngine) return messages > 0
  return messages > 0 && isWider(from, to) && (to === 'attested' || to === 'external' || to === 'open')
}

export const needsChoice = (): Failure =>
  new Failure('needs-choice', 'This chat has messages already.', { advice: 'Choose: start a new chat, or send them along.' })

/**
 * What a move becomes.
 * @throws Failure `needs-choice` when the user has to choose first
 */
export function resolveMove(move: Move): 'same-chat' | 'new-chat' {
  if (!asksWhatGoesAlong(move)) return 'same-chat'
  if (move.along === undefined) throw needsChoice()
  return move.along === 'new-chat' ? 'new-chat' : 'same-chat'
}

/**
 * Consent to the Open network: for one chat and the readers that were named, until the chat or the app ends. It is kept in memory alone, so that no
 * setting, file or restart can consent for anybody.
 */
export class OpenConsent {
  /** Whom the user was told of, by chat. */
  readonly #given = new Map<string, OpenReaders>()
  readonly #isForbidden: () => boolean
  readonly #readersNow: () => OpenReaders

  /**
   * @param isForbidden whether the settings forbid the Open network altogether; read each time
   * @param readersNow who could read, by the check that stands; read each time
   */
  constructor(isForbidden: () => boolean, readersNow: () => OpenReaders = () => 'proxy-too') {
    this.#isForbidden = isForbidden
    this.#readersNow = readersNow
  }

  /** The newest word counts: who was told of fewer readers has not agreed to more, whatever came before. */
  give(chatId: string, readers: OpenReaders): void {
    this.#forbid()
    this.#given.set(chatId, readers)
    this.narrow()
  }

  /**
   * The check may have found somebody to seal to: who agreed to more readers before it was known relies on that from now on. Should the seal go again,
   * they are asked anew.
   */
  narrow(): void {
    if (this.#readersNow() !== 'worker') return
    for (const chatId of this.#given.keys()) this.#given.set(chatId, 'worker')
  }

  /** The chat has ended. */
  end(chatId: string): void {
    this.#given.delete(chatId)
  }

  /** The settings forbid it now: what was given before counts no more, also when they allow it again. */
  endAll(): void {
    this.#given.clear()
  }

  /** Whether a question of the chat may leave so that the proxy's owner could read it too. */
  coversProxy(chatId: string): boolean {
    return !this.#isForbidden() && this.#given.get(chatId) === 'proxy-too'
  }

  /**
   * @param readers who could read
   * @throws Failure `refused` when it is forbidden, `needs-consent` when it was not given, or for fewer readers.
   */
  demand(level: PrivacyLevel, chatId: string, readers: OpenReaders = 'worker'): void {
    if (level !== 'open') return
    this.#forbid()
    if (!this.#given.has(chatId))
      throw new Failure('needs-consent', 'The Open network needs your consent in this chat.', {
        advice: 'Nothing was sent.',
      })
    if (readers === 'proxy-too' && !this.coversProxy(chatId))
      throw new Failure(
        'needs-consent',
        'The question cannot be sealed past the proxy, so the proxy’s owner could read it too.',
        {
          advice: 'Nothing was sent. It needs your consent in this chat.',
          words: { code: 'needs-consent-proxy' },
        },
      )
  }

  #forbid(): void {
    if (this.#isForbidden())
      throw new Failure('refused', 'The Open network is forbidden in the privacy settings.', {
        words: { code: 'open-forbidden' },
      })
  }
}
