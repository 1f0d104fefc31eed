import { useState } from 'react'

/** What was typed and not sent, by chat, until the page is closed. Only in memory: no word of a chat reaches a disk unencrypted. */
const drafts = new Map<string, string>()

/** The unsent text of a chat, or of the chat that is not made yet (`new`). It outlives a visit to another screen. */
export function useDraft(chat: string): [string, (text: string) => void] {
  const [draft, setDraft] = useState(() => drafts.get(chat) ?? '')
  return [
    draft,
    (text) => {
      if (text === '') drafts.delete(chat)
      else drafts.set(chat, text)
      setDraft(text)
    },
  ]
}

/** Puts a text into the field of another chat, e.g. of one that was made for it. */
export function keepDraft(id: string, text: string): void {
  if (text === '') drafts.delete(id)
  else drafts.set(id, text)
}
