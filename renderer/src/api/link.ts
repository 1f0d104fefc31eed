import type { ToCore } from '../../../preload/api/link.ts'

/** Why a link is gone. `refused` means that this page may not speak to the core at all: trying again is of no use. */
export type LinkEnd = 'lost' | 'refused'

export interface LinkEvents {
  onOpen(): void
  /** One message of the core, as it came: not yet parsed by any schema. */
  onMessage(raw: unknown): void
  onClose(end: LinkEnd): void
}

/** One connection to the core, whatever carries it. After `onClose` it is dead; a new one is made by its `OpenLink`. */
export interface Link {
  send(message: ToCore): void
  close(): void
}

/** Starts to connect. Events come later, never during the call. */
export type OpenLink = (events: LinkEvents) => Link
