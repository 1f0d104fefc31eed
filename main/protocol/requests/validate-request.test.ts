import { describe, expect, it } from 'vitest'
import { JsonTextError, parseJson, writeJson } from './json-text.ts'
import { validateRequest } from './validate-request.ts'

describe('JSON text', () => {
  it('keeps numbers as written and puts keys in order, whatever they look like', () => {
    const text = '{"10":1e2,"9":-0.50,"__proto__":{"a":[]},"big":12345678901234567890,"n":null,"t":[true,false]}'
    expect(writeJson(parseJson(` ${text}\n`))).toBe(text)
  })

  it.each(['', '{', '{"a"}', '[1,]', '01', '1 2', 'nul', '"\\x"', '"\n"', '+1', '{"a":1,}', 'NaN'])('refuses %j', (text) => {
    expect(() => parseJson(text)).toThrow(JsonTextError)
  })

  it('refuses a nesting that would exhaust the stack', () => {
    expect(() => parseJson('['.repeat(100_000))).toThrow('nested too deeply')
  })

  it('does not take an inherited name for a field of the table', () => {
    expect(() => validateRequest('/v1/chat/completions', '{"model":"M","messages":[],"constructor":1}')).toThrow('unknown option')
  })
})
