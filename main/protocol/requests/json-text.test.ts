import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonNumber, JsonTextError, type JsonValue, parseJson, writeJson } from './json-text.ts'

const plain = (value: JsonValue): unknown => {
  if (value instanceof JsonNumber) return Number(value.text)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]))
  return Array.isArray(value) ? value.map(plain) : value
}

describe('JSON text', () => {
  it('means what the standard parser reads, for every value and any white space', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ stringUnit: 'binary', depthSize: 'medium' }),
        fc.constantFrom(undefined, 2, '\t\r\n '),
        (value, space) => {
          const text = JSON.stringify(value, undefined, space)
          expect(plain(parseJson(text))).toEqual(JSON.parse(text))
          expect(JSON.parse(writeJson(parseJson(text)))).toEqual(JSON.parse(text))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('takes and refuses what the standard parser takes and refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\ \n\t\u0001\u2028é"ue0019-+.truefalsenull') }), (text) => {
        let standard: unknown
        try {
          standard = JSON.parse(text)
        } catch {
          expect(() => parseJson(text)).toThrow(JsonTextError)
          return
        }
        expect(plain(parseJson(text))).toEqual(standard)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    '"a\nb"',
    '"a\u0000b"',
    '"\\x"',
    '"open',
    '"open\\',
    '"\\u12"',
    '{"a"}',
    '{"a":1,}',
    '[1,]',
    '01',
    '',
    ' ',
    '1 2',
    'nul',
    '\u00a01',
  ])('refuses %j', (text) => {
    expect(() => parseJson(text)).toThrow(JsonTextError)
  })

  it('keeps numbers as they were written and sorts keys by code point', () => {
    const text = '{ "b" : 1.0 , "a" : [ 12345678901234567890 , -0 , 1E5 ] , "\\u00e9" : "\\ud800" , "Z" : null }'
    expect(writeJson(parseJson(text))).toBe('{"Z":null,"a":[12345678901234567890,-0,1E5],"b":1.0,"é":"\\ud800"}')
    expect(writeJson(parseJson('{"__proto__":1,"a\\"b\\\\":"/"}'))).toBe('{"__proto__":1,"a\\"b\\\\":"/"}')
  })
})
