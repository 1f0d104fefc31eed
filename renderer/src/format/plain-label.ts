/**
 * Text of strangers (a model, a peer, a file) on the screen. Characters that nobody sees can turn a line around or make two names look the
 * same, so a label holds none of them. Message bodies keep their text and are isolated block by block instead (chat/markdown.tsx).
 */

/** Marks, embeddings, overrides and isolates of direction. */
const direction = '\\u061C\\u200E\\u200F\\u202A-\\u202E\\u2066-\\u2069'
/** Without a width, or without a glyph: zero-width spaces, fillers, annotations, tags, soft hyphen. */
const unseen =
  '\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180E\\u200B\\u2060-\\u2065\\u206A-\\u206F\\u3164\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{E0000}-\\u{E0FFF}'
const controls = '\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F'
const dropped = new RegExp(`[${direction}${unseen}${controls}]`, 'gu')
const breaks = /[\u2028\u2029]/g
/** Joiners are part of the spelling of some scripts and of emoji; between other letters they only make names differ unseen. */
const joined =
  '(?:\\p{Extended_Pictographic}|[\\uFE0F\\u{1F3FB}-\\u{1F3FF}]|(?![\\u200C\\u200D])[^\\p{Script=Common}\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}])'
const looseJoiner = new RegExp(`(?<!${joined})[\\u200C\\u200D]|[\\u200C\\u200D](?!${joined})`, 'gu')

/** The text as it may stand in a label: what is not seen is gone, what is seen stays in its order. */
export function plainLabel(text: string): string {
  return text.replace(dropped, '').replace(breaks, ' ').replace(looseJoiner, '')
}

/** A value of the core with plain labels; texts under `bodies` stay as they are. */
export function withPlainLabels<T>(value: T, bodies: ReadonlySet<string>): T {
  return plain(value, bodies) as T
}

function plain(value: unknown, bodies: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return plainLabel(value)
  if (Array.isArray(value)) return value.map((one) => plain(one, bodies))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, bodies.has(name) ? one : plain(one, bodies)]))
}

const inCode = new RegExp(`[${direction}${unseen}\\u200C\\u200D]`, 'gu')

/** Code with its unseen characters written out, so that what is read is what would run. */
export function visibleCode(text: string): string {
  return text.replace(inCode, (found) => `[U+${found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`)
}

const rightToLeft = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u

/** A label inside a sentence: text of another direction must not move the words and numbers beside it. */
export function isolated(text: string): string {
  const label = plainLabel(text)
  return rightToLeft.test(label) ? `\u2068${label}\u2069` : label
}
