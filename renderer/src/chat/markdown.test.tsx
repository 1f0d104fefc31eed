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

  it('shows what is hidden in code', () => {
    expect(drawn('Run `rm\u202E -x`.')).toContain('<code>rm[U+202E] -x</code>')
    expect(drawn('```js\u202E\nif (a\u2066) {}\u200B\n```')).toContain('if (a[U+2066]) {}[U+200B]')
  })

  it('names the place of a link behind its words, whatever these do', () => {
    const html = drawn('[moc.elpmaxe\u202E](https://evil.example/x)')
    expect(html).toContain('<bdi dir="ltr" class="text-ink-3"> (https://evil.example/x)</bdi>')
  })
})
