import type { Watchable } from '../base/signal.ts'
import type { ChatMessage, EngineEvent, GenerationOptions } from '../inference/engine.ts'
import type { HostState } from './link-messages.ts'

/** What a host lets its guests use. */
export interface SharedEngine {
  readonly state: Watchable<HostState>
  /** As `Engine.chat`; `lane` in the options keeps guests from starving the owner's own chat. */
  chat(messages: readonly ChatMessage[], options: GenerationOptions, signal: AbortSignal): AsyncIterable<EngineEvent>
}
