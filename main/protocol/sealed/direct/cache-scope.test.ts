import { createHmac, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { decodeHttpRequest, encodeHttpRequest } from '../../http/http-message.ts'
import { cacheScope, cacheScopeHeader, cacheScopeIn } from './cache-scope.ts'

const secret = randomBytes(32)
const [one, other] = [randomBytes(32), randomBytes(32)]

it('is the keyed hash of worker and conversation', () => {
  const expected = createHmac('sha256', secret)
    .update(Buffer.concat([one, Buffer.from('a chat')]))
    .digest('hex')
  expect(cacheScope(secret, 'a chat', one)).toBe(expected)
})

it('differs by worker, by conversation and by client', () => {
  const all = [
    cacheScope(secret, 'a chat', one),
    cacheScope(secret, 'a chat', other),
    cacheScope(secret, 'b chat', one),
    cacheScope(randomBytes(32), 'a chat', one),
  ]
  expect(new Set(all).size).toBe(all.length)
})

it('travels where it is put inside a seal, and is no header that a caller can set', () => {
  const scope = cacheScope(secret, 'a chat', one)
  const http = {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [[cacheScopeHeader, scope] as const],
    body: Buffer.from('{}'),
  }
  expect(cacheScopeIn(decodeHttpRequest(encodeHttpRequest(http)).headers)).toBeUndefined()
  expect(cacheScopeIn(decodeHttpRequest(encodeHttpRequest(http, [[cacheScopeHeader, scope]])).headers)).toBe(scope)
})
