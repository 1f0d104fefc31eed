import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { CheckRow, Sentence } from '../../../preload/api/privacy.ts'

/**
 * Rows that have to be passed before a level is earned (ui.md §3.1, §3.4). A checker may list more; none of those may have failed. The practice
 * network and the Open network promise less, so they need less: that it is the network of this registry, and that the way there is encrypted.
 */
export const neededRows: Record<PrivacyLevel, readonly string[]> = {
  computer: ['process', 'tools', 'storage'],
  devices: ['device-key', 'handshake'],
  attested: ['hardware', 'software', 'channel', 'worker', 'model', 'gpu'],
  open: ['channel', 'registry'],
  practice: ['own-roles', 'channel', 'registry'],
  external: ['engine-address'],
}

/** Why these rows do not earn the level; null when they do. One failed row is enough, and so is a needed one that nobody checked. */
export function objection(level: PrivacyLevel, rows: readonly CheckRow[]): Sentence | null {
  const failed = rows.find(({ result }) => result === 'failed')
  if (failed) return failed.sentence
  const seen = new Set(rows.map(({ id }) => id))
  // Two rows of one name could say two things.
  if (seen.size !== rows.length) return unclear
  for (const id of neededRows[level]) {
    const row = rows.find((one) => one.id === id)
    if (row === undefined) return unclear
    if (row.result !== 'passed' || row.by === undefined) return row.sentence
  }
  return null
}

const unclear: Sentence = { text: 'A check that this level needs was not made.', words: { code: 'check-missing' } }
