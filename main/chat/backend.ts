import type { LevelState, PrivacyLevel } from '../../preload/api/chat.ts'
import type { Receipt } from '../../preload/api/receipt.ts'
import type { TurnSeal } from '../../preload/api/seal.ts'
import type { Watchable } from '../base/signal.ts'
import type { ChatMessage, EngineUsage } from '../inference/engine.ts'
import type { Gate } from './privacy/seal-keeper.ts'

export type BackendEvent =
  | { readonly type: 'text'; readonly text: string }
  /** How the question left: once that is known, and again with the bill at the end, also before the answer fails. Not itself the begin of an answer. */
  | { readonly type: 'seal'; readonly seal: TurnSeal }
  /** The last event of every answer that did not fail. */
  | {
      readonly type: 'final'
      /** Absent where the engine did not tell it. */
      readonly usage?: EngineUsage
      readonly reason: 'stop' | 'length' | 'cancelled'
      /** After an abort: whether generation was ended, or goes on unseen and may cost (ui.md §13.5). */
      readonly stop?: 'ended' | 'hidden'
      /** What was paid; absent for free answers. `cost` in nanoton. */
      readonly money?: { readonly adjustedTokens: number; readonly cost: bigint }
      /** Of an answer over a network; it may come a while after the answer, and never rejects. */
      readonly receipt?: Promise<Receipt | undefined>
    }

/** One place that turns can be answered at. */
export interface ChatBackend {
  readonly level: PrivacyLevel
  readonly state: Watchable<LevelState>
  /**
   * Answers the last message. After an abort the iterable still ends with `final` (reason `cancelled`), promptly.
   * Throws `Failure`: its message, advice and money are shown to the user, so they never hold the conversation. `context-too-small` before
   * the first text makes the chat leave out its oldest turns and ask again.
   * @param gate to be passed right before each sending of the conversation, in the same turn of the event loop; what it names is the connection to
   * send over. A backend that waits, refills or tries again passes it anew.
   * @param conversation names the chat, so that what was read for its last turn need not be read again
   */
  answer(messages: readonly ChatMessage[], signal: AbortSignal, gate: Gate, conversation: string): AsyncIterable<BackendEvent>
}
