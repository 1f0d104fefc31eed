import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../base/failure.ts'
import { JsonTextError, parseJson, writeJson } from './json-text.ts'
import { validateRequest } from './validate-request.ts'

interface Case {
  readonly url: string
  readonly body: string
  readonly ok: boolean
  readonly model?: string
  readonly new_body?: string
  readonly code?: number
  readonly error?: string
}

const cases = JSON.parse(readFileSync(new URL('./vectors/request_validation.json', import.meta.url), 'utf8')) as Case[]

describe('request validation against the golden data', () => {
  it('has every recorded case', () => {
    expect(cases).toHaveLength(32)
    expect(cases.filter((one) => one.ok)).toHaveLength(11)
  })

  it.each(cases)('$url $body', (one) => {
    if (one.ok) {
      const request = validateRequest(one.url, one.body)
      expect(request.model).toBe(one.model)
      expect(request.body).toBe(one.new_body)
      expect(request.stream).toBe(request.body.includes('"stream":true'))
    } else {
      const run = (): unknown => validateRequest(one.url, one.body)
      expect(run).toThrow(Failure)
      expect(run).toThrow(expect.objectContaining({ code: 'invalid-request', message: one.error }))
      expect(one.code).toBe(621)
    }
  })
})

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
