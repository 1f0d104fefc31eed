import { BadHeader } from './header-reader.ts'

/**
 * Levels in each other. Those of real templates stay below 20; the native library calls itself for each, and ends its process where the stack does: after
 * some thousands on a thread with 8 MB.
 */
const mostLevels = 200
/** Blocks that end with a tag of their own; `set` only where it gives no value. */
const blocks: ReadonlySet<string> = new Set(['if', 'for', 'macro', 'call', 'filter', 'set'])

/**
 * Throws `BadHeader` for a chat template (Jinja) that is nested deeper than the native library can read: blocks, branches of one block, brackets, and the
 * words of an expression that have another one behind them.
 */
export function checkTemplateDepth(template: string): void {
  // Levels that each open block has so far.
  const open: number[] = []
  let levels = 0
  for (const { kind, word, deepest, givesValue } of tags(template)) {
    if (levels + deepest > mostLevels) throw new BadHeader('Its chat template is nested impossibly deep.')
    if (kind !== '%') continue
    if (blocks.has(word) && !(word === 'set' && givesValue)) {
      open.push(1)
      levels++
    } else if (word === 'elif') {
      open.push((open.pop() ?? 0) + 1)
      levels++
    } else if (word.startsWith('end') && blocks.has(word.slice(3))) levels -= open.pop() ?? 0
  }
  if (levels > mostLevels) throw new BadHeader('Its chat template is nested impossibly deep.')
}

interface Tag {
  readonly kind: '{' | '%'
  /** The first one. */
  readonly word: string
  /** Most brackets in each other, and words before another expression. */
  readonly deepest: number
  /** Has a `=`. */
  readonly givesValue: boolean
}

const begin = /\{[{%#]/g
const piece = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|==|[^\s\w]|\d+/gs

/** What stands between the marks of a template, read as Jinja reads it: the end of a tag counts outside of texts and brackets only. */
function* tags(template: string): Generator<Tag> {
  let at = 0
  for (;;) {
    begin.lastIndex = at
    const found = begin.exec(template)
    if (found === null) return
    const kind = template[found.index + 1]
    at = found.index + 2
    if (kind === '#') {
      const end = template.indexOf('#}', at)
      if (end < 0) return
      at = end + 2
      continue
    }
    const { end, ...tag } = kind === '%' ? readTag(template, at, '%}') : readTag(template, at, '}}')
    yield { kind: kind === '%' ? '%' : '{', ...tag }
    at = end
  }
}

function readTag(template: string, from: number, mark: '%}' | '}}'): Omit<Tag, 'kind'> & { readonly end: number } {
  let [word, brackets, leading, deepest, givesValue, at] = ['', 0, 0, 0, false, from]
  for (;;) {
    piece.lastIndex = at
    const found = piece.exec(template)
    if (found === null) return { word, deepest, givesValue, end: template.length }
    const [text] = found
    if (brackets === 0 && template.startsWith(mark, found.index)) return { word, deepest, givesValue, end: found.index + 2 }
    at = found.index + text.length
    if (text === '(' || text === '[' || text === '{') brackets++
    else if (text === ')' || text === ']' || text === '}') brackets = Math.max(0, brackets - 1)
    else if (text === '=') givesValue = true
    else if (text === 'not' || text === 'else') leading++
    if (word === '' && /^[A-Za-z_]/.test(text)) word = text
    deepest = Math.max(deepest, brackets + leading)
  }
}
