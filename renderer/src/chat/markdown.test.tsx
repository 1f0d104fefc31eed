import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { TextsProvider } from '../messages/texts.tsx'
import { Markdown } from './markdown.tsx'

const drawn = (text: string): string =>
  renderToStaticMarkup(
    <TextsProvider language="en">
      <Markdown text={text} streaming={false} />
    </TextsProvider>,
  )

describe('the text of an answer', () => {
  it('is isolated block by block, each in its own direction', () => {
    const html = drawn('one \u202Eowt\n\n- ארבע\n\n  five\n\n> six\n\n| a | b |\n|---|---|\n| 1 | 2 |')
    const outermost = [...html.matchAll(/<(p|ul|blockquote|th|td)(?=[ >])( dir="auto")?/g)].map(([, name, own]) => [
      name,
      own !== undefined,
    ])
    expect(outermost).toEqual([
      ['p', true],
      ['ul', true],
      // Inside of a block that has found its direction.
      ['p', false],
      ['p', false],
      ['blockquote', true],
      ['p', false],
      ['th', true],
      ['th', true],
      ['td', true],
      ['td', true],
    ])
  })

  it('has headings below that of its turn, each at most one below the one before, and none without words', () => {
    const headings = (text: string): string[] =>
      [...drawn(text).matchAll(/<(h\d)[^>]*>([^<]*)/g)].map(([, tag, word]) => `${tag} ${word}`)
    expect(headings('# one\n\n## two\n\n#### four\n\n### three\n\n# again')).toEqual([
      'h3 one',
      'h4 two',
      'h5 four',
      'h5 three',
      'h3 again',
    ])
    expect(headings('#### four first\n\n## two\n\n> ###### six')).toEqual(['h3 four first', 'h3 two', 'h4 six'])
    expect(headings('# a\n## b\n### c\n#### d\n##### e\n###### f')).toEqual(['h3 a', 'h4 b', 'h5 c', 'h6 d', 'h6 e', 'h6 f'])
    expect(headings('#\n\ntext')).toEqual([])
  })

  it('has a name for each box of a task, and neither a head of a column nor a link without words', () => {
    const tasks = drawn('- [ ] pack\n- [x] book')
    expect([...tasks.matchAll(/<input[^>]*aria-label="([^"]*)"/g)].map(([, name]) => name)).toEqual(['Not done', 'Done'])
    const table = drawn('| | b |\n|---|---|\n| 1 | 2 |')
    expect(table).toContain('<td dir="auto"></td><th dir="auto">b</th>')
    expect(drawn('[](https://b.example/x)')).toContain('>https://b.example/x</a></p>')
    expect(drawn('[**bold**](https://b.example/x)')).toContain('<strong>bold</strong></a><bdi')
  })

  it('shows what is hidden in code', () => {
    expect(drawn('Run `rm\u202E -x`.')).toContain('<code>rm[U+202E] -x</code>')
    expect(drawn('```js\u202E\nif (a\u2066) {}\u200B\n```')).toContain('if (a[U+2066]) {}[U+200B]')
  })

  it('names the place of a link behind its words, whatever these do', () => {
    const html = drawn('[moc.elpmaxe\u202E](https://evil.example/x)')
    expect(html).toContain('<bdi dir="ltr" class="text-ink-3"> (https://evil.example/x)</bdi>')
  })
})
