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
    const html = drawn('one \u202Eowt\n\n- three\n- ארבע\n\n> five\n\n| a | b |\n|---|---|\n| 1 | 2 |')
    const blocks = [...html.matchAll(/<(p|li|ul|blockquote|th|td)([ >][^<]*)/g)]
    expect(blocks.length).toBeGreaterThan(8)
    for (const [block] of blocks) expect(block).toContain('dir="auto"')
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
