import { describe, expect, it } from 'vitest'
import { BadHeader } from './header-reader.ts'
import { checkTemplateDepth } from './template-depth.ts'

const times = (text: string, count: number): string => text.repeat(count)
/** What is one level deeper with each. */
const nested: Readonly<Record<string, (levels: number) => string>> = {
  brackets: (levels) => `{{ ${times('(', levels)}1${times(')', levels)} }}`,
  lists: (levels) => `{{ ${times('[', levels)}${times(']', levels)} }}`,
  objects: (levels) => `{{ ${times('{"a":', levels)}1${times('}', levels)} }}`,
  'calls in a tag': (levels) => `{%- set x = ${times('f(', levels)}1${times(')', levels)} -%}`,
  conditions: (levels) => `${times('{% if true %}', levels)}x${times('{% endif %}', levels)}`,
  loops: (levels) => `${times('{%- for a in b -%}', levels)}x${times('{%- endfor -%}', levels)}`,
  'texts that are set': (levels) => `${times('{% set a %}', levels)}x${times('{% endset %}', levels)}`,
  branches: (levels) => `{% if a %}${times('{% elif b %}', levels - 1)}{% endif %}`,
  denials: (levels) => `{{ ${times('not ', levels)}1 }}`,
  'choices in an expression': (levels) => `{{ ${times('1 if a else ', levels)}1 }}`,
  'conditions that never end': (levels) => times('{% if true %}', levels),
  'brackets behind a text that looks like their end': (levels) => `{{ ${times("(')' ~ ", levels)}1${times(')', levels)} }}`,
  'brackets behind a text that looks like the end of the tag': (levels) =>
    `{{ '}}' ~ ${times('(', levels)}1${times(')', levels)} }}`,
  'brackets behind an apostrophe outside of tags': (levels) => `don't {{ ${times('(', levels)}1${times(')', levels)} }}`,
  'brackets behind an apostrophe in a comment': (levels) => `{# don't #}{{ ${times('(', levels)}1${times(')', levels)} }}`,
  'brackets behind an escaped apostrophe': (levels) => `{{ 'a\\'' ~ ${times('(', levels)}1${times(')', levels)} }}`,
  'brackets behind an object': (levels) => `{{ {'a': {}} ~ ${times('(', levels)}1${times(')', levels)} }}`,
}

describe.each(Object.entries(nested))('%s', (_name, of) => {
  it('are taken as deep as no real template goes', () => {
    expect(() => checkTemplateDepth(of(150))).not.toThrow()
  })
  it.each([202, 20_000])('are refused %i levels deep', (levels) => {
    expect(() => checkTemplateDepth(of(levels))).toThrow(BadHeader)
  })
})

it('what stands beside each other is not deep, however long', () => {
  const beside = [
    times('{% if a %}{% for b in c %}{{ (b) }}{% endfor %}{% elif d %}{% else %}{% endif %}', 2_000),
    times('{% set a = [1] %}{% set b %}x{% endset %}{{ not a }}{# { #}', 2_000),
    `{{ 1${times(' + f(1)', 5_000)} }}`,
    times('((( {', 5_000),
    '{{ "unfinished',
    '{# unfinished',
    '{% if a %}{% endfor %}{% endif %}{% endif %}',
  ]
  for (const template of beside) expect(() => checkTemplateDepth(template), template.slice(0, 60)).not.toThrow()
})
