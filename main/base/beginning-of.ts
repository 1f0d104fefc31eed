/** The first letters of a text that a stranger wrote, as a copy: a part of a string would keep the whole of it in memory. */
export function beginningOf(text: string, mostLetters: number): string {
  return text.length <= mostLetters ? text : Buffer.from(text.slice(0, mostLetters)).toString()
}
