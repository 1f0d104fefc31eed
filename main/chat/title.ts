const longest = 48

/** A chat's title from its first question: one line, cut at a word, at most 48 characters with the ellipsis. */
export function titleFrom(question: string): string {
  const line = question.trim().replaceAll(/\s+/g, ' ')
  const characters = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(line)].map(({ segment }) => segment)
  if (characters.length <= longest) return line
  const kept = characters.slice(0, longest - 1)
  const space = characters[longest - 1] === ' ' ? kept.length : kept.lastIndexOf(' ')
  // Languages without spaces, and very long words, are cut where they are.
  return `${kept.slice(0, space < longest / 2 ? kept.length : space).join('')}…`
}
