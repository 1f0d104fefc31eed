import { type PrivacyLevel, privacyLevel } from '../../../preload/api/chat.ts'

/**
 * From the fewest possible readers to the most (ui.md §3.1). The practice network is this computer, with its roles as processes of their own. Another program
 * may keep what it reads or pass it on, also one on this computer: nothing is known of its readers but that the user chose it.
 */
const narrowToWide: Record<PrivacyLevel, number> = { computer: 0, practice: 1, devices: 2, attested: 3, external: 4, open: 5 }

export const levelNames: Record<PrivacyLevel, string> = {
  computer: 'On this computer',
  practice: 'Practice network, all roles on this computer',
  external: 'Another program',
  devices: 'Your devices',
  attested: 'Attested network',
  open: 'Open network',
}

/** All levels, narrowest first. */
export const levelsByWidth: readonly PrivacyLevel[] = privacyLevel.options.toSorted((a, b) => narrowToWide[a] - narrowToWide[b])

/** Whether more people could read at `to` than at `from`. */
export function isWider(from: PrivacyLevel, to: PrivacyLevel): boolean {
  return narrowToWide[to] > narrowToWide[from]
}

export function widest(a: PrivacyLevel, b: PrivacyLevel): PrivacyLevel {
  return isWider(a, b) ? b : a
}
