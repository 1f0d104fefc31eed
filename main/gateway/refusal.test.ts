import { expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { paidNothing, type QueryFailureCode } from '../client/query-failure.ts'
import { asRefusal, errorBody } from './refusal.ts'

/** Every way in which a question over the network can fail: the type keeps the list whole. */
const statuses: Record<QueryFailureCode, number> = {
  'no-connection': 503,
  'connection-lost': 502,
  'no-worker': 503,
  'too-expensive': 503,
  'balance-too-low': 402,
  'above-credit': 402,
  'contract-closing': 503,
  'proxy-not-ready': 503,
  'worker-busy': 503,
  'unknown-model': 404,
  'unknown-key': 503,
  'invalid-request': 400,
  timeout: 504,
  cancelled: 502,
  refused: 503,
  'answer-malformed': 502,
  'answer-too-large': 502,
  'engine-refused': 502,
  stopped: 502,
  'query-failed': 502,
  'seal-unavailable': 503,
  'connection-changed': 503,
  'worker-gone': 503,
  'seal-refused': 502,
  'seal-broken': 502,
}

it.each(Object.entries(statuses))('a question that failed with %s is told with the status %d', (code, status) => {
  const told = asRefusal(new Failure(code, 'It failed.', { money: paidNothing, advice: 'Try again.', retryable: true }))
  expect(told.status).toBe(status)
  expect(told.retry).toBe(status >= 500)
  expect(errorBody(told)).toEqual({
    error: {
      message: 'It failed. You paid nothing. Try again.',
      type: expect.any(String),
      param: null,
      code: expect.stringMatching(/^[a-z_]+$/),
    },
  })
})

it('a defect is told without its text', () => {
  expect(errorBody(asRefusal(new TypeError('what a person wrote')))).toEqual({
    error: { message: expect.not.stringContaining('person'), type: 'server_error', param: null, code: 'internal_error' },
  })
})
