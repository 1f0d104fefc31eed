/** Whether one of some alternatives in GBNF that name no other rules lets the whole of a text through, read as a regular expression. */
export function lets(alternatives: readonly string[], text: string): boolean {
  if (alternatives.length === 0) return false
  const source = alternatives
    .join(' | ')
    .replaceAll(/"((?:\\.|[^"\\])*)"({[^}]*})?| +/g, (_, literal: string | undefined, times = '') => {
      if (literal === undefined) return ''
      const plain = literal.replaceAll(/\\(["\\])/g, '$1').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
      return times === '' ? plain : `(?:${plain})${times}`
    })
  return new RegExp(`^(?:${source})$`).test(text)
}
