import { describe, expect, it } from 'vitest'
import { JsonGrammar, literal } from './json-grammar.ts'

function refusal(schema: unknown): string {
  try {
    new JsonGrammar().schema(schema)
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-schema' })
    return String(error)
  }
  throw new Error('the schema was taken')
}

describe('JsonGrammar', () => {
  it('refuses what it could not hold an answer to, and names the place', () => {
    expect(refusal({ type: 'object', properties: { a: { type: 'string', pattern: '^x$' } } })).toContain('/properties/a/pattern')
    expect(refusal({ type: 'number', minimum: 3 })).toContain('/minimum')
    expect(refusal({ not: { type: 'string' } })).toContain('/not')
    expect(refusal({ type: 'strange' })).toContain('/type')
    expect(refusal({ type: 'string', format: 'email' })).toContain('/format')
    expect(refusal({ type: 'string', maxLength: 100_000 })).toContain('/maxLength')
    expect(refusal({ type: 'array', minItems: 3, maxItems: 2 })).toContain('/maxItems')
    expect(refusal({ type: 'object', properties: {}, required: ['a'] })).toContain('"a"')
    expect(refusal({ allOf: [{ type: 'string' }, { minLength: 2 }] })).toContain('/allOf')
    expect(refusal({ $ref: '#/$defs/gone' })).toContain('leads nowhere')
    expect(refusal({ $ref: 'https://example.com/schema' })).toContain('same schema')
    expect(refusal({ $ref: '#/__proto__/constructor' })).toContain('leads nowhere')
    expect(refusal('text')).toContain('cannot be held to')
    expect(refusal(false)).toContain('cannot be held to')
  })

  it('refuses what is too deep or too large, in no time', () => {
    let deep: unknown = { type: 'string' }
    for (let level = 0; level < 5000; level++) deep = { type: 'array', items: deep }
    expect(refusal(deep)).toContain('nested too deeply')
    const properties = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`p${index}`, { type: 'string' }]))
    expect(refusal({ type: 'object', properties })).toContain('too large')
  })

  it('escapes what stands for itself', () => {
    expect(literal('a"b\\c\nd\u007fé')).toBe('"a\\"b\\\\c\\x0ad\\x7fé"')
  })
})
