import { describe, expect, it } from 'vitest'
import { Failure } from '../../base/failure.ts'
import { readVectors } from '../testing/vector-cases.ts'
import { notRun, ran } from '../testing/vector-runs.ts'
import { validateRequest } from './validate-request.ts'

const file = 'accounting/request_validation'
interface Case {
  readonly url: string
  readonly body: string
  readonly ok: boolean
  readonly model?: string
  readonly new_body?: string
  readonly code?: number
  readonly error?: string
}
const cases = readVectors<Case[]>(file).map((one, i) => ({ ...one, i }))

describe('request validation against the golden data', () => {
  it.each(cases)('$url $body', (one) => {
    if (one.ok) {
      const request = validateRequest(one.url, one.body, 'recorded')
      expect(request.model).toBe(one.model)
      expect(request.body).toBe(one.new_body)
      expect(request.stream).toBe(request.body.includes('"stream":true'))
    } else {
      const run = (): unknown => validateRequest(one.url, one.body, 'recorded')
      expect(run).toThrow(Failure)
      expect(run).toThrow(expect.objectContaining({ code: 'invalid-request', message: one.error }))
      expect(one.code).toBe(621)
    }
    ran(file, `case ${one.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})
