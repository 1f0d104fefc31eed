import { expect, it } from 'vitest'
import { Failure, messageAndAdvice, retold, sentences } from './failure.ts'

it('sentences stay apart when another program left the full stop out', () => {
  expect(sentences('the worker was lost', 'Try again.')).toBe('the worker was lost. Try again.')
  expect(sentences('Really?', 'Yes', 'Nothing was sent')).toBe('Really? Yes. Nothing was sent')
  expect(messageAndAdvice(new Failure('a', 'disk is full', { advice: 'Free some.' }))).toBe('disk is full. Free some.')
})

it('a failure that is told otherwise stays the same one in everything else', () => {
  const money = { text: 'You paid nothing.', words: { code: 'paid-nothing' } }
  const first = new Failure('disk-full', 'The disk is full.', {
    advice: 'Free some.',
    money,
    retryable: true,
    values: { most: 3 },
  })
  const { cause, ...told } = retold(first, { advice: 'Wait.' })
  expect(cause).toBe(first)
  expect(told).toMatchObject({
    code: 'disk-full',
    advice: 'Wait.',
    money: 'You paid nothing.',
    moneyWords: money.words,
    retryable: true,
  })
  expect(told.words).toEqual({ code: 'disk-full', values: { most: 3 } })
  expect(retold(first, { money: 'You paid 1 TON.' })).toMatchObject({
    advice: 'Free some.',
    money: 'You paid 1 TON.',
    moneyWords: undefined,
  })
})
