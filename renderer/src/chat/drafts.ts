import { useCallback, useSyncExternalStore } from 'react'

/** What was typed and not sent, by chat, until the page is closed. Only in memory: no word of a chat reaches a disk unencrypted. */
const drafts = new Map<string, string>()
const readers = new Set<() => void>()

const watch = (reader: () => void): (() => void) => {
  readers.add(reader)
  return () => readers.delete(reader)
}

export const draftOf = (chat: string): string => drafts.get(chat) ?? ''

/** The unsent text of a chat, or of the chat that is not made yet (`new`). It outlives a visit to another screen. */
export function useDraft(chat: string): [string, (text: string) => void] {
  const read = (): string => draftOf(chat)
  const draft = useSyncExternalStore(watch, read, read)
  return [draft, useCallback((text) => keepDraft(chat, text), [chat])]
}

/** Puts a text into the field of a chat, e.g. of one that was made for it. */
export function keepDraft(chat: string, text: string): void {
  if (text === '') drafts.delete(chat)
  else drafts.set(chat, text)
  for (const reader of readers) reader()
}

/** A text was sent: its field is emptied, unless something else was typed there meanwhile. */
export function draftSent(chat: string, text: string): void {
  if (draftOf(chat) === text) keepDraft(chat, '')
}
