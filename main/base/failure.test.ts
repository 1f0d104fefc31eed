import { expect, it } from 'vitest'
import { Failure, messageAndAdvice, sentences } from './failure.ts'

it('sentences stay apart when another program left the full stop out', () => {
  expect(sentences('the worker was lost', 'Try again.')).toBe('the worker was lost. Try again.')
  expect(sentences('Really?', 'Yes', 'Nothing was sent')).toBe('Really? Yes. Nothing was sent')
  expect(messageAndAdvice(new Failure('a', 'disk is full', { advice: 'Free some.' }))).toBe('disk is full. Free some.')
})
