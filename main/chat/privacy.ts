import { type PrivacyLevel, privacyLevel } from '../../preload/api/chat.ts'

/** From the fewest possible readers to the most (ui.md §3.1). A level that is added takes its place here. */
const narrowToWide: Record<PrivacyLevel, number> = { computer: 0, practice: 1 }

export const levelNames: Record<PrivacyLevel, string> = {
  computer: 'On this computer',
  practice: 'Practice network, all roles on this computer',
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
