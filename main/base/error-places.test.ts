import { describe, expect, it } from 'vitest'
import { placesOf } from './error-places.ts'

describe('placesOf', () => {
  it('tells where, and nothing of a message of several lines', () => {
    const places = placesOf(new TypeError('first\nmy secret diary\n    at home\n    at night (/diary.txt:1:2)\nlast'))
    expect(places).toContain('error-places.test.ts:6:')
    expect(places).not.toMatch(/first|secret|home|diary|last/)
    expect(places).not.toContain('\n')
  })

  it('tells nothing of a message that was changed later, and does without a stack', () => {
    const error = new Error('one\nsecret')
    error.message = 'two'
    expect(placesOf(error)).toMatch(/^at .*error-places\.test\.ts/)
    expect(placesOf(error)).not.toContain('secret')
    error.stack = undefined as never
    expect(placesOf(error)).toBe('')
  })
})
