import { describe, expect, it } from 'vitest'
import { JsonGrammar, literal } from './json-grammar.ts'
import { lets } from './testing/lets.ts'

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
    expect(refusal({ type: 'number', multipleOf: 3 })).toContain('/multipleOf')
    expect(refusal({ type: 'number', minimum: 0.5 })).toContain('/minimum')
    expect(refusal({ type: 'integer', maximum: 'ten' })).toContain('/maximum')
    expect(refusal({ type: 'integer', minimum: 3, exclusiveMaximum: 3 })).toContain('between its bounds')
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
    expect(refusal({ $ref: '#/%' })).toContain('no pointer')
    expect(refusal({ type: 'string', enum: [1, null] })).toContain('/enum')
    expect(refusal({ type: 'integer', const: 1.5 })).toContain('/const')
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

  it('grows with the number of properties, not with its square, and ends where it is too large', () => {
    const object = (count: number, name: string) => ({
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, { type: 'string' }])),
    })
    const text = (schema: unknown): string => {
      const grammar = new JsonGrammar()
      return grammar.text(grammar.schema(schema))
    }
    const [few, many] = [text(object(90, 'p')).length, text(object(900, 'p')).length]
    expect(many).toBeLessThan(few * 12)
    expect(many).toBeLessThan(256 * 1024)
    expect(() => text(object(900, 'p'.repeat(400)))).toThrow(expect.objectContaining({ code: 'bad-schema' }))
  })

  it('lets of the values in a list only those through that are of the type', () => {
    const values = (schema: object): string | undefined => {
      const grammar = new JsonGrammar()
      return grammar.rules.get(grammar.schema(schema))
    }
    expect(values({ type: 'string', enum: ['a', 1, null, ['b']] })).toBe('"\\"a\\""')
    expect(values({ type: ['integer', 'null'], enum: ['a', 1, 1.5, null, {}] })).toBe('"1" | "null"')
    expect(values({ type: ['object', 'array'], enum: ['a', {}, [], null] })).toBe('"{}" | "[]"')
    expect(values({ enum: ['a', 1] })).toBe('"\\"a\\"" | "1"')
  })

  it('holds numbers to the tighter of the bounds at each end', () => {
    const taken = (schema: object): number[] => {
      const grammar = new JsonGrammar()
      const rule = grammar.rules.get(grammar.schema({ type: 'integer', ...schema })) ?? ''
      return [-1, 0, 1, 2, 3, 4].filter((value) => lets([rule], String(value)))
    }
    expect(taken({ minimum: 0, exclusiveMinimum: 0, maximum: 3, exclusiveMaximum: 9 })).toEqual([1, 2, 3])
    expect(taken({ minimum: 2, exclusiveMinimum: 0 })).toEqual([2, 3, 4])
    expect(taken({ exclusiveMaximum: 1 })).toEqual([-1, 0])
  })

  it('lets every day of the calendar through as a date, and no other', () => {
    const grammar = new JsonGrammar()
    const rule = grammar.rules.get(grammar.schema({ type: 'string', format: 'date' })) ?? ''
    for (const year of ['1900', '1999', '2000', '2023', '2024', '2100'])
      for (let month = 0; month <= 13; month++)
        for (let day = 0; day <= 32; day++) {
          const text = [year, String(month).padStart(2, '0'), String(day).padStart(2, '0')].join('-')
          const date = new Date(Date.UTC(Number(year), month - 1, day))
          const exists = date.toISOString().startsWith(text)
          if (lets([rule], `"${text}"`) !== exists) expect.fail(`${text} ${exists ? 'is kept out' : 'is let through'}`)
        }
  })

  it('escapes what stands for itself', () => {
    expect(literal('a"b\\c\nd\u007fé')).toBe('"a\\"b\\\\c\\x0ad\\x7fé"')
  })
})
